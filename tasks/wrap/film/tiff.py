"""TIFF scans (TIFF 6.0, BigTIFF), one page: 1 to 16 bits of gray, 8 bits of colour or palette, in any codec but JPEG 2000 and
JPEG of the old style.

A JPEG that holds the whole page keeps its entropy-coded data, as a JPEG file does; one in several strips or tiles is decoded.
Uncompressed pixels in the machine's byte order stay where they lie in the file's bytes: a large film costs no second array.
"""

import io
import logging
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.channels import OPAQUE_ALPHA, from_palette, without_alpha
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_size
from tasks.wrap.film.exif import resolution, time_of, turn_of
from tasks.wrap.film.jpeg import decode_jpeg, is_lossless_jpeg, with_tables

# Its warnings quote tags, which may hold a patient's name; what matters of them is raised here.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

# None, CCITT, LZW, deflate, PackBits, LZMA, Zstandard: what gives back the scanner's pixels.
_LOSSLESS = frozenset({1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000})
_JPEG = 7
_PALETTE, _YCC = 3, 6
_SAMPLES = {0: 1, 1: 1, 2: 3, _PALETTE: 1, _YCC: 3}  # by PhotometricInterpretation (262), without extra samples
_PHOTOMETRIC = {0: "MONOCHROME1", 1: "MONOCHROME2", 2: "RGB", _YCC: "RGB"}
_BITS = {1: (1, 2, 4, 8, 10, 12, 14, 16), 3: (8,)}


def decode_tiff(data: bytes, number: int) -> DecodedFilm:
    """Decodes page `number` (from 1); raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet.

    The pixels may be a read-only view of `data`.
    """
    try:
        with io.BytesIO(data) as stream, tifffile.TiffFile(stream) as tiff:
            page = tiff.pages[number - 1]
            _check(page, len(data))
            tags = {tag.name: tag.value for tag in page.tags}
            film = _whole_jpeg(data, page) or _film(page, _pixels(data, page), tags)
    except (QuarantineError, ReviewError):
        raise
    except Exception as error:  # tifffile and its codecs raise whatever they like on damaged files
        raise QuarantineError(f"a damaged TIFF ({type(error).__name__})") from error
    turn, mirrored = turn_of(tags.get("Orientation"))
    return replace(
        film,
        dpi=resolution(_ratio(tags.get("YResolution")), _ratio(tags.get("XResolution")), tags.get("ResolutionUnit", 2)),
        scanned_at=time_of(tags.get("DateTime")),
        turn=turn,
        mirrored=mirrored,
    )


