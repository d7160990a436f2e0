"""Who, what and when by a legacy header, as it stands there; what it says wrongly is left for reconcile."""

import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import SecondaryCaptureImageStorage

from tasks.errors import QuarantineError
from tasks.keys import key_of, uid_of
from tasks.uids import is_valid_uid, valid_or_mapped
from tasks.wrap.dicom.read import LegacyObject

_MISREAD = "\N{REPLACEMENT CHARACTER}"


def identity(legacy: LegacyObject, key: str, group_key: str) -> dict[str, Any]:
    """The columns of `objects` on identity; UIDs that are none are replaced by ones minted per medium and patient.

    What is older than DICOM becomes a Secondary Capture image (PS3.3 A.8.1); a SOP class that the data set lacks is that of the
    file meta. Raises `QuarantineError` where the kind of object cannot be told.
    """
    dataset = legacy.dataset
    sop_class = _uid(dataset, "SOPClassUID")
    if legacy.is_acr_nema:
        sop_class = SecondaryCaptureImageStorage
    elif not sop_class and is_valid_uid(legacy.meta_class):
        sop_class = legacy.meta_class
    if not is_valid_uid(sop_class):
        raise QuarantineError("no SOP Class UID: what kind of object it is cannot be told")
    uids = _uids(legacy, key, group_key)
    return {
        "kind": "dicom",
        "sop_class_uid": sop_class,
        "sop_instance_uid": uids["instance"],
        "study_instance_uid": uids["study"],
        "series_instance_uid": uids["series"],
        "assembly_key": key_of("study", uids["study"]),
        "modality": text(dataset, "Modality"),
        **_labels(dataset),
    }


def _uids(legacy: LegacyObject, key: str, group_key: str) -> dict[str, str]:
    """The UIDs of study, series and instance; references to a mapped one follow, see `tasks.uids`.

    What has no UID at all belongs together where patient, study and series are the same by their other names.
    """
    dataset = legacy.dataset
    patient = text(dataset, "PatientID") or ""
    study = [text(dataset, keyword) or "" for keyword in ("PatientName", "PatientBirthDate", "StudyDate", "StudyID")]
    series = [text(dataset, keyword) or "" for keyword in ("Modality", "SeriesNumber")]
    instance = legacy.meta_instance or key
    uids = {}
    for purpose, keyword, without in (
        ("study", "StudyInstanceUID", study),
        ("series", "SeriesInstanceUID", [_uid(dataset, "StudyInstanceUID"), *study, *series]),
    ):
        uid = _uid(dataset, keyword)
        uids[purpose] = (
            valid_or_mapped(uid, purpose, group_key, patient) if uid else uid_of(purpose, group_key, patient, *without)
        )
    uids["instance"] = valid_or_mapped(_uid(dataset, "SOPInstanceUID") or instance, "instance", group_key, patient)
    return uids


def text(dataset: Dataset, keyword: str) -> str | None:
    """A value as text, several as they stand with their backslash; `None` where it is absent, empty or cannot be read."""
    try:
        value = dataset.get(keyword)
        values = value if isinstance(value, MultiValue) else [value if value is not None else ""]
        return "\\".join(str(one).strip("\x00 ") for one in values) or None
    except Exception:  # values that break their VR or character set raise whatever pydicom raises
        return None


def _uid(dataset: Dataset, keyword: str) -> str:
    """A UID as it stands; what holds several, or cannot be read, is none."""
    try:
        return str(dataset.get(keyword) or "").strip("\x00 ")
    except Exception:  # as above
        return ""


def _labels(dataset: Dataset) -> dict[str, Any]:
    values = {
        "patient_name": _name(text(dataset, "PatientName") or ""),
        "patient_id": text(dataset, "PatientID"),
        "birth_date": _date(text(dataset, "PatientBirthDate")),
        "sex": sex if (sex := text(dataset, "PatientSex")) in ("M", "F", "O") else None,
        "study_date": _date(text(dataset, "StudyDate")),
        "accession": text(dataset, "AccessionNumber"),
        "institution": text(dataset, "InstitutionName"),
    }
    columns: dict[str, Any] = {}
    for field, value in values.items():
        if value:
            confidence = 0.5 if _MISREAD in value else 1.0
            columns |= {f"label_{field}": value, f"label_{field}_confidence": confidence, f"label_{field}_origin": "header"}
    return columns


def _name(name: str) -> str | None:
    """The first component group that is not empty: alphabetic, else ideographic, else phonetic (PS3.5 section 6.2.1.1)."""
    return next((group for group in (part.rstrip("^ ") for part in name.split("=")) if group), None)


def _date(value: str | None) -> str | None:
    digits = (value or "").replace(".", "")
    return digits if re.fullmatch(r"(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", digits) else None
