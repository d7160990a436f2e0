"""JPEG scans (ITU-T T.81): baseline and extended keep their entropy-coded data; others are decoded to be coded losslessly.

Application segments but APP14 (which says what the colours are), comments and what follows the end of the image are cut: they
carry names and second pictures.
"""

from dataclasses import dataclass

import imagecodecs
import numpy as np
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGExtended12Bit

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_shape, check_size

_SOF0, _SOF1, _SOF2, _SOF9, _SOF10 = 0xC0, 0xC1, 0xC2, 0xC9, 0xCA
_KEPT: dict[int, UID] = {_SOF0: JPEGBaseline8Bit, _SOF1: JPEGExtended12Bit}
_DECODED = frozenset({_SOF2, _SOF9, _SOF10})
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG, DAC
_APP0, _APP14, _APP15, _COM, _SOS, _EOI = 0xE0, 0xEE, 0xEF, 0xFE, 0xDA, 0xD9


@dataclass(frozen=True)
class _Frame:
    """The frame header (T.81 B.2.2); `components` are the identifiers of the colour components."""

    marker: int
    bits: int
    rows: int
    columns: int
    components: bytes


@dataclass(frozen=True)
class _Stream:
    """A JPEG stream without what is not kept, and what its segments said."""

    kept: bytes
    frame: _Frame
    dpi: tuple[float, float] | None
    adobe: int | None


def decode_jpeg(data: bytes) -> DecodedFilm:
    """Decodes a JPEG; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    stream = _stream(data)
    frame = stream.frame
    check_size(frame.rows, frame.columns)
    if frame.marker not in _KEPT.keys() | _DECODED or frame.bits != 8 or len(frame.components) not in (1, 3):
        raise ReviewError("a lossless, hierarchical, 12-bit or CMYK JPEG is not wrapped yet")
    try:
        pixels = imagecodecs.jpeg_decode(stream.kept)
        # Without its segments a colour stream must not be taken for one of other colours.
        same = len(frame.components) == 1 or np.array_equal(pixels, imagecodecs.jpeg_decode(data))
    except Exception as error:  # libjpeg's messages
        raise QuarantineError("a damaged JPEG") from error
    check_shape(pixels, frame.rows, frame.columns, len(frame.components), "JPEG")
    if not same:
        raise ReviewError("a JPEG whose colours only its application segments tell is not wrapped yet")
    ratio = pixels.size / len(stream.kept)
    if frame.marker in _DECODED:
        photometric = "RGB" if len(frame.components) == 3 else "MONOCHROME2"
        return DecodedFilm(pixels, 8, photometric, dpi=stream.dpi, ratio=ratio)
    return DecodedFilm(
        pixels,
        8,
        _photometric(frame, stream.adobe),
        dpi=stream.dpi,
        codestream=stream.kept,
        transfer_syntax=_KEPT[frame.marker],
        ratio=ratio,
    )


def _photometric(frame: _Frame, adobe: int | None) -> str:
    """Photometric Interpretation of the codestream, told as libjpeg tells it.

    Of the luminance and chrominance ones, PS3.5 8.2.1 allows only YBR_FULL_422 with JPEG, whatever the stream's subsampling is.
    """
    if len(frame.components) == 1:
        return "MONOCHROME2"
    return "RGB" if adobe == 0 or (adobe is None and frame.components == b"RGB") else "YBR_FULL_422"


def _stream(data: bytes) -> _Stream:
    """Walks the segments up to the first scan; raises `QuarantineError` where they or the end of the image are missing."""
    kept, position = bytearray(b"\xff\xd8"), 2
    frame: _Frame | None = None
    dpi: tuple[float, float] | None = None
    adobe: int | None = None
    while position + 4 <= len(data) and data[position] == 0xFF:
        if data[position + 1] == 0xFF:  # fill byte
            position += 1
            continue
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position : position + 2 + length]
        body = segment[4:]
        if length < 2 or len(segment) < 2 + length:
            break
        position += 2 + length
        if marker == _APP0 and dpi is None:
            dpi = _density(body)
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            frame = _frame(marker, body)
        if not (_APP0 <= marker <= _APP15 or marker == _COM) or marker == _APP14:
            kept += segment
        if marker == _SOS:
            end = _end_of_image(data, position)
            if frame is None or end is None:
                break
            return _Stream(bytes(kept) + data[position:end], frame, dpi, adobe)
    raise QuarantineError("a truncated or damaged JPEG: no end of image")


def _frame(marker: int, body: bytes) -> _Frame:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise QuarantineError("a damaged JPEG: its frame header is too short")
    components = body[6 : 6 + 3 * body[5] : 3]
    return _Frame(marker, body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), components)


def _density(body: bytes) -> tuple[float, float] | None:
    """(down, across) in dots per inch of a JFIF segment (ITU-T T.871 10.1); `None` where it is only an aspect ratio."""
    if body[:5] != b"JFIF\x00" or len(body) < 12 or body[7] not in (1, 2):
        return None
    scale = 2.54 if body[7] == 2 else 1.0
    across, down = int.from_bytes(body[8:10], "big") * scale, int.from_bytes(body[10:12], "big") * scale
    return (down, across) if down and across else None


def _end_of_image(data: bytes, position: int) -> int | None:
    """The byte after the end-of-image marker that closes the scans from `position` on; other segments are stepped over."""
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 1:
        marker = data[position + 1]
        if marker == _EOI:
            return position + 2
        if marker == 0xFF:
            position += 1
        elif marker == 0 or 0xD0 <= marker <= 0xD7:  # a stuffed byte, a restart marker
            position += 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None
