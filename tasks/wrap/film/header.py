"""The header of a wrapped film, as far as the film itself gives it: patient, study and numbering are reconcile's.

Built for Multi-frame Grayscale Byte and Word SC (PS3.3 A.8.3, A.8.4), True Color SC (A.8.5), and classic SC (A.8.1) for
white-is-zero film. Burned In Annotation is YES and Patient Orientation stays empty until somebody shows otherwise.
"""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from tasks.configuration import Digitizer
from tasks.keys import uid_of
from tasks.wrap.film.decode import PLAUSIBLE_DPI, DecodedFilm

SCREEN_DPI = (72.0, 96.0)  # what software writes when nobody told it the resolution


def sop_class_of(film: DecodedFilm) -> UID:
    """The SC class for a film's pixels."""
    if film.photometric == "MONOCHROME1":
        return SecondaryCaptureImageStorage
    if film.photometric != "MONOCHROME2":
        return MultiFrameTrueColorSecondaryCaptureImageStorage
    if film.bits_stored <= 8:
        return MultiFrameGrayscaleByteSecondaryCaptureImageStorage
    return MultiFrameGrayscaleWordSecondaryCaptureImageStorage


def scanned_dpi(film: DecodedFilm, digitizer: Digitizer) -> float | None:
    """Dots per inch of the scan: the file's where plausible for film, else the configured digitizer's."""
    if film.dpi and PLAUSIBLE_DPI[0] <= film.dpi <= PLAUSIBLE_DPI[1] and round(film.dpi, 1) not in SCREEN_DPI:
        return film.dpi
    return digitizer.dpi


def pixel_attributes(film: DecodedFilm, photometric: str) -> Dataset:
    """The Image Pixel attributes that describe the staged pixels (PS3.3 C.7.6.3)."""
    dataset = Dataset()
    dataset.SamplesPerPixel = 1 if film.pixels.ndim == 2 else 3
    dataset.PhotometricInterpretation = photometric
    if film.pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = film.pixels.shape[:2]
    dataset.BitsAllocated = 8 * film.pixels.dtype.itemsize
    dataset.BitsStored = film.bits_stored
    dataset.HighBit = film.bits_stored - 1
    dataset.PixelRepresentation = 0
    if film.photometric != "MONOCHROME1":
        dataset.NumberOfFrames = 1
    dataset.LossyImageCompression = "01" if film.codestream else "00"
    if film.codestream and film.ratio:
        dataset.LossyImageCompressionRatio = f"{film.ratio:.6g}"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"
    return dataset


def film_header(film: DecodedFilm, object_key: str, modality: str, digitizer: Digitizer) -> Dataset:
    """The data set before the pixels, without patient, study and pixel attributes."""
    dataset = Dataset()
    dataset.ImageType = ["ORIGINAL", "SECONDARY"]
    dataset.SOPClassUID = sop_class_of(film)
    dataset.SOPInstanceUID = uid_of("instance", object_key)
    dataset.Modality = modality
    dataset.ConversionType = "DF"
    dataset.Manufacturer = ""
    dataset.PatientOrientation = ""
    if digitizer.serial:
        dataset.SecondaryCaptureDeviceID = digitizer.serial
    if film.scanned_at:
        dataset.DateOfSecondaryCapture = film.scanned_at[:8]
        dataset.TimeOfSecondaryCapture = film.scanned_at[8:]
    if digitizer.manufacturer:
        dataset.SecondaryCaptureDeviceManufacturer = digitizer.manufacturer
        dataset.SecondaryCaptureDeviceManufacturerModelName = digitizer.model
        dataset.ContributingEquipmentSequence = Sequence([_digitizer_item(digitizer)])
    if dpi := scanned_dpi(film, digitizer):
        dataset.NominalScannedPixelSpacing = [f"{25.4 / dpi:.8g}"] * 2
    dataset.BurnedInAnnotation = "YES"
    if film.pixels.ndim == 2:
        _grayscale_output(dataset, film)
    return dataset


def _grayscale_output(dataset: Dataset, film: DecodedFilm) -> None:
    if film.photometric == "MONOCHROME1":
        dataset.PresentationLUTShape = "INVERSE"
    else:
        dataset.PresentationLUTShape = "IDENTITY"
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.WindowCenter = str(2 ** (film.bits_stored - 1))
    dataset.WindowWidth = str(2**film.bits_stored)


def _digitizer_item(digitizer: Digitizer) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "FILMD", "DCM", "Film Digitizer"
    item = Dataset()
    item.Manufacturer = digitizer.manufacturer
    if digitizer.model:
        item.ManufacturerModelName = digitizer.model
    if digitizer.serial:
        item.DeviceSerialNumber = digitizer.serial
    item.PurposeOfReferenceCodeSequence = Sequence([code])
    return item
