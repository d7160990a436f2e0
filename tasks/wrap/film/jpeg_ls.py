"""JPEG-LS scans (ITU-T T.87): gray of 2 to 16 bits, colour of 8 bits; near-lossless ones are marked as lossy."""

import imagecodecs
import numpy as np

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_shape, check_size

_SOF55, _SOS = 0xF7, 0xDA
_EOI = b"\xff\xd9"


def decode_jpeg_ls(data: bytes) -> DecodedFilm:
    """Decodes a JPEG-LS stream; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    bits, rows, columns, components, near = _parameters(data)
    check_size(rows, columns)
    if components not in (1, 3) or (components == 3 and bits != 8):
        raise ReviewError(f"a JPEG-LS picture of {components} x {bits} bits is not wrapped yet")
    check_growth(rows * columns * components * ((bits + 7) // 8), len(data))
    try:
        pixels = imagecodecs.jpegls_decode(data)
    except Exception as error:  # CharLS's messages
        raise QuarantineError("a damaged or truncated JPEG-LS picture") from error
    check_shape(pixels, rows, columns, components, "JPEG-LS")
    return DecodedFilm(
        np.ascontiguousarray(pixels),
        bits,
        "RGB" if components == 3 else "MONOCHROME2",
        ratio=pixels.size * ((bits + 7) // 8) / len(data) if near else None,
        method="ISO_14495_1",
    )


def _parameters(data: bytes) -> tuple[int, int, int, int, int]:
    """(bits, rows, columns, components, NEAR) of the frame and its first scan (T.87 C.2.2 and C.2.3)."""
    position = 2
    frame: tuple[int, int, int, int] | None = None
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        if marker == _SOF55 and len(body) >= 6:
            frame = (body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5])
        if marker == _SOS and frame and len(body) >= 4:
            if data.rfind(_EOI, position) < 0:  # CharLS looks for a missing end for many seconds
                raise QuarantineError("a truncated JPEG-LS picture: no end of image")
            return *frame, body[-3]
        if length < 2:
            break
        position += 2 + length
    raise QuarantineError("a truncated or damaged JPEG-LS picture: its header is cut short")
