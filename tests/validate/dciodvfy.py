"""What `dciodvfy -new` says of an object, as the IOD check says it: (kind, tags of the place)."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

Found = frozenset[tuple[str, tuple[int, ...]]]

_KINDS = {
    "Missing attribute for Type": "missing",
    "Empty attribute (no value)": "empty",
    "Attribute present but empty": "empty",
    "Attribute present when condition unsatisfied": "forbidden",
    "Unrecognized enumerated value": "value",
    "A value is required for value": "value",
    "Bad attribute Value Multiplicity": "count",
    "Bad Sequence number of Items": "count",
    "Value invalid for this VR": "format",
    "Bad Value Length": "format",
}
_LINE = re.compile(r"Error - <(/[^>]*)> - (.*)")
_TAG = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})")
_NOT_READ = ("Assertion", "dataset read failed", "illegal in non-encapsulated transfer syntax")


@dataclass(frozen=True)
class Verdict:
    """`found`: errors on types, values, multiplicity and VRs; `is_whole`: whether the object was read to its end."""

    found: Found
    is_whole: bool


def verdict(program: str, path: Path) -> Verdict:
    """Runs dciodvfy on a file. Of an attribute that is missing it may say too that a value is; that is said once here."""
    done = subprocess.run([program, "-new", str(path)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    text = (done.stdout + done.stderr).decode("latin-1")
    found = {entry for line in text.splitlines() if (entry := _entry(line)) is not None}
    found = {(kind, place) for kind, place in found if kind != "value" or ("missing", place) not in found}
    return Verdict(frozenset(found), bool(text.strip()) and not any(sign in text for sign in _NOT_READ))


def _entry(line: str) -> tuple[str, tuple[int, ...]] | None:
    match = _LINE.match(line)
    if match is None:
        return None
    place = tuple(int(group + number, 16) for group, number in _TAG.findall(match[1]))
    kind = next((kind for words, kind in _KINDS.items() if match[2].startswith(words)), None)
    return (kind, place) if kind and place and place[0] >> 16 != 2 else None
