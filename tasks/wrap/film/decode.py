"""A scan as an array, decoded once, with what its file declares: bits, photometric interpretation, resolution, time of scanning.

Bits Stored comes from the file's declaration (TIFF BitsPerSample and MaxSampleValue, PNG sBIT), never from the largest pixel.
A JPEG keeps its entropy-coded data: application segments but APP14, comments and what follows EOI are cut (they carry names).
"""

import io
import struct
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGExtended12Bit

from tasks.errors import QuarantineError, ReviewError

MOST_PIXELS = 500_000_000
PLAUSIBLE_DPI = (50.0, 2400.0)


@dataclass(frozen=True)
class DecodedFilm:
    """Pixels (rows x columns, or rows x columns x 3; uint8 or uint16) and what the file says of them.

    `codestream` and its `transfer_syntax` are set where the source's own compressed data is kept. `scanned_at` is
    YYYYMMDDHHMMSS. `ratio` is the lossy compression's.
    """

    pixels: NDArray[Any]
    bits_stored: int
    photometric: str
    dpi: float | None = None
    scanned_at: str | None = None
    codestream: bytes | None = None
    transfer_syntax: UID | None = None
    ratio: float | None = None


def decode(data: bytes, media_type: str, page: int) -> DecodedFilm:
    """Decodes one page; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    match media_type:
        case "image/tiff":
            return _tiff(data, page)
        case "image/png":
            return _png(data)
        case "image/jpeg":
            return _jpeg(data)
    raise ReviewError(f"{media_type} is not converted yet")


def _check_size(rows: int, columns: int) -> None:
    if rows < 1 or columns < 1 or rows > 65535 or columns > 65535 or rows * columns > MOST_PIXELS:
        raise QuarantineError(f"a picture of {rows} x {columns} pixels is none that can be wrapped")


def _tiff(data: bytes, number: int) -> DecodedFilm:
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages[number - 1]
            if page.bitspersample not in (8, 10, 12, 16) or page.dtype is None or page.dtype.kind != "u":
                raise ReviewError(f"a TIFF of {page.bitspersample} bits a sample is not wrapped yet")
            _check_size(page.imagelength, page.imagewidth)
            ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
            if not ends or max(ends) > len(data):
                raise QuarantineError("a truncated TIFF: its image data end before they should")
            photometric = {0: "MONOCHROME1", 1: "MONOCHROME2", 2: "RGB"}.get(int(page.photometric))
            if photometric is None or page.samplesperpixel not in (1, 3) or page.compression in (6, 7):
                raise ReviewError("a TIFF with palette, alpha, CMYK or JPEG inside is not wrapped yet")
            pixels = page.asarray()
            tags = {tag.name: tag.value for tag in page.tags}
    except (QuarantineError, ReviewError):
        raise
    except Exception as error:  # tifffile and its codecs raise whatever they like on damaged files
        raise QuarantineError(f"a damaged TIFF ({type(error).__name__})") from error
    if page.samplesperpixel == 3 and int(page.planarconfig) == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim != (2 if page.samplesperpixel == 1 else 3):
        raise ReviewError("a TIFF of more dimensions than a picture has")
    bits = page.bitspersample
    declared = tags.get("MaxSampleValue")
    if isinstance(declared, int) and 1 < declared.bit_length() < bits and bits == 16:
        bits = declared.bit_length()
    if bits < 16 and pixels.max(initial=0) >> bits:
        raise QuarantineError(f"pixels exceed the {bits} bits that the file declares")
    return DecodedFilm(pixels, bits, photometric, _tiff_dpi(tags), _tiff_time(tags.get("DateTime")))


def _tiff_dpi(tags: dict[str, Any]) -> float | None:
    value, unit = tags.get("XResolution"), int(tags.get("ResolutionUnit") or 2)
    if not value or not value[1] or unit == 1:
        return None
    return float(value[0] / value[1] * (2.54 if unit == 3 else 1.0))


def _tiff_time(value: Any) -> str | None:
    digits = "".join(c for c in str(value or "") if c.isdigit())
    return digits if len(digits) == 14 and digits[:4] > "1950" else None


def _png(data: bytes) -> DecodedFilm:
    if len(data) < 33 or data[12:16] != b"IHDR" or b"IEND" not in data[-12:]:
        raise QuarantineError("a truncated PNG")
    columns, rows, depth, colour = struct.unpack(">IIBB", data[16:26])
    _check_size(rows, columns)
    if colour not in (0, 2) or depth not in (8, 16):
        raise ReviewError(f"a PNG of {depth} bits and colour type {colour} is not wrapped yet")
    try:
        pixels = imagecodecs.png_decode(data)
    except Exception as error:  # libpng's messages
        raise QuarantineError("a damaged PNG") from error
    significant = _chunk(data, b"sBIT")
    bits = significant[0] if significant and depth == 16 and 8 < significant[0] <= 16 else depth
    if bits < depth and pixels.max(initial=0) >> bits:  # PNG scales samples up to their container (PNG 11.3.2.4)
        bits = depth
    resolution = _chunk(data, b"pHYs")
    dpi = struct.unpack(">I", resolution[:4])[0] * 0.0254 if resolution and resolution[8] == 1 else None
    return DecodedFilm(pixels, bits, "RGB" if colour == 2 else "MONOCHROME2", dpi)


def _chunk(data: bytes, name: bytes) -> bytes | None:
    position = 8
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind == name:
            return data[position + 8 : position + 8 + length]
        if kind == b"IDAT":
            return None
        position += 12 + length
    return None


def _jpeg(data: bytes) -> DecodedFilm:
    kept, frame, dpi, adobe = _segments(data)
    marker, bits, rows, columns, components = frame
    _check_size(rows, columns)
    if marker not in (0xC0, 0xC1) or bits != 8 or len(components) not in (1, 3):
        raise ReviewError("a progressive, lossless, arithmetic, 12-bit or CMYK JPEG is not wrapped yet")
    try:
        pixels = imagecodecs.jpeg_decode(kept)
    except Exception as error:  # libjpeg's messages
        raise QuarantineError("a damaged JPEG") from error
    if pixels.shape[:2] != (rows, columns):
        raise QuarantineError("a JPEG whose picture is not of the size its header says")
    syntax = JPEGBaseline8Bit if marker == 0xC0 else JPEGExtended12Bit
    ratio = rows * columns * len(components) / max(len(kept), 1)
    return DecodedFilm(pixels, 8, _jpeg_photometric(components, adobe), dpi, None, kept, syntax, ratio)


def _jpeg_photometric(components: list[tuple[int, int]], adobe: int | None) -> str:
    if len(components) == 1:
        return "MONOCHROME2"
    if adobe == 0 or (adobe is None and [c[0] for c in components] == [82, 71, 66]):
        return "RGB"
    return "YBR_FULL_422" if components[0][1] == 0x21 else "YBR_FULL"


Frame = tuple[int, int, int, int, list[tuple[int, int]]]


def _segments(data: bytes) -> tuple[bytes, Frame, float | None, int | None]:
    """(stream without names and second pictures, (SOF marker, bits, rows, columns, (id, sampling)...), dpi, APP14 transform)."""
    kept, position, frame, dpi, adobe = bytearray(b"\xff\xd8"), 2, None, None, None
    while position + 4 <= len(data):
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position : position + 2 + length]
        body = segment[4:]
        if data[position] != 0xFF or len(segment) < 2 + length:
            break
        position += 2 + length
        if marker == 0xE0 and body[:5] == b"JFIF\x00" and body[7] in (1, 2):
            density = int.from_bytes(body[8:10], "big")
            dpi = density * (2.54 if body[7] == 2 else 1.0)
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and frame is None and len(body) >= 6:
            specs = [(body[6 + 3 * i], body[7 + 3 * i]) for i in range(body[5])]
            frame = (marker, body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), specs)
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE:
            kept += segment
        if marker == 0xDA:
            end = _end_of_image(data, position)
            if frame is None or end is None:
                break
            return bytes(kept + data[position:end]), frame, dpi, adobe
    raise QuarantineError("a truncated or damaged JPEG: no end of image")


def _end_of_image(data: bytes, position: int) -> int | None:
    """The byte after the first EOI that follows the entropy-coded data, scans and their tables included."""
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        if data[position + 1] == 0xD9:
            return position + 2
        position += 1 if data[position + 1] == 0xFF else 2
    return None
