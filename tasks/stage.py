"""What a stage is given and what it gives back: the contract between the engine and every stage.

A stage function takes a batch of input rows (dictionaries, in the order of the view) and a `StageContext`, and yields one
`Outcome` for every input row, each with the table rows that came of it. It knows no Prefect, no other stage and no file of
another table. What goes wrong with one row is raised as one of `tasks.errors` inside `each_row` or `each_group`, which are the
stage's item boundary.
"""

import errno
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from tasks.configuration import Configuration
from tasks.errors import FilmroomError, NextRunError, RetryLaterError, ReviewError, StageBlockedError

Row = Mapping[str, Any]
OutcomeKind = Literal["done", "waiting", "review", "quarantined", "duplicate", "excluded", "withdrawn"]

logger = logging.getLogger("filmroom")


@dataclass(frozen=True)
class StageContext:
    """What a stage may know beside its rows."""

    configuration: Configuration
    workspace: Path
    stage: str
    wave: str = ""  # the run's, for the receipts

    @property
    def staging(self) -> Path:
        """Folder of the staged pixels, on their way from `wrap` to `load`."""
        return self.workspace / "staging"

    def now(self) -> datetime:
        """The fixed clock `[project] now`, or the real one, in UTC; for times that are composed into rows and headers."""
        return self.configuration.project.now or datetime.now(UTC)


@dataclass(frozen=True)
class Outcome:
    """What became of one input row.

    `key` is the input row's key, or that of an item found inside it (`scan`), in which case `input_key` names the row.
    `rows` are the table rows this brought forth, by table; the engine adds their fingerprint, the outcome row and the events.
    `reason` is for a person, in one sentence, without PHI; required for every outcome but `done`. `again`: what waits is tried
    again in this run. `spent`: files that nobody needs once this outcome is committed.
    """

    key: str
    item_key: str
    outcome: OutcomeKind = "done"
    reason: str = ""
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    input_key: str | None = None
    again: bool = False
    spent: tuple[Path, ...] = ()


StageFunction = Callable[[Sequence[Row], StageContext], Iterable[Outcome]]


def outcome_of_error(error: Exception, key: str, item_key: str) -> Outcome:
    """The outcome an exception stands for; a blocked stage is not an outcome and is raised on."""
    match error:
        case StageBlockedError():
            raise error
        case NextRunError():
            return Outcome(key, item_key, "waiting", str(error))
        case RetryLaterError():
            return Outcome(key, item_key, "waiting", str(error), again=True)
        case ReviewError():
            return Outcome(key, item_key, "review", str(error))
        case FilmroomError():
            return Outcome(key, item_key, "quarantined", str(error))
        case OSError() if error.errno == errno.ENOSPC:
            raise StageBlockedError("no space left on the device: free some, then run again") from error
        case _:
            # The text of a foreign exception may carry a path or a name, so only its class is kept.
            logger.debug("%s: %s", key, type(error).__name__)
            reason = f"unexpected {type(error).__name__} in this item: report it with the item's key"
            return Outcome(key, item_key, "quarantined", reason)


def each_row(batch: Sequence[Row], key: str, work: Callable[[Row], Iterable[Outcome]]) -> Iterator[Outcome]:
    """Applies `work` to each row; an exception becomes that row's outcome. `key` names the key column."""
    for row in batch:
        try:
            yield from list(work(row))
        except Exception as error:  # the item boundary
            yield outcome_of_error(error, row[key], row["item_key"])


def each_group(
    batch: Sequence[Row], group: str, key: str, work: Callable[[Sequence[Row]], Iterable[Outcome]]
) -> Iterator[Outcome]:
    """Applies `work` to each run of rows with the same `group` (the engine keeps groups whole and together).

    An exception becomes the outcome of every member of its group.
    """
    for _, members in groupby(batch, key=lambda row: row[group]):
        rows = list(members)
        try:
            yield from list(work(rows))
        except Exception as error:  # the item boundary
            for row in rows:
                yield outcome_of_error(error, row[key], row["item_key"])