def _check(page: Any, size: int) -> None:
    """Refuses a page before it is decoded."""
    check_size(page.imagelength, page.imagewidth)
    if page.compression not in _LOSSLESS | {_JPEG}:
        raise ReviewError(f"a TIFF with compression {int(page.compression)} inside is not wrapped yet")
    samples = _SAMPLES.get(int(page.photometric))
    if samples is None or (page.compression != _JPEG and page.photometric == _YCC):
        raise ReviewError("a TIFF with CMYK or another colour space is not wrapped yet")
    if page.samplesperpixel not in (samples, samples + 1) or (page.photometric == _PALETTE and page.samplesperpixel != 1):
        raise QuarantineError("a TIFF that contradicts itself: samples and colour space do not fit")
    if page.samplesperpixel > samples and len(page.extrasamples) != 1:
        raise QuarantineError("a TIFF that contradicts itself: it does not say what its further samples are")
    if page.bitspersample not in _BITS[samples] or int(page.sampleformat) != 1:
        raise ReviewError(f"a TIFF of {samples} x {page.bitspersample} bits or of another number format is not wrapped yet")
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if not segments or any(count < 1 or start < 8 or start + count > size for start, count in segments):
        raise QuarantineError("a truncated TIFF: its image data end before they should")
    stored = sum(page.databytecounts)
    wanted = page.imagelength * ((page.imagewidth * page.bitspersample + 7) // 8) * page.samplesperpixel
    if page.compression == 1 and stored < wanted:
        raise QuarantineError("a truncated TIFF: fewer bytes than its picture has")
    check_growth(wanted, stored)


def _pixels(data: bytes, page: Any) -> NDArray[Any]:
    """Rows x columns [x samples] in the machine's byte order, of uint8 or uint16."""
    samples, bits = page.samplesperpixel, page.bitspersample
    shape = (page.imagelength, page.imagewidth) + ((samples,) if samples > 1 else ())
    kind = np.dtype(f"{page.parent.byteorder}u{bits // 8}") if bits in (8, 16) else None
    # Where the data lie in one piece and are aligned, the bytes of the file are the pixels.
    if kind and kind.isnative and page.is_contiguous and page.planarconfig == 1 and page.dataoffsets[0] % kind.itemsize == 0:
        return np.frombuffer(data, kind, int(np.prod(shape)), page.dataoffsets[0]).reshape(shape)
    pixels: NDArray[Any] = page.asarray(buffersize=2**24)
    if samples > 1 and page.planarconfig == 2:
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
    if pixels.shape != shape:
        raise ReviewError("a TIFF of more dimensions than a picture has")
    if not pixels.dtype.isnative:
        pixels = pixels.byteswap(inplace=True).view(pixels.dtype.newbyteorder("="))
    return pixels.view(np.uint8) if pixels.dtype == bool else pixels


def _film(page: Any, pixels: NDArray[Any], tags: dict[str, Any]) -> DecodedFilm:
    is_lossy = page.compression == _JPEG and not is_lossless_jpeg(with_tables(page.jpegtables, _segment(page, 0)))
    ratio = pixels.nbytes / sum(page.databytecounts) if is_lossy else None
    if page.photometric == _PALETTE:
        return DecodedFilm(*from_palette(_indices(pixels), _palette(page.colormap), page.bitspersample), ratio=ratio)
    left_out: tuple[str, ...] = ()
    if page.samplesperpixel > _SAMPLES[int(page.photometric)]:
        pixels, left_out = np.ascontiguousarray(without_alpha(pixels, "TIFF")), (OPAQUE_ALPHA,)
    bits = _bits_stored(page.bitspersample, tags.get("MaxSampleValue"), int(pixels.max(initial=0)))
    return DecodedFilm(pixels, bits, _PHOTOMETRIC[int(page.photometric)], ratio=ratio, left_out=left_out)


def _whole_jpeg(data: bytes, page: Any) -> DecodedFilm | None:
    """The page as its one JPEG stream has it; `None` where it has several, or they are not as the TIFF's own tags say."""
    if page.compression != _JPEG or len(page.dataoffsets) != 1 or page.photometric == _PALETTE:
        return None
    start = page.dataoffsets[0]
    film = decode_jpeg(with_tables(page.jpegtables, data[start : start + page.databytecounts[0]]))
    expected = {_YCC: "YBR_FULL_422", 1: "MONOCHROME2", 0: "MONOCHROME2"}.get(int(page.photometric), "RGB")
    if film.photometric != expected or film.pixels.shape[:2] != (page.imagelength, page.imagewidth):
        return None
    return replace(film, photometric="MONOCHROME1") if page.photometric == 0 else film


def _segment(page: Any, index: int) -> bytes:
    handle = page.parent.filehandle
    handle.seek(page.dataoffsets[index])
    return bytes(handle.read(page.databytecounts[index]))


def _indices(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        raise ReviewError("a TIFF with a palette of more than 256 colours is not wrapped yet")
    return np.ascontiguousarray(pixels)


def _palette(colormap: Any) -> NDArray[np.uint8]:
    """Colours x 3 of ColorMap (320), 3 x colours of 16 bits; some writers put 8 bits in, or leave the lower ones zero."""
    entries = np.asarray(colormap, np.uint16).T
    for scale in (257, 256, 1):
        if not (entries % scale).any() and int(entries.max(initial=0)) // scale <= 255:
            return np.ascontiguousarray(entries // scale).astype(np.uint8)
    raise ReviewError("a TIFF with a palette finer than 8 bits is not wrapped yet")


def _bits_stored(container: int, declared: Any, largest: int) -> int:
    """Bits Stored as declared: BitsPerSample, or fewer where MaxSampleValue (281) is the largest value of fewer bits.

    MaxSampleValue may be a mere statistic (TIFF 6.0 page 37), so only 255, 1023, 4095... count, and only if no pixel is above.
    """
    if isinstance(declared, int) and container == 16 and largest <= declared:
        bits = declared.bit_length()
        if 8 <= bits < container and declared == 2**bits - 1:
            return bits
    return container


def _ratio(value: Any) -> float:
    """A rational number of a tag; 0 where it is none."""
    return value[0] / value[1] if isinstance(value, tuple) and len(value) == 2 and value[1] else 0.0
