"""The header of a wrapped film, as far as the film itself gives it: patient, study and numbering are reconcile's.

Built for Multi-frame Single Bit, Grayscale Byte, Grayscale Word and True Color SC (PS3.3 A.8.2 to A.8.5), and for classic SC
(A.8.1) where those do not fit. Burned In Annotation is YES and Patient Orientation stays empty until somebody shows otherwise.
"""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import (
    UID,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameSingleBitSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from tasks.configuration import Digitizer
from tasks.keys import uid_of
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.examination import Examination

PLAUSIBLE_DPI = (50.0, 2400.0)
SCREEN_DPI = (72.0, 96.0)  # what software writes when nobody told it the resolution


def scanned_dpi(film: DecodedFilm, digitizer: Digitizer) -> tuple[float, float] | None:
    """(down, across) in dots per inch: the file's where plausible for film, else the configured digitizer's, else `None`."""
    if film.dpi and all(PLAUSIBLE_DPI[0] <= dpi <= PLAUSIBLE_DPI[1] and round(dpi, 1) not in SCREEN_DPI for dpi in film.dpi):
        return film.dpi
    return (digitizer.dpi, digitizer.dpi) if digitizer.dpi else None


def sop_class_of(film: DecodedFilm, digitizer: Digitizer) -> UID:
    """The SC class for a film's pixels.

    Classic SC holds what the multi-frame classes do not: white-is-zero gray, RGB that is lossily compressed (A.8.5.4), and film
    of unknown resolution, since they require Nominal Scanned Pixel Spacing of digitized film (C.8.6.1).
    """
    if film.photometric == "MONOCHROME1" or scanned_dpi(film, digitizer) is None:
        return SecondaryCaptureImageStorage
    if film.photometric != "MONOCHROME2":
        lossy_rgb = film.codestream is not None and film.photometric == "RGB"
        return SecondaryCaptureImageStorage if lossy_rgb else MultiFrameTrueColorSecondaryCaptureImageStorage
    if film.bits_stored == 1:
        return MultiFrameSingleBitSecondaryCaptureImageStorage
    if film.bits_stored <= 8 and film.pixels.dtype.itemsize == 1:
        return MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    return MultiFrameGrayscaleWordSecondaryCaptureImageStorage


def pixel_attributes(film: DecodedFilm, sop_class: UID) -> Dataset:
    """The attributes that describe the staged pixels (PS3.3 C.7.6.3 and C.7.6.1.1.5)."""
    dataset = Dataset()
    stored = film.bits_stored
    if sop_class == MultiFrameGrayscaleByteSecondaryCaptureImageStorage:
        stored = 8  # A.8.3.4; values of 2 and 4 bits stay as they are, the window spreads them
    dataset.SamplesPerPixel = 1 if film.pixels.ndim == 2 else 3
    dataset.PhotometricInterpretation = film.photometric
    if film.pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = film.pixels.shape[:2]
    dataset.BitsAllocated = 1 if is_single_bit(sop_class) else 8 * film.pixels.dtype.itemsize
    dataset.BitsStored = stored
    dataset.HighBit = stored - 1
    dataset.PixelRepresentation = 0
    if sop_class != SecondaryCaptureImageStorage:
        dataset.NumberOfFrames = 1
    dataset.LossyImageCompression = "00" if film.ratio is None else "01"
    if film.ratio is not None:
        dataset.LossyImageCompressionRatio = f"{film.ratio:.6g}"
        if film.method:
            dataset.LossyImageCompressionMethod = film.method
    return dataset


def is_single_bit(sop_class: UID) -> bool:
    """Whether pixels of this class are packed, eight to a byte."""
    return sop_class == MultiFrameSingleBitSecondaryCaptureImageStorage


def film_header(
    film: DecodedFilm,
    sop_class: UID,
    object_key: str,
    modality: str,
    digitizer: Digitizer,
    examination: Examination,
) -> Dataset:
    """The data set before the pixels, without patient, study, numbering and pixel attributes."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "SECONDARY"]
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = uid_of("instance", object_key)
    dataset.Modality = modality
    dataset.ConversionType = "DF"
    dataset.Manufacturer = ""
    dataset.PatientOrientation = ""
    dataset.BurnedInAnnotation = "YES"
    _examination(dataset, examination)
    _digitizer(dataset, film, digitizer)
    if dpi := scanned_dpi(film, digitizer):
        dataset.NominalScannedPixelSpacing = [f"{25.4 / across:.8g}" for across in dpi]
    if film.pixels.ndim == 2:
        _grayscale_output(dataset, film, sop_class)
    return dataset


def _examination(dataset: Dataset, examination: Examination) -> None:
    """Body part, side and view; Laterality is type 2C of the series: empty where nobody says which side of what."""
    if examination.body_part:
        dataset.BodyPartExamined = dataset.SeriesDescription = examination.body_part
    if examination.laterality:
        dataset.ImageLaterality = examination.laterality
    elif examination.paired is not False:
        dataset.Laterality = ""
    if examination.view:
        dataset.ViewCodeSequence = Sequence([coded(examination.view)])


def coded(code: Code) -> Dataset:
    """An item of a code sequence (PS3.3 section 8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _digitizer(dataset: Dataset, film: DecodedFilm, digitizer: Digitizer) -> None:
    """SC Equipment (C.8.6.1) and Contributing Equipment (C.12.1), whose item needs a manufacturer."""
    if film.scanned_at:
        dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = film.scanned_at[:8], film.scanned_at[8:]
    if digitizer.serial:
        dataset.SecondaryCaptureDeviceID = digitizer.serial
    if digitizer.manufacturer:
        dataset.SecondaryCaptureDeviceManufacturer = digitizer.manufacturer
    if digitizer.model:
        dataset.SecondaryCaptureDeviceManufacturerModelName = digitizer.model
    if not digitizer.manufacturer:
        return
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = Sequence([coded(Code("FILMD", "DCM", "Film Digitizer"))])
    item.Manufacturer = digitizer.manufacturer
    if digitizer.model:
        item.ManufacturerModelName = digitizer.model
    if digitizer.serial:
        item.DeviceSerialNumber = digitizer.serial
    if film.scanned_at:
        item.ContributionDateTime = film.scanned_at
    dataset.ContributingEquipmentSequence = Sequence([item])


def _grayscale_output(dataset: Dataset, film: DecodedFilm, sop_class: UID) -> None:
    """Presentation LUT Shape, Rescale without calibration, and a window for a first look; single bits have none (C.8.6.3)."""
    if is_single_bit(sop_class):
        return
    dataset.PresentationLUTShape = "INVERSE" if film.photometric == "MONOCHROME1" else "IDENTITY"
    if sop_class != SecondaryCaptureImageStorage:
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    low, high = (int(np.percentile(film.pixels[::4, ::4], share, method="nearest")) for share in (0.5, 99.5))
    width = max(high - low + 1, 2)
    # PS3.3 C.11.2.1.2.1: from centre - 0.5 - (width - 1) / 2 to centre - 0.5 + (width - 1) / 2.
    dataset.WindowCenter, dataset.WindowWidth = f"{low + width / 2:.1f}", str(width)
