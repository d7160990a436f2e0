"""PNG scans (W3C PNG, third edition): gray of 1 to 16 bits, colour of 8 bits, palettes; interlaced or not."""

import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.channels import OPAQUE_ALPHA, is_colourless, without_alpha
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_shape, check_size
from tasks.wrap.film.exif import read_exif

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _COLOUR, _PALETTE, _GRAY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_CHANNELS = {_GRAY: 1, _COLOUR: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _COLOUR_ALPHA: 4}
_TAKEN = (
    {(_GRAY, bits) for bits in (1, 2, 4, 8, 16)}
    | {(_PALETTE, bits) for bits in (1, 2, 4, 8)}
    | {(_COLOUR, 8), (_COLOUR_ALPHA, 8), (_GRAY_ALPHA, 8), (_GRAY_ALPHA, 16)}
)
_LOOKED_AT = frozenset({b"IHDR", b"tRNS", b"sBIT", b"pHYs", b"eXIf"})
_EXPANDED_BY = {1: 255, 2: 85, 4: 17}  # libpng spreads fewer than 8 bits over a byte; this takes them back


def decode_png(data: bytes) -> DecodedFilm:
    """Decodes a PNG; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet.

    A palette of grays gives grays of 8 bits, as the palette says them (of one bit where they are black and white).
    """
    chunks, stored = _chunks(data)
    if len(chunks.get(b"IHDR", b"")) != 13 or not stored:
        raise QuarantineError("a damaged PNG: it has no picture")
    columns, rows, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    check_size(rows, columns)
    if (colour, depth) not in _TAKEN or (colour != _PALETTE and b"tRNS" in chunks):
        raise ReviewError(f"a PNG of {depth} bits and colour type {colour}, or with one colour transparent, is not wrapped yet")
    check_growth(rows * ((columns * depth * _CHANNELS[colour] + 7) // 8), stored)
    exif = read_exif(chunks.get(b"eXIf", b""))
    pixels, bits, photometric = _pixels(data, rows, columns, (colour, depth), chunks.get(b"sBIT", b""))
    return DecodedFilm(
        pixels,
        bits,
        photometric,
        dpi=_dpi(chunks.get(b"pHYs", b"")) or exif.dpi,
        turn=exif.turn,
        mirrored=exif.mirrored,
        left_out=(OPAQUE_ALPHA,) if colour in (_GRAY_ALPHA, _COLOUR_ALPHA) else (),
    )


def _pixels(data: bytes, rows: int, columns: int, kind: tuple[int, int], significant: bytes) -> tuple[NDArray[Any], int, str]:
    """Pixels, Bits Stored and Photometric Interpretation of a PNG of this colour type and depth."""
    colour, depth = kind
    try:
        pixels = imagecodecs.png_decode(data)
    except Exception as error:  # libpng's messages
        raise QuarantineError("a damaged PNG") from error
    # A palette comes as the colours that it stands for, with alpha where it has any.
    channels = (1 if pixels.ndim == 2 else pixels.shape[2]) if colour == _PALETTE else _CHANNELS[colour]
    check_shape(pixels, rows, columns, channels, "PNG")
    if channels in (2, 4):
        pixels = np.ascontiguousarray(without_alpha(pixels, "PNG"))
    if colour == _PALETTE and is_colourless(pixels):
        pixels = np.ascontiguousarray(pixels[..., 0])
        is_single_bit = depth == 1 and bool(np.isin(pixels, (0, 255)).all())
        return (pixels // np.uint8(255), 1, "MONOCHROME2") if is_single_bit else (pixels, 8, "MONOCHROME2")
    if pixels.ndim == 3:
        return pixels, 8, "RGB"
    if depth in _EXPANDED_BY:
        pixels //= np.uint8(_EXPANDED_BY[depth])
    return pixels, _bits_stored(depth, significant, int(pixels.max(initial=0))), "MONOCHROME2"


def _bits_stored(depth: int, significant: bytes, largest: int) -> int:
    """Bits Stored as declared: the depth, or sBIT where no pixel is above it.

    PNG has samples of fewer bits scaled up to the depth (section 11.3.2.4), many scanners write them as they are: values stay
    untouched either way, and only in the second case do they fit.
    """
    bits = significant[0] if len(significant) in (1, 2) else depth  # the second is alpha's
    return bits if depth == 16 and 8 <= bits < depth and largest < 2**bits else depth


def _dpi(physical: bytes) -> tuple[float, float] | None:
    """(down, across) of pHYs, which is in pixels a metre, across first; `None` where it is only an aspect ratio."""
    if len(physical) != 9 or physical[8] != 1:
        return None
    across, down = struct.unpack(">II", physical[:8])
    return (down * 0.0254, across * 0.0254) if across and down else None


def _chunks(data: bytes) -> tuple[dict[bytes, bytes], int]:
    """First chunk of each type that is looked at, up to IEND, and the bytes of all IDAT.

    Raises `QuarantineError` where one is cut off or its CRC-32 is wrong.
    """
    if not data.startswith(_SIGNATURE):
        raise QuarantineError("a damaged PNG: it does not begin as one")
    view, position, chunks, stored = memoryview(data), len(_SIGNATURE), dict[bytes, bytes](), 0
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        kind = bytes(view[position + 4 : position + 8])
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise QuarantineError("a damaged PNG: a checksum is wrong")
        if kind == b"IDAT":
            stored += length
        elif kind in _LOOKED_AT:
            chunks.setdefault(kind, bytes(view[position + 8 : end - 4]))
        if kind == b"IEND":
            return chunks, stored
        position = end
    raise QuarantineError("a truncated PNG: its end is missing")
