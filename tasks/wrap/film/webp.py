"""WebP scans (RFC 9649), still pictures without transparency; those coded as VP8 are marked as lossy, by a
method that has no defined term.
"""

import imagecodecs
import numpy as np

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_size

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
    try:
        pixels = imagecodecs.webp_decode(data)
    except Exception as error:  # libwebp's messages
        raise QuarantineError("a damaged or truncated WebP") from error
    check_size(*pixels.shape[:2])
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise QuarantineError("a WebP whose picture is not in colour")
    if pixels.shape[2] == 4:
        if has_alpha and bool((pixels[:, :, 3] != 255).any()):
            raise ReviewError("a WebP with transparency is not wrapped yet")
        pixels = pixels[:, :, :3]
    lossy = chunks.get(b"VP8 ")
    ratio = pixels.size / len(lossy) if lossy else None
    return DecodedFilm(np.ascontiguousarray(pixels), 8, "RGB", ratio=ratio, method=None)


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
