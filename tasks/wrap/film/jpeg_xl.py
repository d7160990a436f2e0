"""JPEG XL scans (ISO/IEC 18181), bare codestreams and files of boxes: gray of 8 to 16 bits, colour of 8 bits.

libjxl tells no reader how a picture was coded, so its header is read here as far as that takes: pictures in XYB, those coded by
VarDCT and those made of a JPEG are lossy, by a method that has no defined term; modular ones in their own colours are not.
"""

import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_shape, check_size
from tasks.wrap.film.exif import TURNS

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}  # width to height, D.3.1
_COLOUR, _GRAY = 0, 1  # ColourSpace of E.2
_CUSTOM = 2


@dataclass(frozen=True)
class _Header:
    """What the image header (Annex D) says; `is_lossless` is `None` where it cannot be told."""

    rows: int
    columns: int
    bits: int
    is_gray: bool
    is_lossless: bool | None
    orientation: int


def decode_jpeg_xl(data: bytes) -> DecodedFilm:
    """Decodes a JPEG XL picture; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    codestream, of_jpeg = _codestream(data)
    header = _header(_Bits(codestream[2:]))
    check_size(header.rows, header.columns)
    samples = 1 if header.is_gray else 3
    if header.bits not in (range(8, 17) if header.is_gray else (8,)):
        raise ReviewError(f"a JPEG XL picture of {samples} x {header.bits} bits is not wrapped yet")
    if header.is_lossless is None:
        raise ReviewError(
            "a JPEG XL picture that does not tell whether it is lossy, having a colour profile, is not wrapped yet"
        )
    check_growth(header.rows * header.columns * samples * ((header.bits + 7) // 8), len(codestream))
    try:
        pixels = imagecodecs.jpegxl_decode(data, keeporientation=True)
    except Exception as error:  # libjxl's messages
        raise QuarantineError("a damaged or truncated JPEG XL picture") from error
    check_shape(pixels, header.rows, header.columns, samples, "JPEG XL")
    lossy = of_jpeg or not header.is_lossless
    turn, mirrored = TURNS.get(header.orientation, (None, None))
    return DecodedFilm(
        np.ascontiguousarray(pixels),
        header.bits,
        "MONOCHROME2" if header.is_gray else "RGB",
        ratio=pixels.nbytes / len(codestream) if lossy else None,
        method=None,
        turn=turn,
        mirrored=mirrored,
    )


def _codestream(data: bytes) -> tuple[bytes, bool]:
    """The codestream of a file, its parts put together, and whether a JPEG can be made of it again (ISO/IEC 18181-2 9)."""
    if data.startswith(_CODESTREAM):
        return data, False
    if not data.startswith(_CONTAINER):
        raise QuarantineError("a damaged JPEG XL picture: it does not begin as one")
    parts, of_jpeg, position = b"", False, 0
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        start = position + (16 if length == 1 else 8)
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        end = position + length if length else len(data)
        if end < start or end > len(data):
            break
        if kind in (b"jxlc", b"jxlp"):
            parts += data[start + (4 if kind == b"jxlp" else 0) : end]
        of_jpeg = of_jpeg or kind == b"jbrd"
        position = end
    if not parts.startswith(_CODESTREAM):
        raise QuarantineError("a truncated or damaged JPEG XL picture: it has no codestream")
    return parts, of_jpeg


class _Bits:
    """Fields of a codestream, least significant bit first (Annex B.2)."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data[:256], "little")
        self._left = 8 * min(len(data), 256)

    def take(self, count: int) -> int:
        """An unsigned number of `count` bits; raises `QuarantineError` behind the end."""
        if count > self._left:
            raise QuarantineError("a truncated JPEG XL picture: its header is cut short")
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        self._left -= count
        return value

    def chosen(self, *ways: tuple[int, int]) -> int:
        """U32 of B.2.2: two bits choose among four (base, further bits)."""
        base, further = ways[self.take(2)]
        return base + self.take(further)

    def to_byte(self) -> None:
        """Steps to the next whole byte."""
        self.take(self._left % 8)


