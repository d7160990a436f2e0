"""Windows bitmaps (BMP): 1, 4 and 8 bits with a palette, 24 bits of colour; uncompressed or run-length coded."""

import io
import struct

import numpy as np
from PIL import Image

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.channels import from_palette
from tasks.wrap.film.decoded import MOST_PIXELS, DecodedFilm, check_growth, check_shape, check_size

_INCH = 0.0254  # metres
Image.MAX_IMAGE_PIXELS = MOST_PIXELS  # sizes are checked before Pillow sees the file


def decode_bitmap(data: bytes) -> DecodedFilm:
    """Decodes a BMP; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet.

    A palette of grays gives grays of 8 bits, as the palette says them (of one bit where they are black and white); any other
    gives colour.
    """
    if len(data) < 54:
        raise QuarantineError("a truncated BMP: its header is cut short")
    header = int.from_bytes(data[14:18], "little")
    columns, rows, depth = struct.unpack("<HHxxH" if header == 12 else "<iixxH", data[18 : 26 if header == 12 else 30])
    check_size(abs(rows), columns)
    if depth not in (1, 4, 8, 24):
        raise ReviewError(f"a BMP of {depth} bits is not wrapped yet")
    check_growth(abs(rows) * columns * depth // 8, len(data))
    try:
        with Image.open(io.BytesIO(data), formats=["BMP"]) as image:
            pixels = np.asarray(image, np.uint8)
            # Pillow sees by itself where a palette is black and white, or says nothing but the indices.
            palette = None if image.mode != "P" else np.asarray(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    except Exception as error:  # Pillow's messages
        raise QuarantineError("a damaged or truncated BMP") from error
    check_shape(pixels, abs(rows), columns, 3 if depth == 24 else 1, "BMP")
    across, down = struct.unpack("<ii", data[38:46]) if header >= 40 else (0, 0)
    dpi = (down * _INCH, across * _INCH) if across > 0 and down > 0 else None
    if depth == 24:
        return DecodedFilm(pixels, 8, "RGB", dpi=dpi)
    if palette is None:
        return DecodedFilm(pixels, 1 if depth == 1 else 8, "MONOCHROME2", dpi=dpi)
    return DecodedFilm(*from_palette(pixels, palette, depth), dpi=dpi)
