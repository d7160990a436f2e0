"""The elements of an encoded data set, found by their lengths alone (PS3.5 section 7): nothing is decoded, nothing is lost.

Readers of DICOM are lenient: they stop without a word where a file ends too early. Here every length has to fit, down to the
last item of the last sequence, or the data set is damaged. A second, lenient reading takes an element whose VR nobody can read
(none at all in an explicit data set, blanks, NUL bytes) where one way alone to read its length leads to another element, and
lets an element stand twice, and delimiters where nothing is to be delimited.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydicom.datadict import dictionary_VR

from tasks.errors import QuarantineError

MOST_NESTED = 32
UNDEFINED = 0xFFFFFFFF
SEQUENCE_DELIMITER, ITEM_DELIMITER, ITEM = 0xFFFEE0DD, 0xFFFEE00D, 0xFFFEE000
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_VRS = frozenset(
    {
        "AE",
        "AS",
        "AT",
        "CS",
        "DA",
        "DS",
        "DT",
        "FD",
        "FL",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "SL",
        "SS",
        "ST",
        "TM",
        "UI",
        "UL",
        "US",
    }
)
_ITEM_GROUP = 0xFFFE
_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


@dataclass(frozen=True)
class Encoding:
    """Whether VRs are written down, in which byte order numbers are, and whether a VR may be one that cannot be read."""

    explicit: bool
    little: bool
    lenient: bool = False

    @property
    def order(self) -> str:
        """Byte order as `struct` writes it."""
        return "<" if self.little else ">"


@dataclass(frozen=True)
class Element:
    """Where an element lies: `start` of its tag, `value` of its value, `stop` of its value, `end` behind its delimiter.

    `vr` is as written, empty where none is. `encoding` is that of the items, if it is a sequence.
    """

    tag: int
    vr: str
    start: int
    value: int
    stop: int
    end: int
    undefined: bool
    encoding: Encoding

    @property
    def name(self) -> str:
        """The tag for a person, see `tag_name`."""
        return tag_name(self.tag)

    @property
    def is_sequence(self) -> bool:
        """Whether the value is made of items that are data sets."""
        if self.tag in _PIXEL_TAGS:
            return False
        return self.vr == "SQ" or (self.undefined and self.vr in ("", "UN")) or (not self.vr and known_vr(self.tag) == "SQ")


def tag_name(tag: int) -> str:
    """A public tag as (gggg,eeee); what is not one may be any four bytes of a damaged file, a name's among them."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})" if known_vr(tag) else "that DICOM does not know"


def known_vr(tag: int) -> str:
    """VR of a public tag by the data dictionary, `US or SS` among them; empty where it has none."""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


def elements(data: memoryview, start: int, end: int, encoding: Encoding, depth: int = 0) -> Iterator[Element]:
    """The elements between two places of a data set, each checked down to its innermost item.

    Raises `QuarantineError` where a length does not fit. NUL bytes up to the end are padding.
    """
    if depth > MOST_NESTED:
        raise QuarantineError("sequences nested without end")
    seen: set[int] = set()
    while start < end:
        if end - start < 8 or bytes(data[start : start + 4]) == b"\0\0\0\0":
            if not bytes(data[start:end]).strip(b"\0"):
                return
            raise QuarantineError("cut off or followed by other bytes: the file does not end where its last element ends")
        head = _head(data, start, end, encoding)
        if encoding.lenient and head.tag in (ITEM_DELIMITER, SEQUENCE_DELIMITER) and head.value == head.end:
            start = head.end
            continue
        element = _checked(data, head, end, depth)
        if element.tag in seen and not encoding.lenient:
            raise QuarantineError(f"the data set has element {element.name} twice")
        seen.add(element.tag)
        yield element
        start = element.end


def items(data: memoryview, element: Element) -> Iterator[tuple[int, int, bool]]:
    """(start, stop, whether of undefined length) of the content of each item of a sequence whose extent is known."""
    order, place = element.encoding.order, element.value
    while place < element.stop:
        group, number, length = struct.unpack_from(f"{order}HHL", data, place)
        if group << 16 | number == SEQUENCE_DELIMITER:
            return
        place += 8
        stop = place + length if length != UNDEFINED else _item_end(data, place, element.stop, element, 0) - 8
        yield place, stop, length == UNDEFINED
        place = stop + 8 * (length == UNDEFINED)


def _head(data: memoryview, start: int, end: int, encoding: Encoding) -> Element:
    """The element at `start` by its own length; `stop` and `end` of one of undefined length are not known yet."""
    group, number = struct.unpack_from(f"{encoding.order}HH", data, start)
    tag, vr, value = group << 16 | number, "", start + 8
    if not encoding.explicit or group == _ITEM_GROUP:
        (length,) = struct.unpack_from(f"{encoding.order}L", data, start + 4)
    else:
        vr = bytes(data[start + 4 : start + 6]).decode("latin-1")
        if vr in SHORT_VRS:
            (length,) = struct.unpack_from(f"{encoding.order}H", data, start + 6)
        elif vr in LONG_VRS:
            if end - start < 12:
                raise QuarantineError(f"cut off inside element {tag_name(tag)}")
            (length,) = struct.unpack_from(f"{encoding.order}L", data, start + 8)
            value += 4
        elif encoding.lenient:
            return _guessed(data, start, end, tag, encoding)
        else:
            raise QuarantineError(f"element {tag_name(tag)} has a value representation that DICOM does not know")
    within = _within_unknown(data, value, encoding) if vr == "UN" else encoding
    return Element(tag, vr, start, value, value + length, value + length, length == UNDEFINED, within)


