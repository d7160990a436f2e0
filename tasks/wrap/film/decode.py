"""A scan as an array, decoded once, with what its file declares: bits, photometric interpretation, resolution, time.

Bits Stored comes from the file's declaration (TIFF BitsPerSample and MaxSampleValue, PNG sBIT), never from the largest pixel.
"""

from tasks.errors import ReviewError
from tasks.wrap.film.bitmap import decode_bitmap
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.jpeg import decode_jpeg
from tasks.wrap.film.jpeg2000 import decode_jpeg2000
from tasks.wrap.film.jpeg_ls import decode_jpeg_ls
from tasks.wrap.film.png import decode_png
from tasks.wrap.film.portable import decode_portable
from tasks.wrap.film.tiff import decode_tiff
from tasks.wrap.film.webp import decode_webp


def decode(data: bytes, media_type: str, page: int) -> DecodedFilm:
    """Decodes one page; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    match media_type:
        case "image/tiff":
            return decode_tiff(data, page)
        case "image/png":
            return decode_png(data)
        case "image/jpeg":
            return decode_jpeg(data)
        case "image/jls":
            return decode_jpeg_ls(data)
        case "image/jp2" | "image/j2c":
            return decode_jpeg2000(data)
        case "image/bmp":
            return decode_bitmap(data)
        case "image/x-portable-anymap":
            return decode_portable(data)
        case "image/webp":
            return decode_webp(data)
    raise ReviewError(f"{media_type} is not converted yet")
