"""The errors of Filmroom, named after what they demand of whoever catches them.

Only the engine's item boundary catches them; a stage raises the one that fits and goes on with the next item. Messages name
items by key and never carry a patient's name, identifier or birth date: they end up in `outcomes.reason` and in logs.
"""


class FilmroomError(Exception):
    """Base of all errors that Filmroom raises on purpose."""


class ConfigurationError(FilmroomError):
    """The configuration or the call is wrong: nothing ran. The command line prints the message and exits with 2."""


class QuarantineError(FilmroomError):
    """Something is wrong with this item for good: it becomes `quarantined` with this message as its reason."""


class ReviewError(FilmroomError):
    """A person has to decide about this item: it becomes `review` with this message as its reason."""


class RetryLaterError(FilmroomError):
    """What failed may pass (busy, timed out, connection lost): the item waits and is tried again later."""


class NextRunError(RetryLaterError):
    """What failed passes only when something is mended or scanned anew: the item waits for the next run."""


class StageBlockedError(FilmroomError):
    """The whole stage cannot go on (source not mounted, target refuses us, disk full). The message names the mend."""


class WorkspaceError(FilmroomError):
    """The workspace is not one, belongs to another migration, or is damaged."""


class RunActiveError(FilmroomError):
    """Another run holds this workspace; the message says who (host, pid, since). Exit code 2."""