def _within_unknown(data: memoryview, value: int, encoding: Encoding) -> Encoding:
    """The encoding of items in what is unknown and of undefined length: Implicit VR Little Endian (PS3.5 6.2.2, note 4).

    Some writers left them explicit, which the VR of the first element in the first item shows.
    """
    if encoding.lenient and _has_vr(data, value + 8):
        return encoding
    return Encoding(False, True, encoding.lenient)


def _has_vr(data: memoryview, start: int) -> bool:
    return bytes(data[start + 4 : start + 6]).decode("latin-1") in SHORT_VRS | LONG_VRS


def _guessed(data: memoryview, start: int, end: int, tag: int, encoding: Encoding) -> Element:
    """An element without a VR that can be read, its length read in the one way that leads to another element or to the end.

    The ways are those of a VR with a short length, of one with a long length, and of Implicit VR (PS3.5 sections 7.1.2, 7.1.3).
    """
    ways = {}
    for at, size in ((6, 2), (8, 4), (4, 4)):
        value = start + at + size
        if value > end:
            continue
        length = int.from_bytes(data[start + at : value], "little" if encoding.little else "big")
        undefined = size == 4 and length == UNDEFINED
        stop = value if undefined else value + length
        follows = _tag_at(data, stop, end, encoding) in (ITEM, SEQUENCE_DELIMITER) if undefined else None
        if follows or (follows is None and _may_follow(data, stop, end, tag, encoding)):
            ways[stop] = Element(tag, "", start, value, stop, stop, undefined, encoding)
    if len(ways) != 1:
        raise QuarantineError(f"element {tag_name(tag)} has a value representation that DICOM does not know")
    return next(iter(ways.values()))


def _tag_at(data: memoryview, place: int, end: int, encoding: Encoding) -> int:
    if end - place < 8:
        return 0
    group, number = struct.unpack_from(f"{encoding.order}HH", data, place)
    return int(group) << 16 | int(number)


def _may_follow(data: memoryview, place: int, end: int, before: int, encoding: Encoding) -> bool:
    """Whether the data set ends here, or an element stands here in order that DICOM knows or that has a VR."""
    if place == end:
        return True
    tag = _tag_at(data, place, end, encoding)
    return tag == ITEM_DELIMITER or (tag >= before and (bool(known_vr(tag)) or _has_vr(data, place)))


def _checked(data: memoryview, head: Element, end: int, depth: int) -> Element:
    if head.tag >> 16 == _ITEM_GROUP:
        raise QuarantineError("an item or a delimiter stands outside of a sequence")
    if head.undefined:
        if head.tag in _PIXEL_TAGS:
            stop = _fragments_end(data, head, end)
        elif head.is_sequence:
            stop = _sequence_end(data, head, end, depth)
        else:
            raise QuarantineError(f"element {head.name} has no length, and is no sequence")
        return replace(head, stop=stop, end=stop + 8)
    if head.end > end:
        raise QuarantineError(f"cut off inside element {head.name}")
    if head.is_sequence and _sequence_end(data, head, head.end, depth) != head.end:
        raise QuarantineError(f"the items of sequence {head.name} do not end where it ends")
    return head


def _sequence_end(data: memoryview, sequence: Element, end: int, depth: int) -> int:
    """Where the items of a sequence end: at its delimiter, or at `end`; all items are checked."""
    place = sequence.value
    while place < end or sequence.undefined:
        tag, length = _item_head(data, place, end, sequence)
        if tag == SEQUENCE_DELIMITER:
            return place if sequence.undefined else place + 8
        if tag != ITEM:
            raise QuarantineError(f"sequence {sequence.name} holds something that is no item")
        place += 8
        if length == UNDEFINED:
            place = _item_end(data, place, end, sequence, depth)
            continue
        if place + length > end:
            raise QuarantineError(f"cut off inside sequence {sequence.name}")
        for _ in elements(data, place, place + length, sequence.encoding, depth + 1):
            pass
        place += length
    return place


def _item_end(data: memoryview, place: int, end: int, sequence: Element, depth: int) -> int:
    """Where an item of undefined length ends, behind its delimiter."""
    if depth >= MOST_NESTED:
        raise QuarantineError("sequences nested without end")
    seen: set[int] = set()
    while True:
        tag, _ = _item_head(data, place, end, sequence)
        if tag == ITEM_DELIMITER:
            return place + 8
        if tag in seen and not sequence.encoding.lenient:
            raise QuarantineError(f"an item of sequence {sequence.name} has element {tag_name(tag)} twice")
        seen.add(tag)
        place = _checked(data, _head(data, place, end, sequence.encoding), end, depth + 1).end


def _item_head(data: memoryview, place: int, end: int, sequence: Element) -> tuple[int, int]:
    if end - place < 8:
        raise QuarantineError(f"cut off inside sequence {sequence.name}")
    group, number, length = struct.unpack_from(f"{sequence.encoding.order}HHL", data, place)
    return group << 16 | number, length


def _fragments_end(data: memoryview, pixels: Element, end: int) -> int:
    """Where the fragments of encapsulated pixels end, at their delimiter (PS3.5 Annex A.4)."""
    place = pixels.value
    while True:
        tag, length = _item_head(data, place, end, pixels)
        if tag == SEQUENCE_DELIMITER:
            return place
        if tag != ITEM or place + 8 + length > end:
            raise QuarantineError(f"cut off inside the fragments of {pixels.name}")
        place += 8 + length
