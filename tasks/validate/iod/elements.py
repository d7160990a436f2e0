"""A data set as nested dictionaries of raw values: the quickest form that still knows everything a check asks for."""

from functools import lru_cache
from struct import Struct, unpack_from
from typing import TypeAlias

from pydicom.datadict import dictionary_VR

from tasks.errors import QuarantineError

Element: TypeAlias = tuple[str, "bytes | list[dict[int, Element]]"]
Elements: TypeAlias = dict[int, Element]
"""VR and value by tag; the value as it is written, padding and all, or the items of a sequence."""

MOST_NESTED = 32
PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_EXPLICIT, _IMPLICIT = Struct("<HH2sH"), Struct("<HHL")


def read_elements(data: bytes, start: int = 0, explicit: bool = True) -> Elements:
    """The elements of a little-endian data set that begins at `start`, as far as its last whole element.

    Raises `QuarantineError` on a sequence that holds something else than items, or that is nested without end.
    """
    return _read(data, start, len(data), explicit, 0)[0]


def _read(data: bytes, place: int, stop: int, explicit: bool, depth: int) -> tuple[Elements, int]:
    if depth > MOST_NESTED:
        raise QuarantineError("sequences nested without end")
    found: Elements = {}
    while place + 8 <= stop:
        if explicit:
            group, number, written, length = _EXPLICIT.unpack_from(data, place)
            tag, value = group << 16 | number, place + 8
            if group == 0xFFFE:
                return found, value
            vr = written.decode("latin-1")
            if written in _LONG:
                if value + 4 > stop:
                    break
                (length,) = unpack_from("<L", data, value)
                value += 4
        else:
            group, number, length = _IMPLICIT.unpack_from(data, place)
            tag, value = group << 16 | number, place + 8
            if group == 0xFFFE:
                return found, value
            vr = known_vr(tag)
        # What is written as unknown is in Implicit VR Little Endian (PS3.5 section 6.2.2, note 4).
        within = explicit and vr != "UN"
        if vr == "UN":
            vr = known_vr(tag)
        if length == _UNDEFINED:
            content, place = _undefined(data, tag, vr, value, stop, within, depth)
        elif vr == "SQ":
            place = min(value + length, stop)
            content, _ = _items(data, value, place, within, depth)
        else:
            place = value + length
            if place > stop:
                break
            content = data[value:place]
        found[tag] = vr, content
    return found, place


def _undefined(
    data: bytes, tag: int, vr: str, value: int, stop: int, explicit: bool, depth: int
) -> tuple[bytes | list[Elements], int]:
    """Content and end of an element of undefined length: a sequence, or fragments, of which the first alone is given."""
    if tag == PIXEL_DATA or vr in ("OB", "OW"):
        return _fragments(data, value, stop)
    return _items(data, value, stop, explicit, depth)


def _items(data: bytes, place: int, stop: int, explicit: bool, depth: int) -> tuple[list[Elements], int]:
    items: list[Elements] = []
    while place + 8 <= stop:
        group, number, length = _IMPLICIT.unpack_from(data, place)
        tag, place = group << 16 | number, place + 8
        if tag == _SEQUENCE_DELIMITER:
            break
        if tag != _ITEM:
            raise QuarantineError("a sequence holds something that is no item")
        end = stop if length == _UNDEFINED else min(place + length, stop)
        item, reached = _read(data, place, end, explicit, depth + 1)
        items.append(item)
        place = reached if length == _UNDEFINED else end
    return items, place


def _fragments(data: bytes, place: int, stop: int) -> tuple[bytes, int]:
    content = b""
    while place + 8 <= stop:
        group, number, length = _IMPLICIT.unpack_from(data, place)
        place += 8
        if group << 16 | number != _ITEM:
            break
        content = content or data[place : place + min(length, 16)]
        place += length
    return content or b"\0", place


@lru_cache(maxsize=16384)
def known_vr(tag: int) -> str:
    """VR by the data dictionary, the first where it has several; `UN` of what it does not know."""
    if tag >> 16 & 1:
        return "LO" if 1 <= tag & 0xFFFF <= 0xFF else "UN"
    try:
        return dictionary_VR(tag)[:2]
    except KeyError:
        return "UL" if not tag & 0xFFFF else "UN"
