"""PNG scans (W3C PNG, third edition): gray of 1 to 16 bits, colour of 8 bits."""

import struct
import zlib

import imagecodecs
import numpy as np

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_shape, check_size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _COLOUR = 0, 2
_EXPANDED_BY = {1: 255, 2: 85, 4: 17}  # libpng spreads fewer than 8 bits over a byte; this takes them back


def decode_png(data: bytes) -> DecodedFilm:
    """Decodes a PNG; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    chunks = _chunks(data)
    if len(chunks.get(b"IHDR", b"")) != 13 or b"IDAT" not in chunks:
        raise QuarantineError("a damaged PNG: it has no picture")
    columns, rows, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    check_size(rows, columns)
    if b"tRNS" in chunks or (colour, depth) not in {(_COLOUR, 8), *((_GRAY, bits) for bits in (1, 2, 4, 8, 16))}:
        raise ReviewError(f"a PNG of {depth} bits and colour type {colour}, or with transparency, is not wrapped yet")
    try:
        pixels = imagecodecs.png_decode(data)
    except Exception as error:  # libpng's messages
        raise QuarantineError("a damaged PNG") from error
    check_shape(pixels, rows, columns, 3 if colour == _COLOUR else 1, "PNG")
    if depth in _EXPANDED_BY:
        pixels = pixels // np.uint8(_EXPANDED_BY[depth])
    bits = depth if colour == _COLOUR else _bits_stored(depth, chunks.get(b"sBIT", b""), int(pixels.max(initial=0)))
    return DecodedFilm(pixels, bits, "RGB" if colour == _COLOUR else "MONOCHROME2", dpi=_dpi(chunks.get(b"pHYs", b"")))


def _bits_stored(depth: int, significant: bytes, largest: int) -> int:
    """Bits Stored as declared: the depth, or sBIT where no pixel is above it.

    PNG has samples of fewer bits scaled up to the depth (section 11.3.2.4), many scanners write them as they are: values stay
    untouched either way, and only in the second case do they fit.
    """
    bits = significant[0] if len(significant) == 1 else depth
    return bits if depth == 16 and 8 <= bits < depth and largest < 2**bits else depth


def _dpi(physical: bytes) -> tuple[float, float] | None:
    """(down, across) of pHYs, which is in pixels a metre, across first; `None` where it is only an aspect ratio."""
    if len(physical) != 9 or physical[8] != 1:
        return None
    across, down = struct.unpack(">II", physical[:8])
    return (down * 0.0254, across * 0.0254) if across and down else None


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """First chunk of each type up to IEND; raises `QuarantineError` where one is cut off or its CRC-32 is wrong."""
    if not data.startswith(_SIGNATURE):
        raise QuarantineError("a damaged PNG: it does not begin as one")
    view, position, chunks = memoryview(data), len(_SIGNATURE), dict[bytes, bytes]()
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        kind = bytes(view[position + 4 : position + 8])
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise QuarantineError("a damaged PNG: a checksum is wrong")
        chunks.setdefault(kind, b"" if kind == b"IDAT" else bytes(view[position + 8 : end - 4]))
        if kind == b"IEND":
            return chunks
        position = end
    raise QuarantineError("a truncated PNG: its end is missing")
