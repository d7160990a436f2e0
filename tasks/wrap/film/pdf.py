"""PDF files of films (ISO 32000-1), one page: the page's one image at its own pixels, not as a page is drawn.

JPEG and JPEG 2000 streams are decoded as files of these formats are; other images are taken from their unpacked samples, so
that 16 bits stay 16 bits. What PDFium shows of the image says whether its samples stand for light or for dark, and whether they
mean what is stored at all. A page with anything else on it (text, lines, several images) is paper.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from tasks.errors import QuarantineError, ReviewError
from tasks.pdfium import opened_pdf
from tasks.wrap.film.channels import is_colourless
from tasks.wrap.film.decoded import DecodedFilm, check_growth, check_size
from tasks.wrap.film.jpeg import decode_jpeg
from tasks.wrap.film.jpeg2000 import decode_jpeg2000

_STREAMS = {"DCTDecode": decode_jpeg, "JPXDecode": decode_jpeg2000}
_FAX = frozenset({"CCITTFaxDecode", "JBIG2Decode"})
_SAMPLES = {
    pdfium.FPDF_COLORSPACE_DEVICEGRAY: (1,),
    pdfium.FPDF_COLORSPACE_CALGRAY: (1,),
    pdfium.FPDF_COLORSPACE_DEVICERGB: (3,),
    pdfium.FPDF_COLORSPACE_CALRGB: (3,),
    pdfium.FPDF_COLORSPACE_ICCBASED: (1, 3),
}
_BITS = (1, 2, 4, 8, 16)
_POINT = 72.0  # of them an inch
_LEVEL = math.radians(1)  # an image tilted by more lies neither upright nor on a side
_STEP = 7  # of the pixels that are compared with those shown, each so many
_COLOUR_SHIFT = 16.0  # levels by which a colour profile may change colours on average


def decode_pdf(data: bytes, number: int) -> DecodedFilm:
    """Decodes the image of page `number` (from 1).

    Raises `QuarantineError` where the file is encrypted or damaged, `ReviewError` where the page is paper, or its image is
    shown otherwise than stored.
    """
    with opened_pdf(data) as document:
        if not 1 <= number <= len(document):
            raise QuarantineError("a damaged PDF: it has not the page it had when it was found")
        page = document[number - 1]
        image = _only_image(page)
        columns, rows = image.get_px_size()
        check_size(rows, columns)
        filters = image.get_filters(skip_simple=True)
        packed = int(pdfium.FPDFImageObj_GetImageDataRaw(image, None, 0))
        check_growth(rows * columns // (8 if _FAX.intersection(filters) else 1), packed)
        film = _film(image, rows, columns, filters)
        turn, mirrored, dpi = _placement(image.get_matrix().get(), page.get_rotation(), rows, columns)
    return replace(film, turn=turn, mirrored=mirrored, dpi=dpi)


def _only_image(page: pypdfium2.PdfPage) -> pypdfium2.PdfImage:
    objects = list(page.get_objects(max_depth=1))
    images = [found for found in objects if isinstance(found, pypdfium2.PdfImage)]
    if not images:
        raise ReviewError("a PDF page without an image: paper, not a film")
    if len(images) > 1:
        raise ReviewError(f"a PDF page of {len(images)} images: paper, or a film in pieces")
    if len(objects) > 1:
        raise ReviewError("a PDF page with text or drawings beside its image: paper, not a film")
    if pdfium.FPDFPageObj_HasTransparency(images[0]):
        raise ReviewError("a PDF page whose image is transparent or masked is not wrapped yet")
    return images[0]


def _film(image: pypdfium2.PdfImage, rows: int, columns: int, filters: list[str]) -> DecodedFilm:
    if len(filters) > 1 or not set(filters) <= _FAX | _STREAMS.keys():
        raise ReviewError(f"a PDF image packed by {' and '.join(filters)} is not wrapped yet")
    shown = _shown(image)
    if shown.shape[:2] != (rows, columns):
        raise QuarantineError("a damaged PDF: its image is not of the size it says")
    if filters and filters[0] in _STREAMS:
        film = _STREAMS[filters[0]](bytes(image.get_data(decode_simple=True)))
        if film.pixels.shape[:2] != (rows, columns):
            raise QuarantineError("a damaged PDF: its image is not of the size it says")
        return _as_shown(film, shown)
    described = image.get_metadata()
    space = described.colorspace
    if filters and space in _SAMPLES:
        return DecodedFilm(_black_and_white(shown), 1, "MONOCHROME2")
    if space == pdfium.FPDF_COLORSPACE_INDEXED and not filters:
        return DecodedFilm(shown, 8, "MONOCHROME2" if shown.ndim == 2 else "RGB")
    if space not in _SAMPLES:
        raise ReviewError("a PDF image in a colour space that is not wrapped yet")
    kinds = [
        (count, bits) for count in _SAMPLES[space] for bits in _BITS if _shown_bits(count * bits) == described.bits_per_pixel
    ]
    return _as_shown(_unpacked(bytes(image.get_data(decode_simple=True)), rows, columns, kinds), shown)


def _shown_bits(bits: int) -> int:
    """What PDFium calls the bits a pixel of an image that has so many."""
    return 1 if bits == 1 else 8 if bits <= 8 else 24


def _shown(image: pypdfium2.PdfImage) -> NDArray[np.uint8]:
    """What PDFium makes of the image, without its page: rows x columns, or rows x columns x 3 where it is colour."""
    pixels: NDArray[np.uint8] = image.get_bitmap().to_numpy()
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return pixels.reshape(pixels.shape[:2]).copy()
    colours = np.ascontiguousarray(pixels[..., 2::-1])
    return np.ascontiguousarray(colours[..., 0]) if is_colourless(colours) else colours


def _black_and_white(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if shown.ndim == 3 or bool(((shown != 0) & (shown != 255)).any()):
        raise ReviewError("a PDF image of two colours other than black and white is not wrapped yet")
    return shown // np.uint8(255)


def _unpacked(data: bytes, rows: int, columns: int, kinds: list[tuple[int, int]]) -> DecodedFilm:
    """Uncompressed samples (8.9.3) of one of these (samples, bits): rows begin at bytes, so that the length tells which.

    The end of a line may stand before the end of the stream.
    """
    strides = {kind: (columns * math.prod(kind) + 7) // 8 for kind in kinds}
    over = sorted((len(data) - rows * stride, kind) for kind, stride in strides.items())
    fits = [(excess, kind) for excess, kind in over if 0 <= excess <= 2]
    if not fits:
        raise QuarantineError("a damaged PDF: its image has not as many samples as it says")
    if len(fits) > 1 and fits[0][0] == fits[1][0]:
        raise ReviewError("a PDF image too narrow to tell how many bits it has")
    samples, bits = fits[0][1]
    return _of_samples(data, (rows, columns, samples), bits, strides[samples, bits])


def _of_samples(data: bytes, shape: tuple[int, int, int], bits: int, stride: int) -> DecodedFilm:
    rows, columns, samples = shape
    if samples == 3 and bits != 8:
        raise ReviewError(f"a PDF image of 3 x {bits} bits is not wrapped yet")
    if bits == 16:
        words: NDArray[Any] = np.frombuffer(data, ">u2", rows * columns).astype(np.uint16)
        return DecodedFilm(words.reshape(rows, columns), 16, "MONOCHROME2")
    packed = np.frombuffer(data, np.uint8, rows * stride).reshape(rows, stride)
    if bits == 8:
        return DecodedFilm(packed.reshape(shape if samples == 3 else shape[:2]), 8, "RGB" if samples == 3 else "MONOCHROME2")
    parts = np.stack([packed >> (8 - bits - shift) & (2**bits - 1) for shift in range(0, 8, bits)], axis=-1)
    return DecodedFilm(np.ascontiguousarray(parts.reshape(rows, -1)[:, :columns]), bits, "MONOCHROME2")


def _as_shown(film: DecodedFilm, shown: NDArray[np.uint8]) -> DecodedFilm:
    """The film with the photometric interpretation that PDFium shows it in; raises `ReviewError` where it is shown otherwise.

    Gray must be shown as one rising, or one falling, function of what is stored (a Decode array may turn it round, a profile
    bend it). Colours may be shifted by a profile.
    """
    seen = shown[::_STEP, ::_STEP]
    if film.pixels.ndim == 3:
        stored = film.pixels[::_STEP, ::_STEP].astype(np.int16)
        if float(np.abs(stored - (seen if seen.ndim == 3 else seen[..., None])).mean()) > _COLOUR_SHIFT:
            raise ReviewError("a PDF image that is shown in other colours than it holds is not wrapped yet")
        return film
    if shown.ndim == 3:
        raise ReviewError("a PDF image of gray that is shown in colours is not wrapped yet")
    values, which = np.unique(film.pixels[::_STEP, ::_STEP] >> max(0, film.bits_stored - 8), return_inverse=True)
    light = np.bincount(which.ravel(), seen.ravel()) / np.bincount(which.ravel())
    is_function = float(np.abs(seen - light[which.reshape(seen.shape)]).max()) <= 2
    falls = len(values) > 1 and light[-1] < light[0]
    steps = np.diff(light) * (-1 if falls else 1)
    if not is_function or (steps < -1).any() or (len(values) > 1 and light[-1] == light[0]):
        raise ReviewError("a PDF image that is shown otherwise than it is stored is not wrapped yet")
    return replace(film, photometric="MONOCHROME1") if falls else film


def _placement(
    matrix: tuple[float, ...], rotation: int, rows: int, columns: int
) -> tuple[int | None, bool | None, tuple[float, float] | None]:
    """Turn, mirroring and (down, across) in dots per inch of an image that `matrix` puts on a page (8.3.4), itself turned."""
    a, b, c, d = matrix[:4]
    width, height = math.hypot(a, b), math.hypot(c, d)
    if not width or not height:
        raise ReviewError("a PDF page whose image has no extent")
    mirrored = a * d - b * c < 0
    angle = math.atan2(-b, -a) if mirrored else math.atan2(b, a)  # counter-clockwise, as the image is drawn
    quarters = round(angle / (math.pi / 2))
    if abs(angle - quarters * math.pi / 2) > _LEVEL or abs(a * c + b * d) > math.sin(_LEVEL) * width * height:
        raise ReviewError("a PDF page whose image lies neither upright nor on a side is not wrapped yet")
    turn = (rotation - 90 * quarters) % 360
    dpi = rows * _POINT / height, columns * _POINT / width
    return (turn, mirrored, dpi) if turn or mirrored else (None, None, dpi)
