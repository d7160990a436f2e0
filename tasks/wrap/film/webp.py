"""WebP scans (RFC 9649), still pictures without transparency; those coded as VP8 are marked as lossy, by a
method that has no defined term.
"""

import struct

import imagecodecs
import numpy as np

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.channels import OPAQUE_ALPHA, without_alpha
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_size
from tasks.wrap.film.exif import read_exif

_ANIMATION, _ALPHA = 0x02, 0x10  # flags of the VP8X chunk


def decode_webp(data: bytes) -> DecodedFilm:
    """Decodes a WebP; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet.

    WebP knows only colour; a gray film in it stays colour.
    """
    chunks = _chunks(data)
    flags = chunks.get(b"VP8X", b"\x00")[:1]
    lossless = chunks.get(b"VP8L", b"")
    has_alpha = bool(flags and flags[0] & _ALPHA) or (len(lossless) >= 5 and bool(lossless[4] & 0x10))
    if flags and flags[0] & _ANIMATION:
        raise ReviewError("an animated WebP is not wrapped yet")
    rows, columns = _size(chunks)
    check_size(rows, columns)
    check_growth(rows * columns * 3, len(data))
    try:
        pixels = imagecodecs.webp_decode(data)
    except Exception as error:  # libwebp's messages
        raise QuarantineError("a damaged or truncated WebP") from error
    if pixels.shape[:2] != (rows, columns) or pixels.shape[2:] not in ((3,), (4,)):
        raise QuarantineError("a WebP whose picture is not of the size its header says, or not in colour")
    if pixels.shape[2] == 4:
        pixels = without_alpha(pixels, "WebP") if has_alpha else pixels[:, :, :3]
    lossy = chunks.get(b"VP8 ")
    ratio = pixels.size / len(lossy) if lossy else None
    exif = read_exif(chunks.get(b"EXIF", b"").removeprefix(b"Exif\x00\x00"))
    return DecodedFilm(
        np.ascontiguousarray(pixels),
        8,
        "RGB",
        dpi=exif.dpi,
        ratio=ratio,
        method=None,
        turn=exif.turn,
        mirrored=exif.mirrored,
        left_out=(OPAQUE_ALPHA,) if has_alpha else (),
    )


def _size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    """(rows, columns) of the picture: VP8 (RFC 6386 9.1) or VP8L (RFC 9649 3.4)."""
    if b"VP8 " in chunks and len(chunks[b"VP8 "]) >= 10:
        columns, rows = struct.unpack("<HH", chunks[b"VP8 "][6:10])
        return rows & 0x3FFF, columns & 0x3FFF
    if len(chunks.get(b"VP8L", b"")) >= 5:
        packed = int.from_bytes(chunks[b"VP8L"][1:5], "little")
        return (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1
    raise QuarantineError("a damaged WebP: its header is cut short")


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of the RIFF container, the first of each kind."""
    position, chunks = 12, dict[bytes, bytes]()
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        if position + 8 + length > len(data):
            raise QuarantineError("a truncated WebP: its end is missing")
        chunks.setdefault(data[position : position + 4], data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    if not chunks.keys() & {b"VP8 ", b"VP8L"}:
        raise QuarantineError("a damaged WebP: it has no picture")
    return chunks
