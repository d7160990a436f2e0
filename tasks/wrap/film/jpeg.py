"""JPEG scans (ITU-T T.81): Huffman-coded baseline, extended and lossless ones keep their entropy-coded data; others are decoded
to be coded losslessly.

Application segments but APP14 (which says what the colours are), comments and what follows the end of the image are cut: they
carry names and second pictures.
"""

from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_shape, check_size
from tasks.wrap.film.exif import Exif, read_exif

_SOF0, _SOF1, _SOF2, _SOF3, _SOF9, _SOF10 = 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA
_LOSSY_KEPT: dict[int, UID] = {_SOF0: JPEGBaseline8Bit, _SOF1: JPEGExtended12Bit}
_DECODED = frozenset({_SOF2, _SOF9, _SOF10})
_NO_FRAME = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG, DAC
_APP0, _APP1, _APP14, _APP15, _COM, _SOS, _EOI = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE, 0xDA, 0xD9
_EXIF = b"Exif\x00\x00"
_COLOUR_TRANSFORM_NONE = 0


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
    """A JPEG stream without what is not kept, and what its segments said; `scans` are the bodies of scan headers (B.2.3)."""

    kept: bytes
    frame: _Frame
    scans: tuple[bytes, ...]
    dpi: tuple[float, float] | None
    exif: Exif
    adobe: int | None
    left_out: tuple[str, ...]


