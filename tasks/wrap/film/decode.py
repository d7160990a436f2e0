"""A scan as an array, decoded once, with what its file declares: bits, photometric interpretation, resolution, time.

Bits Stored comes from the file's declaration (TIFF BitsPerSample and MaxSampleValue, PNG sBIT), never from the largest pixel.
"""

from collections.abc import Callable

from tasks.configuration import RAW_FILM, RawFilm
from tasks.errors import ReviewError
from tasks.wrap.film.bitmap import decode_bitmap
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.jpeg import decode_jpeg
from tasks.wrap.film.jpeg2000 import decode_jpeg2000
from tasks.wrap.film.jpeg_ls import decode_jpeg_ls
from tasks.wrap.film.jpeg_xl import decode_jpeg_xl
from tasks.wrap.film.pdf import decode_pdf
from tasks.wrap.film.png import decode_png
from tasks.wrap.film.portable import decode_portable
from tasks.wrap.film.raw import decode_raw
from tasks.wrap.film.tiff import decode_tiff
from tasks.wrap.film.webp import decode_webp

_OF_PAGES: dict[str, Callable[[bytes, int], DecodedFilm]] = {"image/tiff": decode_tiff, "application/pdf": decode_pdf}
_OF_ONE_PICTURE: dict[str, Callable[[bytes], DecodedFilm]] = {
    "image/png": decode_png,
    "image/jpeg": decode_jpeg,
    "image/jls": decode_jpeg_ls,
    "image/jp2": decode_jpeg2000,
    "image/j2c": decode_jpeg2000,
    "image/jxl": decode_jpeg_xl,
    "image/bmp": decode_bitmap,
    "image/webp": decode_webp,
    "image/x-portable-anymap": decode_portable,
}


def decode(data: bytes, media_type: str, page: int, raw: RawFilm | None = None) -> DecodedFilm:
    """Decodes one page; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet.

    `raw` describes a file without a format, of the media type `application/x-raw-film`.
    """
    if media_type == RAW_FILM:
        return decode_raw(data, raw)
    if media_type in _OF_PAGES:
        return _OF_PAGES[media_type](data, page)
    if media_type not in _OF_ONE_PICTURE:
        raise ReviewError(f"{media_type} is not converted yet")
    return _OF_ONE_PICTURE[media_type](data)
