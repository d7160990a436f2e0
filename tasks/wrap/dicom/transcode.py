"""An element in Explicit VR Little Endian, its value as the bytes it came as: text is not decoded, a wrong value not mended.

From Explicit VR Little Endian an element is copied, but for a standard one that somebody gave the VR UN: it gets its own again
(PS3.5 section 6.2.2), for few readers know it else. From big endian, numbers are turned round by their VR (PS3.5 section 7.3).
From Implicit VR, the VR is the data dictionary's, or UN where nobody knows it; lengths of sequences and items become defined.
"""

import struct
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom.datadict import private_dictionary_VR

from tasks.changes import Change, left_out, stood_twice
from tasks.errors import QuarantineError
from tasks.wrap.dicom.elements import LONG_VRS, SHORT_VRS, Element, Encoding, elements, items, known_vr
from tasks.wrap.dicom.repeated import distinct

_EXPLICIT_LITTLE = Encoding(True, True)
_WIDTHS = dict.fromkeys(("US", "SS", "OW", "AT"), 2) | dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4)
_WIDTHS |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)
_LONGEST_SHORT = 0xFFFE
_PADDED_WITH_NUL = LONG_VRS | {"UI", "AT", "US", "SS", "UL", "SL", "FL", "FD"}


@dataclass
class Surroundings:
    """What the VR of an element may hang on: the sign of pixels, and who made the private blocks of this data set or item.

    `path` is where the item stands; `changes` records what stands twice in items, for all of the data set.
    """

    signed: bool
    creators: dict[int, str] = field(default_factory=dict)
    path: str = ""
    changes: list[Change] = field(default_factory=list)

    def see(self, element: Element, value: bytes) -> None:
        """Notes a private creator (gggg,0010-00FF), which stands before its block's elements."""
        if element.tag >> 16 & 1 and 0x10 <= element.tag & 0xFFFF <= 0xFF:
            self.creators[element.tag >> 16 << 8 | element.tag & 0xFF] = value.decode("latin-1").strip("\0 ")

    def vr(self, tag: int) -> str:
        """VR of an element written without one (PS3.5 Annex A.1, PS3.6; `UN` where it is not known)."""
        if tag >> 16 & 1:
            return self._private(tag)
        if tag & 0xFFFF == 0:
            return "UL"
        vr = known_vr(tag) or "UN"
        if "OW" in vr:
            return "OW"
        return ("SS" if self.signed else "US") if " or " in vr else vr

    def _private(self, tag: int) -> str:
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            return "LO"
        creator = self.creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF)
        try:
            vr = private_dictionary_VR(tag, creator) if creator else "UN"
        except KeyError:
            return "UN"
        # A private sequence of defined length stays the bytes it is, since its extent is only a guess of the dictionary's.
        return vr if vr in SHORT_VRS | LONG_VRS and vr != "SQ" else "UN"


def explicit_little(data: memoryview, element: Element, encoding: Encoding, around: Surroundings) -> bytes:
    """The element in Explicit VR Little Endian; raises `QuarantineError` where a number does not fill its VR."""
    unnamed = element.vr == "UN" and not element.undefined and not element.tag >> 16 & 1
    if encoding.explicit and encoding.little and unnamed and (vr := around.vr(element.tag)) not in ("UN", "SQ"):
        return written(element.tag, vr, bytes(data[element.value : element.stop]))
    if encoding == _EXPLICIT_LITTLE and not (element.stop - element.value) % 2:
        return bytes(data[element.start : element.end])
    if element.is_sequence:
        content = b"".join(
            _item(data, start, stop, element, replace(around, path=f"{around.path}{element.tag:08X}[{number}].", creators={}))
            for number, (start, stop, _) in enumerate(items(data, element))
        )
        return written(element.tag, "SQ", content)
    value = bytes(data[element.value : element.stop])
    around.see(element, value)
    if element.undefined:
        if not encoding.little:
            raise QuarantineError(f"element {element.name} is encapsulated in big endian, which does not exist")
        return struct.pack("<HH2sHL", element.tag >> 16, element.tag & 0xFFFF, b"OB", 0, 0xFFFFFFFF) + bytes(
            data[element.value : element.end]
        )
    vr = element.vr or around.vr(element.tag)
    return written(element.tag, vr, value if encoding.little else little_endian(value, vr, element.name))


def little_endian(value: bytes | memoryview, vr: str, name: str) -> bytes:
    """A big-endian value with its numbers turned round, by the width of the VR."""
    width = _WIDTHS.get(vr, 1)
    if width == 1:
        return bytes(value)
    if len(value) % width:
        raise QuarantineError(f"element {name} has {len(value)} bytes, which are no whole numbers of its VR {vr}")
    return np.frombuffer(value, f"<u{width}").byteswap().tobytes()


def written(tag: int, vr: str, value: bytes) -> bytes:
    """An element in Explicit VR Little Endian, padded to even length; what is too long for its VR becomes UN."""
    if len(value) % 2:
        value += b"\0" if vr in _PADDED_WITH_NUL else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if vr in LONG_VRS or len(value) > _LONGEST_SHORT:
        return b"".join((head, (vr if vr in LONG_VRS else "UN").encode(), b"\0\0", struct.pack("<L", len(value)), value))
    return b"".join((head, vr.encode(), struct.pack("<H", len(value)), value))


def _item(data: memoryview, start: int, stop: int, sequence: Element, around: Surroundings) -> bytes:
    encoding = sequence.encoding
    kept, repeated = distinct(data, elements(data, start, stop, encoding))
    for element in repeated:
        around.changes.append(stood_twice(explicit_little(data, element, encoding, around), around.path))
    parts = {element.tag: explicit_little(data, element, encoding, around) for element in kept}
    lengths = [tag for tag in parts if not tag & 0xFFFF]
    around.changes += [left_out(parts.pop(tag), around.path, "lengths of groups are retired") for tag in lengths]
    content = b"".join(parts.values())
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
