"""A wrapped film as a file, with patient and study attributes such as reconcile puts in."""

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tasks.pixel_data import compose, read_data_set

IDENTITY = {
    "PatientName": "DOE^JANE",
    "PatientID": "4711",
    "IssuerOfPatientID": "TEST",
    "PatientBirthDate": "19310312",
    "PatientSex": "F",
    "StudyDate": "19640404",
    "StudyTime": "120000",
    "ReferringPhysicianName": "",
    "StudyID": "1",
    "AccessionNumber": "A1",
    "SeriesNumber": "1",
    "InstanceNumber": "1",
}


def whole_object(row: dict[str, Any], staging: Path) -> Dataset:
    """Header, pixel attributes and staged pixels of an `objects` row put together."""
    element = (staging / row["path"]).read_bytes()
    dataset = compose(row["source_header"], element, row["source_trailer"], row["transfer_syntax_uid"])
    dataset.update(read_data_set(row["pixel_header"]))
    for keyword, value in IDENTITY.items():
        setattr(dataset, keyword, value)
    dataset.StudyInstanceUID = row["study_instance_uid"]
    dataset.SeriesInstanceUID = row["series_instance_uid"]
    return dataset


def save(row: dict[str, Any], staging: Path, file: Path) -> Path:
    """Writes the object as a DICOM file."""
    whole_object(row, staging).save_as(file, enforce_file_format=True)
    return file
