"""Which UIDs of a legacy object stay, and what takes the place of one that is none, in the object and in references to it.

A valid UID is kept (IHE RAD-61). One that is none is replaced by one minted from its medium, its patient and itself, never from
itself alone: a constant of a vendor would weld patients together.
"""

import re

from tasks.keys import uid_of

_VALID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2,}", re.ASCII)


def is_valid_uid(uid: str) -> bool:
    """Whether a UID is one by PS3.5 section 9.1, and long enough to be anybody's own."""
    return 8 <= len(uid) <= 64 and _VALID.fullmatch(uid) is not None


def valid_or_mapped(uid: str, purpose: str, group_key: str, patient: str) -> str:
    """The UID itself, or the one in its place; `purpose` is what it names: `study`, `series`, `instance` or `entity`."""
    return uid if is_valid_uid(uid) else uid_of(purpose, group_key, patient, uid)