def _header(bits: _Bits) -> _Header:
    """SizeHeader, ImageMetadata and the first frame's coding; raises `ReviewError` for more than one still opaque picture."""
    rows, columns = _size(bits)
    if bits.take(1):  # all default: 8 bits, sRGB, in XYB
        return _Header(rows, columns, 8, False, False, 1)
    has_extra_fields = bool(bits.take(1))
    orientation = _orientation(bits) if has_extra_fields else 1
    if bits.take(1):
        raise ReviewError("a JPEG XL picture of floating-point numbers is not wrapped yet")
    depth = bits.chosen((8, 0), (10, 0), (12, 0), (1, 6))
    bits.take(1)  # modular 16-bit buffers
    if bits.chosen((0, 0), (1, 0), (2, 4), (1, 12)):
        raise ReviewError("a JPEG XL picture with transparency or further channels is not wrapped yet")
    is_xyb = bool(bits.take(1))
    is_gray, has_profile = _colours(bits)
    if is_xyb or has_profile:
        return _Header(rows, columns, depth, is_gray, False if is_xyb else None, orientation)
    return _Header(rows, columns, depth, is_gray, _is_modular(bits, has_extra_fields), orientation)


def _size(bits: _Bits) -> tuple[int, int]:
    """(rows, columns) of a SizeHeader (D.3.1)."""

    def side(small: int) -> int:
        return 8 * (1 + bits.take(5)) if small else bits.chosen((1, 9), (1, 13), (1, 18), (1, 30))

    small = bits.take(1)
    rows = side(small)
    ratio = _RATIOS.get(bits.take(3))
    return rows, rows * ratio[0] // ratio[1] if ratio else side(small)


def _orientation(bits: _Bits) -> int:
    """The orientation among the extra fields (D.3); the numbers are those of Exif."""
    orientation = 1 + bits.take(3)
    if bits.take(1):
        _size(bits)  # intrinsic size
    if bits.take(2):
        raise ReviewError("a JPEG XL picture with a preview, or an animation, is not wrapped yet")
    return orientation


def _colours(bits: _Bits) -> tuple[bool, bool]:
    """(gray, with a profile) of a ColourEncoding (E.2), which is read to its end."""
    if bits.take(1):  # all default: sRGB
        return False, False
    has_profile = bool(bits.take(1))
    space = _enumerated(bits)
    if space not in (_COLOUR, _GRAY):
        raise ReviewError("a JPEG XL picture in another colour space than gray or RGB is not wrapped yet")
    if not has_profile:
        if _enumerated(bits) == _CUSTOM:  # white point
            _chromaticity(bits)
        if space == _COLOUR and _enumerated(bits) == _CUSTOM:  # primaries
            for _ in range(3):
                _chromaticity(bits)
        if bits.take(1):
            bits.take(24)  # gamma
        else:
            _enumerated(bits)  # transfer function
        _enumerated(bits)  # rendering intent
    return space == _GRAY, has_profile


def _enumerated(bits: _Bits) -> int:
    return bits.chosen((0, 0), (1, 0), (2, 4), (18, 6))


def _chromaticity(bits: _Bits) -> None:
    for _ in range(2):
        bits.chosen((0, 19), (524288, 19), (1048576, 20), (2097152, 21))


def _is_modular(bits: _Bits, has_extra_fields: bool) -> bool | None:
    """Whether the first frame is modular (F.2), from behind the colours on; `None` where rare fields stand before it."""
    if has_extra_fields and not bits.take(1):  # tone mapping
        return None
    if bits.take(2) or not bits.take(1):  # extensions; transform data that are not the default
        return None
    bits.to_byte()
    return not bits.take(1) and bool(bits.take(3) >> 2)
