"""PDF files of text: whether one is a document, and how its first page looks."""

import numpy as np
import pypdfium2
from numpy.typing import NDArray

from tasks.pdfium import opened_pdf
from tasks.wrap.film.decoded import DecodedFilm, check_size
from tasks.wrap.film.paper.sheet import looks_like_paper

_LEAST_WORDS = 20  # on the first page; a film's page has some at the most
_DPI = 150  # at which the first page is read
_POINT = 72


def is_document(data: bytes) -> bool:
    """Whether a PDF file is one of text: its first page looks like paper with words, and no page is a picture alone.

    Raises `QuarantineError` where the file is encrypted or damaged.
    """
    with opened_pdf(data) as document:
        if not len(document) or len(_text(document[0]).split()) < _LEAST_WORDS:
            return False
        if any(_is_picture(document[number]) for number in range(len(document))):
            return False
        shown = _rendered(document[0])
    return looks_like_paper(shown)


def first_page(data: bytes) -> DecodedFilm:
    """The first page of a PDF file as it is shown, in 8 bits of gray, 150 dots per inch."""
    with opened_pdf(data) as document:
        return _rendered(document[0])


def _is_picture(page: pypdfium2.PdfPage) -> bool:
    has_image = any(isinstance(found, pypdfium2.PdfImage) for found in page.get_objects(max_depth=2))
    return has_image and not _text(page).strip()


def _text(page: pypdfium2.PdfPage) -> str:
    text: str = page.get_textpage().get_text_bounded()
    return text


def _rendered(page: pypdfium2.PdfPage) -> DecodedFilm:
    width, height = (round(side * _DPI / _POINT) for side in page.get_size())
    check_size(height, width)
    pixels: NDArray[np.uint8] = page.render(scale=_DPI / _POINT, grayscale=True).to_numpy()
    return DecodedFilm(np.ascontiguousarray(pixels.reshape(pixels.shape[:2])), 8, "MONOCHROME2")
