"""JPEG 2000 scans (ITU-T T.800), as JP2 files or bare codestreams: gray of 1 to 16 bits, colour of 8 bits.

What was coded with the irreversible transform is marked as lossy. (A reversible stream may have been cut to fewer bytes:
nothing in it tells.)
"""

import imagecodecs
import numpy as np

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_shape, check_size

_SOC_SIZ = b"\xff\x4f\xff\x51"
_COD, _SOT = 0x52, 0x90
_PALETTE = b"pclr"
_SRGB, _GRAY = 16, 17  # enumerated colour spaces (T.800 I.5.3.3)
_COLOUR_SPACES = {1: frozenset({_GRAY}), 3: frozenset({_SRGB})}
_INCH = 0.0254  # metres


def decode_jpeg2000(data: bytes) -> DecodedFilm:
    """Decodes a JP2 or codestream; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    start = data.find(_SOC_SIZ)
    if start < 0 or len(data) < start + 46:
        raise QuarantineError("a truncated or damaged JPEG 2000 picture: it has no codestream")
    size = data[start + 4 : start + 4 + int.from_bytes(data[start + 4 : start + 6], "big")]
    right, bottom, left, top = (int.from_bytes(size[4 + 4 * i : 8 + 4 * i], "big") for i in range(4))
    components = int.from_bytes(size[36:38], "big")
    described = {size[38 + 3 * i : 41 + 3 * i] for i in range(components)}
    if len(size) < 38 + 3 * components or not components:
        raise QuarantineError("a damaged JPEG 2000 picture: its header is cut short")
    rows, columns = bottom - top, right - left
    check_size(rows, columns)
    depth, *step = described.pop()
    bits = (depth & 0x7F) + 1
    if described or step != [1, 1] or depth & 0x80 or bits > 16 or components not in (1, 3) or (components == 3 and bits != 8):
        raise ReviewError("a JPEG 2000 picture with signed, sub-sampled or unequal components is not wrapped yet")
    if _PALETTE in data[:start] or not _COLOUR_SPACES[components].issuperset(_colour_spaces(data[:start])):
        raise ReviewError(
            "a JPEG 2000 picture with a palette, or in another colour space than gray or sRGB, is not wrapped yet"
        )
    check_growth(rows * columns * components * ((bits + 7) // 8), len(data) - start)
    try:
        pixels = imagecodecs.jpeg2k_decode(data)
    except Exception as error:  # OpenJPEG's messages
        raise QuarantineError("a damaged or truncated JPEG 2000 picture") from error
    check_shape(pixels, rows, columns, components, "JPEG 2000")
    lossy = _is_irreversible(data, start + 4 + len(size))
    return DecodedFilm(
        np.ascontiguousarray(pixels),
        bits,
        "RGB" if components == 3 else "MONOCHROME2",
        dpi=_dpi(data[:start]),
        ratio=pixels.size * ((bits + 7) // 8) / (len(data) - start) if lossy else None,
        method="ISO_15444_1",
    )


def _colour_spaces(boxes: bytes) -> list[int]:
    """The colour spaces that colour specification boxes name; -1 for a profile. None in a bare codestream."""
    found, at = [], -1
    while (at := boxes.find(b"colr", at + 1)) >= 0:
        found.append(int.from_bytes(boxes[at + 7 : at + 11], "big") if boxes[at + 4 : at + 5] == b"\x01" else -1)
    return found


def _is_irreversible(data: bytes, position: int) -> bool:
    """Whether the main header's coding style (T.800 A.6.1) names the 9-7 irreversible transform."""
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != _SOT:
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if data[position + 1] == _COD and position + 14 <= len(data):
            return data[position + 13] == 0
        position += 2 + max(length, 2)
    raise QuarantineError("a damaged JPEG 2000 picture: it does not say how it is coded")


def _dpi(boxes: bytes) -> tuple[float, float] | None:
    """(down, across) of the capture resolution box (T.800 I.5.3.7.1), in dots per inch."""
    at = boxes.find(b"resc")
    if at < 0 or len(boxes) < at + 14:
        return None
    down, down_by, across, across_by = (int.from_bytes(boxes[at + 4 + 2 * i : at + 6 + 2 * i], "big") for i in range(4))
    down_power, across_power = (int.from_bytes(boxes[at + 12 + i : at + 13 + i], "big", signed=True) for i in range(2))
    if not (down and down_by and across and across_by):
        return None
    return down / down_by * 10.0**down_power * _INCH, across / across_by * 10.0**across_power * _INCH
