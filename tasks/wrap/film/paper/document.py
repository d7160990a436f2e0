"""A document as an Encapsulated PDF object (PS3.3 A.45.1), without patient, study and numbering, which are reconcile's."""

import imagecodecs
import img2pdf
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EncapsulatedPDFStorage

from tasks.errors import ReviewError
from tasks.keys import uid_of
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.pdf import decode_pdf

MODALITY = "DOC"
UNKNOWN_DPI = (150.0, 150.0)  # a page has to have a size; a sheet of letter paper at this is some 1650 pixels high
_TITLE = "Document from the film jacket"
_ROTATIONS = {
    0: img2pdf.Rotation["0"],
    90: img2pdf.Rotation["90"],
    180: img2pdf.Rotation["180"],
    270: img2pdf.Rotation["270"],
}


def pdf_of_sheet(sheet: DecodedFilm, dpi: tuple[float, float], turn: int) -> bytes:
    """A PDF file of one page with the sheet's picture on it, shown turned clockwise by `turn` degrees; `dpi` is (down, across).

    Raises `ReviewError` where the picture that the PDF gives back is not the sheet's.
    """
    shown = _as_shown(sheet)
    picture = sheet.codestream or bytes(imagecodecs.png_encode(shown.pixels))
    file: bytes = img2pdf.convert(
        picture,
        engine=img2pdf.Engine.internal,  # writes no dates and no random identifier
        nodate=True,
        rotation=_ROTATIONS[turn],
        layout_fun=img2pdf.get_fixed_dpi_layout_fun((dpi[1], dpi[0])),
    )
    back = decode_pdf(file, 1)
    if not np.array_equal(_as_shown(back).pixels, shown.pixels):
        raise ReviewError("a sheet of paper whose picture does not come back out of its PDF as it went in")
    return file


def _as_shown(sheet: DecodedFilm) -> DecodedFilm:
    """The sheet in values that spread over the depth a PDF has, black is zero."""
    pixels, bits = sheet.pixels, sheet.bits_stored
    if bits not in (1, 8, 16):
        raise ReviewError(f"a sheet of paper of {bits} bits is not wrapped yet: deliver it in 8")
    if sheet.photometric == "MONOCHROME1":
        pixels = pixels.dtype.type(2**bits - 1) - pixels
    if bits == 1:
        pixels = pixels * np.uint8(255)
    return DecodedFilm(np.ascontiguousarray(pixels), bits, "RGB" if pixels.ndim == 3 else "MONOCHROME2")


def encapsulated_pdf(file: bytes, object_key: str, *, was_scanned: bool) -> Dataset:
    """The data set of a PDF file; `was_scanned` says that it was made here of a scan, and not delivered as a PDF of text."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = EncapsulatedPDFStorage
    dataset.SOPInstanceUID = uid_of("instance", object_key)
    dataset.ContentDate = dataset.ContentTime = dataset.AcquisitionDateTime = ""
    dataset.Modality = MODALITY
    dataset.ConversionType = "SD" if was_scanned else "WSD"
    dataset.Manufacturer = ""
    dataset.ConceptNameCodeSequence = Sequence([])
    dataset.BurnedInAnnotation = "YES"
    dataset.DocumentTitle = _TITLE
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(file)
    dataset.EncapsulatedDocument = file + b"\0" * (len(file) % 2)
    return dataset
