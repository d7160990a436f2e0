"""TIFF scans (TIFF 6.0), one page: 1 to 16 bits of gray, 8 bits of colour, lossless compression."""

import io
import logging
from datetime import datetime
from typing import Any

import numpy as np
import tifffile

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_size

# Its warnings quote tags, which may hold a patient's name; what matters of them is raised here.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

# None, CCITT, LZW, deflate, PackBits, LZMA, Zstandard: what gives back the scanner's pixels.
_LOSSLESS = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000})
_PHOTOMETRIC = {0: "MONOCHROME1", 1: "MONOCHROME2", 2: "RGB"}
_BITS = (1, 2, 4, 8, 10, 12, 14, 16)
# Orientation (274): mirror left to right first, then this clockwise turn.
_ORIENTATION = {2: (0, True), 3: (180, False), 4: (180, True), 5: (270, True), 6: (90, False), 7: (90, True), 8: (270, False)}


def decode_tiff(data: bytes, number: int) -> DecodedFilm:
    """Decodes page `number` (from 1); raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages[number - 1]
            _check(page, len(data))
            pixels = page.asarray()
            tags = {tag.name: tag.value for tag in page.tags}
    except (QuarantineError, ReviewError):
        raise
    except Exception as error:  # tifffile and its codecs raise whatever they like on damaged files
        raise QuarantineError(f"a damaged TIFF ({type(error).__name__})") from error
    if page.samplesperpixel == 3 and int(page.planarconfig) == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.shape != (page.imagelength, page.imagewidth) + ((3,) if page.samplesperpixel == 3 else ()):
        raise ReviewError("a TIFF of more dimensions than a picture has")
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    turn, mirrored = _ORIENTATION.get(_integer(tags.get("Orientation")), (None, None))
    return DecodedFilm(
        np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("=")),
        _bits_stored(page.bitspersample, tags.get("MaxSampleValue"), int(pixels.max(initial=0))),
        _PHOTOMETRIC[int(page.photometric)],
        dpi=_dpi(tags),
        scanned_at=_time(tags.get("DateTime")),
        turn=turn,
        mirrored=mirrored,
    )


def _check(page: Any, size: int) -> None:
    """Refuses a page before it is decoded."""
    check_size(page.imagelength, page.imagewidth)
    if page.compression not in _LOSSLESS:
        raise ReviewError("a TIFF with lossy or unknown compression inside is not wrapped yet")
    if int(page.photometric) not in _PHOTOMETRIC or page.samplesperpixel not in (1, 3) or page.extrasamples:
        raise ReviewError("a TIFF with palette, alpha, CMYK or another colour space is not wrapped yet")
    if (page.samplesperpixel == 3) != (int(page.photometric) == 2):
        raise QuarantineError("a TIFF that contradicts itself: samples and colour space do not fit")
    if page.bitspersample not in ((8,) if page.samplesperpixel == 3 else _BITS) or int(page.sampleformat) != 1:
        raise ReviewError(
            f"a TIFF of {page.samplesperpixel} x {page.bitspersample} bits or of another number format is not wrapped yet"
        )
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not segments or any(count < 1 or start < 8 or start + count > size for start, count in segments):
        raise QuarantineError("a truncated TIFF: its image data end before they should")
    wanted = page.imagelength * ((page.imagewidth * page.bitspersample + 7) // 8) * page.samplesperpixel
    if page.compression == 1 and sum(page.databytecounts) < wanted:
        raise QuarantineError("a truncated TIFF: fewer bytes than its picture has")


def _bits_stored(container: int, declared: Any, largest: int) -> int:
    """Bits Stored as declared: BitsPerSample, or fewer where MaxSampleValue (281) is the largest value of fewer bits.

    MaxSampleValue may be a mere statistic (TIFF 6.0 page 37), so only 255, 1023, 4095... count, and only if no pixel is above.
    """
    if isinstance(declared, int) and container == 16 and largest <= declared:
        bits = declared.bit_length()
        if 8 <= bits < container and declared == 2**bits - 1:
            return bits
    return container


def _integer(value: Any) -> int:
    return int(value) if isinstance(value, int) else 0


def _dpi(tags: dict[str, Any]) -> tuple[float, float] | None:
    """(down, across) in dots per inch; `None` without a unit of length (ResolutionUnit 1)."""
    unit = _integer(tags.get("ResolutionUnit", 2))
    found = []
    for name in ("YResolution", "XResolution"):
        value = tags.get(name)
        if not isinstance(value, tuple) or len(value) != 2 or not value[1] or not value[0] or unit not in (2, 3):
            return None
        found.append(value[0] / value[1] * (2.54 if unit == 3 else 1.0))
    return found[0], found[1]


def _time(value: Any) -> str | None:
    """YYYYMMDDHHMMSS of the DateTime tag (306), `YYYY:MM:DD HH:MM:SS`; `None` where it is no date of a scanner's time."""
    try:
        moment = datetime.strptime(str(value).strip("\x00 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    return moment.strftime("%Y%m%d%H%M%S") if moment.year >= 1980 else None
