"""Values against their VR (PS3.5 section 6.2) and value multiplicity (PS3.6), whatever the IOD."""

import re
from collections.abc import Iterator
from functools import lru_cache

from pydicom.datadict import dictionary_VM

from tasks.validate.iod.elements import Elements
from tasks.validate.iod.problems import Problem

_DAY = rb"(?:\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
_TIME = rb"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)"
_ONE = {
    "AE": rb"[^\x00-\x1f\x7f\\]{0,16}",
    "AS": rb"(?:\d{3}[DWMY])?",
    "CS": rb"[A-Z0-9 _]{0,16}",
    "DA": rb"(?:" + _DAY + rb")? *",
    "DS": rb"(?= *[^\\]{0,16}(?:\\|$)) *(?:" + _NUMBER + rb"(?:[eE][+-]?\d+)?)? *",
    "DT": rb"(?:\d{4}(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12]\d|3[01])(?:" + _TIME + rb")?)?)?(?:[+-]\d{4})?)? *",
    "IS": rb"(?=[^\\]{0,12}(?:\\|$)) *(?:[+-]?\d{1,11})? *",
    "TM": rb"(?:" + _TIME + rb")? *",
    "UI": rb"(?![0.]+(?:\\|$))(?=[^\\]{0,64}(?:\\|$))(?:(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*)?",
}
_MANY = {vr: re.compile(one + rb"(?:\\" + one + rb")*", re.DOTALL) for vr, one in _ONE.items()}
_TEXT = {
    "LO": re.compile(rb"[^\x00-\x1a\x1c-\x1f\x7f]*"),
    "SH": re.compile(rb"[^\x00-\x1a\x1c-\x1f\x7f]*"),
    "PN": re.compile(rb"[^\x00-\x1a\x1c-\x1f\x7f]*"),
    "LT": re.compile(rb"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]*"),
    "ST": re.compile(rb"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]*"),
    "UT": re.compile(rb"[^\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]*"),
}
_FORMS = {vr: pattern.fullmatch for vr, pattern in (_MANY | _TEXT).items()}
_WIDTHS = {
    "AT": 4,
    "FD": 8,
    "FL": 4,
    "OD": 8,
    "OF": 4,
    "OL": 4,
    "OV": 8,
    "OW": 2,
    "SL": 4,
    "SS": 2,
    "SV": 8,
    "UL": 4,
    "US": 2,
    "UV": 8,
}
_LENGTHS = {"LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024}
_COUNTED = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT", "SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN"})


def value_problems(elements: Elements, path: tuple[int, ...]) -> Iterator[Problem]:
    """Problems of the values of a data set and of all items in it."""
    for tag, (vr, content) in elements.items():
        if isinstance(content, list):
            for item in content:
                yield from value_problems(item, (*path, tag))
        elif content:
            form, length = _FORMS.get(vr), len(content)
            if form is not None:
                if content.strip(b"\0") and (
                    form(content.removesuffix(b"\0" if vr == "UI" else b" ")) is None or _is_too_long(vr, content)
                ):
                    yield Problem("format", (*path, tag))
                count = 1 if vr in _ONE_VALUE else content.count(b"\\") + 1
            elif vr in _WIDTHS:
                if length % _WIDTHS[vr]:
                    yield Problem("format", (*path, tag))
                count = length // _WIDTHS[vr] if vr in _COUNTED else 1
            else:
                continue
            if not _fits(tag, count):
                yield Problem("count", (*path, tag))


def _is_too_long(vr: str, content: bytes) -> bool:
    """Whether a text has more characters than its VR allows; what is encoded in a way that is not known here has not."""
    most = _LENGTHS.get(vr)
    if most is None or len(content) <= most or b"\x1b" in content:
        return False
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    parts = text.split("\\") if vr not in _ONE_VALUE else [text]
    return any(len(part.strip(" ")) > most for whole in parts for part in (whole.split("=") if vr == "PN" else [whole]))


@lru_cache(maxsize=65536)
def _fits(tag: int, count: int) -> bool:
    """Whether a number of values is what PS3.6 says of the attribute; what is not in it may have any."""
    try:
        choices = dictionary_VM(tag).split(" or ")
    except KeyError:
        return True
    return any(_is_in(choice, count) for choice in choices)


def _is_in(choice: str, count: int) -> bool:
    low, _, high = choice.partition("-")
    if not high:
        return count == int(low)
    if high.isdigit():
        return int(low) <= count <= int(high)
    return count >= int(low) and count % int(high.removesuffix("n") or 1) == 0
