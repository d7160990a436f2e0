"""Reads some elements of many DICOM files: the first block of each, and of it only what leads to them.

Nothing else is decoded, and nothing behind the last element asked for is looked at. Whatever is not plain (no preamble, big
endian, deflated, VRs that DICOM does not know, tags out of order, texts that are not ASCII, elements that reach beyond the
block) is left to pydicom, so that the values are pydicom's for every file.
"""

import io
import os
import re
import struct
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.multival import MultiValue

from tasks.errors import QuarantineError

BLOCK = 8192
"""Bytes read of a file: what comes before the pixels is rarely longer, and a page or two cost the same to read."""

_EXPLICIT, _ELEMENT = struct.Struct("<I2sH"), struct.Struct("<HH2sH")
_IMPLICIT, _LONG = struct.Struct("<II"), struct.Struct("<I")
_NONE: Mapping[int, int] = {}
_META_START, _MOST_NESTED = 132, 32
_UNDEFINED = 0xFFFFFFFF
_TRANSFER_SYNTAX = 0x00100002
_ITEM, _ITEM_DELIMITER, _SEQUENCE_DELIMITER = 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_IMPLICIT_SYNTAX = b"1.2.840.10008.1.2"
_OTHERWISE_ENCODED = frozenset({b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.95"})
_TWO_LETTERS = re.compile(rb"[A-Z]{2}")

Values = Mapping[str, str]
"""Values by keyword as text without padding, several joined by a backslash; an element that is not there is not in it."""


class _NotPlainError(Exception):
    """The file is one for pydicom."""


@dataclass(frozen=True)
class Wanted:
    """Elements asked for: keyword and VR by tag, whose bytes are read as one little-endian number; `last`: the last tag.

    `groups` has those numbers by group and element number.
    """

    elements: Mapping[int, tuple[str, str]]
    groups: Mapping[int, Mapping[int, int]]
    last: int

    @property
    def keywords(self) -> list[str]:
        """The keywords."""
        return [keyword for keyword, _ in self.elements.values()]


def wanted(keywords: Iterable[str]) -> Wanted:
    """What to ask for, by keyword: elements of the file meta information or at the top of the data set, before the pixels.

    Raises `ValueError` on what is no keyword.
    """
    tags: dict[int, str] = {}
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is no keyword of the data dictionary")
        tags[tag] = keyword
    groups: dict[int, dict[int, int]] = {}
    for tag in tags:
        groups.setdefault(tag >> 16, {})[tag & 0xFFFF] = _swapped(tag)
    return Wanted({_swapped(tag): (keyword, dictionary_VR(tag)) for tag, keyword in tags.items()}, groups, max(tags))


def _swapped(tag: int) -> int:
    return (tag & 0xFFFF) << 16 | tag >> 16


def scan_file(path: str | bytes | os.PathLike[str], asked: Wanted) -> Values:
    """The values of a file; raises `QuarantineError` where pydicom cannot read it, `OSError` where it cannot be opened."""
    file = os.open(path, os.O_RDONLY)
    try:
        block = os.read(file, BLOCK)
    finally:
        os.close(file)
    try:
        return _scan(block, asked, len(block) < BLOCK)
    except _NotPlainError:
        return _by_pydicom(path, asked)


def scan_head(head: bytes, asked: Wanted) -> Values:
    """The values in a file's first bytes, as far as they reach; raises `QuarantineError` where pydicom cannot read them."""
    try:
        return _scan(head, asked, False)
    except _NotPlainError:
        return _by_pydicom(io.BytesIO(head), asked)


def _scan(block: bytes, asked: Wanted, is_whole: bool) -> dict[str, str]:
    """The values in a block; raises `_NotPlainError` where they may be others than pydicom's."""
    if block[128:132] != b"DICM":
        raise _NotPlainError
    found: list[tuple[int, bytes]] = []
    try:
        place, syntax = _meta(block, asked.elements, found)
        if syntax in _OTHERWISE_ENCODED or not syntax.startswith(b"1.2.840.10008.1.2"):
            raise _NotPlainError
        end = len(block) if is_whole else None
        if syntax == _IMPLICIT_SYNTAX:
            _implicit(block, place, asked, found, end)
        else:
            _explicit(block, place, asked, found, end)
    except struct.error:
        raise _NotPlainError from None
    return _texts(found, asked)


def _texts(found: list[tuple[int, bytes]], asked: Wanted) -> dict[str, str]:
    texts, elements = {}, asked.elements
    for key, value in found:
        keyword, vr = elements[key]
        if vr == "US":
            texts[keyword] = "\\".join(str(number) for (number,) in struct.iter_unpack("<H", value))
        elif not value.isascii() or b"\x1b" in value:
            raise _NotPlainError
        elif b"\\" in value:
            texts[keyword] = "\\".join(part.strip("\0 ") for part in value.decode("ascii").split("\\"))
        else:
            texts[keyword] = value.decode("ascii").strip("\0 ")
    return texts


def _meta(block: bytes, keys: Mapping[int, tuple[str, str]], found: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Where the data set starts, and the transfer syntax."""
    place, syntax, unpack = _META_START, b"", _EXPLICIT.unpack_from
    while True:
        key, vr, length = unpack(block, place)
        if key & 0xFFFF != 2:
            return place, syntax
        place += 8
        if vr not in _SHORT_VRS:
            if vr not in _LONG_VRS:
                raise _NotPlainError
            (length,) = _LONG.unpack_from(block, place)
            place += 4
        value = block[place : place + length]
        place += length
        if key == _TRANSFER_SYNTAX:
            syntax = value.rstrip(b"\0 ")
        if key in keys:
            found.append((key, value))


def _explicit(block: bytes, place: int, asked: Wanted, found: list[tuple[int, bytes]], end: int | None) -> None:
    groups, last, current, unpack, short = asked.groups, asked.last >> 16, 0, _ELEMENT.unpack_from, _SHORT_VRS
    numbers: Mapping[int, int] = {}
    while place != end:
        group, number, vr, length = unpack(block, place)
        if group != current:
            if group < current:
                raise _NotPlainError
            if group > last:
                break
            current, numbers = group, groups.get(group, _NONE)
        if vr in short:
            start = place + 8
        elif vr in _LONG_VRS:
            start = place + 12
            (length,) = _LONG.unpack_from(block, place + 8)
            if length == _UNDEFINED:
                if vr != b"SQ" or number in numbers:
                    raise _NotPlainError
                place = _sequence_end(block, start, 0)
                continue
        else:
            raise _NotPlainError
        place = start + length
        if number in numbers:
            found.append((numbers[number], block[start:place]))
    if place > len(block):
        raise _NotPlainError


def _implicit(block: bytes, place: int, asked: Wanted, found: list[tuple[int, bytes]], end: int | None) -> None:
    if _TWO_LETTERS.match(block, place + 4):  # as pydicom tells explicit VRs where implicit ones are declared
        raise _NotPlainError
    keys, last, before, unpack = asked.elements, asked.last, 0, _IMPLICIT.unpack_from
    reach = len(block)
    while place != end:
        key, length = unpack(block, place)
        tag = (key & 0xFFFF) << 16 | key >> 16
        if tag > last:
            return
        start = place + 8
        place = start + length
        if tag <= before or place > reach:  # of undefined length, too
            raise _NotPlainError
        before = tag
        if key in keys:
            found.append((key, block[start:place]))


def _sequence_end(block: bytes, place: int, depth: int) -> int:
    """Where a sequence of undefined length in explicit VR ends, behind its delimiter."""
    if depth > _MOST_NESTED:
        raise _NotPlainError
    while True:
        key, length = _IMPLICIT.unpack_from(block, place)
        place += 8
        if key == _SEQUENCE_DELIMITER:
            return place
        if key != _ITEM:
            raise _NotPlainError
        place = _item_end(block, place, depth) if length == _UNDEFINED else place + length


def _item_end(block: bytes, place: int, depth: int) -> int:
    while True:
        key, vr, length = _EXPLICIT.unpack_from(block, place)
        place += 8
        if key == _ITEM_DELIMITER:
            return place
        if vr not in _SHORT_VRS:
            if vr not in _LONG_VRS:
                raise _NotPlainError
            (length,) = _LONG.unpack_from(block, place)
            place += 4
            if length == _UNDEFINED:
                if vr != b"SQ":
                    raise _NotPlainError
                place = _sequence_end(block, place, depth + 1)
                continue
        place += length


def _by_pydicom(source: str | bytes | os.PathLike[str] | io.BytesIO, asked: Wanted) -> dict[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's remarks quote values
            path = os.fsdecode(source) if isinstance(source, bytes) else source
            dataset = dcmread(path, force=True, stop_before_pixels=True, specific_tags=asked.keywords)
            texts = {}
            for keyword in asked.keywords:
                holder = dataset if keyword in dataset else dataset.file_meta
                if keyword in holder:
                    texts[keyword] = text_of(holder[keyword].value)
    except OSError:
        raise
    except Exception:  # pydicom raises whatever it likes on damaged files
        raise QuarantineError("cannot be read as DICOM") from None
    return texts


def text_of(value: object) -> str:
    """A value of pydicom's as `Values` has it."""
    if isinstance(value, MultiValue):
        return "\\".join(text_of(part) for part in value)
    return "" if value is None else str(value).strip("\0 ")
