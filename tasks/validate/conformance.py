"""What the IOD check finds in final headers, as failed rules of a suite of their own: warnings, for a legacy object came so.

Beside it, what objects of one study contradict each other in.
"""

from collections.abc import Sequence
from functools import lru_cache

from tasks.errors import QuarantineError
from tasks.stage import Row
from tasks.validate.findings import Failure, Rule
from tasks.validate.iod import Difference, Elements, Problem, check, differences, read_elements
from tasks.validate.iod.problems import keyword

SUITE = "iod"
VERSION = 1
"""Counted up when the check finds other problems in the same header."""

_PIXEL_DATA, _FLOAT_PIXELS, _DOUBLE_PIXELS = 0x7FE00010, 0x7FE00008, 0x7FE00009
_TRANSFER_SYNTAX, _PIXEL_REPRESENTATION, _BITS_ALLOCATED = 0x00020010, 0x00280103, 0x00280100
_MEND = "Correct it where the object comes from, or take it as it is: it was so before."
_UNREAD = Rule(SUITE, "unread", "warning", "SOPInstanceUID", "The header could not be checked: a sequence is damaged.", _MEND)


def iod_failures(batch: Sequence[Row]) -> list[Failure]:
    """Problems of the final headers of VALIDATE_VIEW rows, in the order they are first met; what has no header has none."""
    found: dict[Rule, list[str]] = {}
    read: list[tuple[str, str, Elements]] = []
    for row in batch:
        if not row["header"]:
            continue
        key = str(row["object_key"])
        try:
            elements = _elements(row)
        except QuarantineError:
            found.setdefault(_UNREAD, []).append(key)
            continue
        read.append((key, row["study_instance_uid"], elements))
        for problem in check(elements):
            found.setdefault(_rule(problem), []).append(key)
    failures = [Failure(rule, tuple(keys)) for rule, keys in found.items()]
    return failures + [Failure(_contradiction(difference), keys) for difference, keys in differences(read)]


def _elements(row: Row) -> Elements:
    """The header with what stands elsewhere: the transfer syntax, and that there are pixels."""
    elements = read_elements(row["header"])
    elements[_TRANSFER_SYNTAX] = "UI", str(row["transfer_syntax_uid"] or "").encode()
    if row["pixel_header"]:
        elements[_pixel_tag(elements)] = "OW", b"\0\0"
    return elements


def _pixel_tag(elements: Elements) -> int:
    """Pixels that are no integers have no Pixel Representation (PS3.3 C.7.6.24, C.7.6.25)."""
    if _PIXEL_REPRESENTATION in elements:
        return _PIXEL_DATA
    return _DOUBLE_PIXELS if elements.get(_BITS_ALLOCATED, ("", b""))[1] == b"\x40\0" else _FLOAT_PIXELS


def _contradiction(difference: Difference) -> Rule:
    name = keyword(difference.tag)
    entity = difference.entity.lower()
    why = f"{name} is not what most objects of this {entity} have: it describes the {entity}, not the object (PS3.3 A.1.2)."
    return Rule(SUITE, f"differs {name} within {entity}", "warning", name, why, _MEND)


@lru_cache(maxsize=65536)
def _rule(problem: Problem) -> Rule:
    return Rule(SUITE, problem.name, "warning", problem.keyword, problem.why, _MEND)
