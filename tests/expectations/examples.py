"""VALIDATE_VIEW rows made by hand: a digitized film as FIELD.md asks for it, a legacy CT, a structured report."""

import warnings
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tasks.configuration import Configuration
from tasks.pixel_data import header_bytes
from tasks.stage import StageContext

FILM_CLASS = "1.2.840.10008.5.1.4.1.1.7.3"  # Multi-frame Grayscale Word Secondary Capture, PS3.4 B.5
PIXELS = {
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 10,
    "Columns": 12,
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
}
PATIENT = {
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "Müller^Änne",
    "PatientID": "P1",
    "IssuerOfPatientID": "STELSEWHERE",
    "PatientBirthDate": "19500101",
    "PatientSex": "F",
    "StudyDate": "19870504",
    "StudyTime": "",
    "AccessionNumber": "A17",
    "StudyID": "",
    "StudyInstanceUID": "2.25.17",
    "SeriesInstanceUID": "2.25.171",
    "SOPInstanceUID": "2.25.1711",
}
FILM = PATIENT | PIXELS
FILM |= {
    "SOPClassUID": FILM_CLASS,
    "ImageType": ["ORIGINAL", "SECONDARY"],
    "Modality": "RG",
    "ConversionType": "DF",
    "DateOfSecondaryCapture": "20260101",
    "NominalScannedPixelSpacing": ["0.16933333", "0.16933333"],
    "BurnedInAnnotation": "YES",
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "WindowCenter": "2048",
    "WindowWidth": "4096",
}


def context(**sections: Any) -> StageContext:
    raw = {
        "project": {"name": "t", "workspace": Path("/nowhere"), "now": "2026-03-01"},
        "source": [{"kind": "film", "path": Path("/nowhere")}],
        "validate": {"suites": ["patient", "study", "film", "object"]},
    }
    return StageContext(Configuration.model_validate(raw | sections), Path("/nowhere"), "validate")


def dataset_of(attributes: dict[str, Any]) -> Dataset:
    dataset = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that break their VR are what the rules are tried on
        for keyword, value in attributes.items():
            if value is not None:
                setattr(dataset, keyword, value)
    return dataset


def row_of(attributes: dict[str, Any], key: str = "o1", **columns: Any) -> dict[str, Any]:
    """A row whose tables say what `FILM` says, whatever the header's `attributes` are; `None` leaves one out."""
    row = {
        "object_key": key,
        "item_key": f"item of {key}",
        "study_instance_uid": FILM["StudyInstanceUID"],
        "sop_instance_uid": attributes["SOPInstanceUID"],
        "header": header_bytes(dataset_of(attributes)),
        "header_sha256": "",
        "header_fingerprint": "",
        "kind": "film",
        "sop_class_uid": FILM_CLASS,
        "transfer_syntax_uid": "1.2.840.10008.1.2.4.80",
        "pixel_header": header_bytes(dataset_of(PIXELS)),
        "patient_id": FILM["PatientID"],
        "decision": "auto",
        "source": "scans",
    }
    return row | columns


def film(key: str = "o1", attributes: dict[str, Any] | None = None, **columns: Any) -> dict[str, Any]:
    return row_of(FILM | (attributes or {}), key, **columns)


def report(key: str = "o9") -> dict[str, Any]:
    """A Basic Text SR: an object without pixels, on a legacy disc."""
    sr = "1.2.840.10008.5.1.4.1.1.88.11"
    attributes = PATIENT | {"SOPClassUID": sr, "Modality": "SR"}
    return row_of(attributes, key, kind="dicom", sop_class_uid=sr, pixel_header=None, transfer_syntax_uid=None)
