"""Objects to send, made with pydicom, with what matters in them given."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

ROOT = "1.2.826.0.1.3680043.8.498.7"
TITLES = {
    "113001": Code("113001", "DCM", "Rejected for Quality Reasons"),
    "113037": Code("113037", "DCM", "Rejected for Patient Safety Reasons"),
    "113038": Code("113038", "DCM", "Incorrect Modality Worklist Entry"),
    "113039": Code("113039", "DCM", "Data Retention Policy Expired"),
}


def uid(*parts: int) -> str:
    return ".".join([ROOT, *(str(part) for part in parts)])


def image(study: int, series: int, number: int, patient: str = "P1", size: int = 8, **changed: object) -> Dataset:
    """A 16-bit secondary capture of `size` x `size` pixels; study, series and instance give the UIDs."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, uid(study, series, number)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(study), uid(study, series)
    dataset.PatientID, dataset.PatientName = patient, "Müller^Anna"
    dataset.PatientBirthDate, dataset.PatientSex = "19400229", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber, dataset.StudyID = "19870314", "1015", f"A{study}", str(study)
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CR", series, number
    dataset.ConversionType = "DF"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = size
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    generator = np.random.default_rng(number)
    dataset.PixelData = generator.integers(0, 4096, size * size, dtype=np.uint16).tobytes()
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return dataset


def note(title: str, rejected: list[Dataset], number: int = 900) -> Dataset:
    """A Key Object Selection document that rejects objects of one series (IHE RAD-66)."""
    first = rejected[0]
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    document.SOPClassUID, document.SOPInstanceUID = KeyObjectSelectionDocumentStorage, f"{first.StudyInstanceUID}.{number}.1"
    document.StudyInstanceUID, document.SeriesInstanceUID = first.StudyInstanceUID, f"{first.StudyInstanceUID}.{number}"
    document.PatientID, document.PatientName, document.Modality = first.PatientID, first.PatientName, "KO"
    document.SpecificCharacterSet = "ISO_IR 192"
    document.ConceptNameCodeSequence = [_code(TITLES[title])]
    references = []
    for dataset in rejected:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
        references.append(reference)
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = first.SeriesInstanceUID, references
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = first.StudyInstanceUID, [series]
    document.CurrentRequestedProcedureEvidenceSequence = [study]
    return document


def _code(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def save(datasets: list[Dataset], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in datasets:
        path = folder / f"{UID(dataset.SOPInstanceUID)}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def encoded(path: Path) -> bytes:
    """The data set of a file without preamble and file meta, found by the group length of the meta (PS3.10 7.1)."""
    content = path.read_bytes()
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def read(path: Path) -> Dataset:
    return pydicom.dcmread(path)
