"""A scan as an array, decoded once, with what its file declares: bits, photometric interpretation, resolution, time.

Bits Stored comes from the file's declaration (TIFF BitsPerSample and MaxSampleValue, PNG sBIT), never from the largest pixel.
"""

from tasks.errors import ReviewError
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.jpeg import decode_jpeg
from tasks.wrap.film.png import decode_png
from tasks.wrap.film.tiff import decode_tiff


def decode(data: bytes, media_type: str, page: int) -> DecodedFilm:
    """Decodes one page; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    match media_type:
        case "image/tiff":
            return decode_tiff(data, page)
        case "image/png":
            return decode_png(data)
        case "image/jpeg":
            return decode_jpeg(data)
    raise ReviewError(f"{media_type} is not converted yet")