def decode_jpeg(data: bytes) -> DecodedFilm:
    """Decodes a JPEG; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    stream = _stream(data)
    frame = stream.frame
    check_size(frame.rows, frame.columns)
    _check_kind(stream)
    samples = len(frame.components)
    check_growth(frame.rows * frame.columns * samples * (1 if frame.bits <= 8 else 2), len(stream.kept))
    try:
        pixels = imagecodecs.jpeg8_decode(stream.kept)
    except Exception as error:  # libjpeg's messages
        raise QuarantineError("a damaged JPEG") from error
    check_shape(pixels, frame.rows, frame.columns, samples, "JPEG")
    if samples == 3 and not _is_shown_as(data, pixels):
        raise ReviewError("a JPEG whose colours only its application segments tell is not wrapped yet")
    syntax = _transfer_syntax(stream)
    return DecodedFilm(
        pixels,
        frame.bits,
        _photometric(frame, stream.adobe) if syntax else "RGB" if samples == 3 else "MONOCHROME2",
        dpi=stream.dpi or stream.exif.dpi,
        scanned_at=stream.exif.scanned_at,
        codestream=stream.kept if syntax else None,
        transfer_syntax=syntax,
        ratio=None if frame.marker == _SOF3 else pixels.nbytes / len(stream.kept),
        turn=stream.exif.turn,
        mirrored=stream.exif.mirrored,
        left_out=stream.left_out,
    )


def _is_shown_as(data: bytes, pixels: NDArray[Any]) -> bool:
    """Whether a colour stream with all its segments shows these pixels: without them it may be taken for other colours."""
    try:
        return np.array_equal(pixels, imagecodecs.jpeg8_decode(data))
    except Exception:  # libjpeg knows no way from the colours that the segments name
        return False


def _check_kind(stream: _Stream) -> None:
    """Refuses what no object is made of; the precisions are those of T.81 table B.2."""
    frame, samples = stream.frame, len(stream.frame.components)
    is_lossless = frame.marker == _SOF3
    if frame.marker not in _LOSSY_KEPT.keys() | _DECODED and not is_lossless:
        raise ReviewError("a hierarchical or lossless arithmetic JPEG is not wrapped yet")
    if frame.bits not in (range(2, 17) if is_lossless else (8, 12)) or (frame.bits == 12 and frame.marker == _SOF0):
        raise QuarantineError(f"a damaged JPEG: {frame.bits} bits, which its process does not have")
    if samples not in (1, 3) or (samples == 3 and frame.bits != 8):
        raise ReviewError(f"a JPEG of {samples} x {frame.bits} bits, such as CMYK, is not wrapped yet")
    if is_lossless and samples == 3 and stream.adobe not in (None, _COLOUR_TRANSFORM_NONE):
        raise ReviewError("a lossless JPEG of luminance and chrominance is not wrapped yet")
    if is_lossless and any(scan[-1] & 0x0F for scan in stream.scans):
        raise ReviewError("a lossless JPEG with a point transform, which drops bits, is not wrapped yet")


def _transfer_syntax(stream: _Stream) -> UID | None:
    """The transfer syntax (PS3.5 A.4.1) of a stream whose entropy-coded data are kept; `None` where it is decoded."""
    if stream.frame.marker == _SOF3:
        return JPEGLosslessSV1 if all(scan[-3] == 1 for scan in stream.scans) else JPEGLossless
    return _LOSSY_KEPT.get(stream.frame.marker)


def _photometric(frame: _Frame, adobe: int | None) -> str:
    """Photometric Interpretation of the codestream, told as libjpeg tells it.

    Of the luminance and chrominance ones, PS3.5 8.2.1 allows only YBR_FULL_422 with lossy JPEG, whatever the stream's
    subsampling is.
    """
    if len(frame.components) == 1:
        return "MONOCHROME2"
    is_rgb = frame.marker == _SOF3 or adobe == 0 or (adobe is None and frame.components == b"RGB")
    return "RGB" if is_rgb else "YBR_FULL_422"


def _stream(data: bytes) -> _Stream:
    """Walks the segments up to the first scan; raises `QuarantineError` where they or the end of the image are missing."""
    kept, position = bytearray(b"\xff\xd8"), 2
    frame: _Frame | None = None
    dpi: tuple[float, float] | None = None
    exif, adobe, cut = Exif(), None, list[str]()
    while position + 4 <= len(data) and data[position] == 0xFF:
        if data[position + 1] == 0xFF:  # fill byte
            position += 1
            continue
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position : position + 2 + length]
        body = segment[4:]
        if length < 2 or len(segment) < 2 + length:
            break
        if marker == _SOS:
            end, scans = _scans(data, position)
            if frame is None or end is None:
                break
            if end < len(data):
                cut.append(f"{len(data) - end} bytes behind the picture")
            return _Stream(bytes(kept) + data[position:end], frame, scans, dpi, exif, adobe, tuple(cut))
        position += 2 + length
        if marker == _APP0 and dpi is None:
            dpi = _density(body)
        elif marker == _APP1 and body.startswith(_EXIF):
            exif = read_exif(body[len(_EXIF) :])
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            frame = _frame(marker, body)
        if (_APP0 <= marker <= _APP15 and marker != _APP14) or marker == _COM:
            cut.append("a comment" if marker == _COM else f"segment APP{marker - _APP0}")
        else:
            kept += segment
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


def _scans(data: bytes, position: int) -> tuple[int | None, tuple[bytes, ...]]:
    """From the first scan header on: the byte after the end-of-image marker (`None` without one), and all scan headers."""
    headers: list[bytes] = []
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 1:
        marker = data[position + 1]
        if marker == _EOI:
            return position + 2, tuple(headers)
        if marker == 0xFF:
            position += 1
        elif marker == 0 or 0xD0 <= marker <= 0xD7:  # a stuffed byte, a restart marker
            position += 2
        else:
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            if marker == _SOS:
                headers.append(data[position + 4 : position + 2 + length])
                if len(headers[-1]) < 6:
                    break
            position += 2 + length
    return None, ()


def is_lossless_jpeg(data: bytes) -> bool:
    """Whether a stream is of the lossless process (T.81 Annex H); raises `QuarantineError` on damage."""
    return _stream(data).frame.marker == _SOF3


def with_tables(tables: bytes | None, stream: bytes) -> bytes:
    """A JPEG stream whose tables lie in a stream of their own, put together (JPEGTables of TIFF Technical Note 2)."""
    return tables[:-2] + stream[2:] if tables and tables[-2:] == b"\xff\xd9" else stream
