"""The final header of a linked object: what wrap staged, with the patient, study and numbering that were reconciled.

Local demographics come from the index (IHE RAD Import Reconciliation Workflow); of a legacy object what they replace is kept in
Original Attributes (PS3.3 C.12.1.1.9), one item for this modification. Pixel attributes are copied, never recomputed.
"""

import hashlib
import json
import warnings
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from tasks.errors import ReviewError
from tasks.pixel_data import header_bytes, read_data_set
from tasks.reconcile.index import Person
from tasks.reconcile.normalise import da
from tasks.stage import Row, StageContext

SYSTEM = "Filmroom"
_OTHER_PATIENT_ATTRIBUTES = ("OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "IssuerOfPatientIDQualifiersSequence")


def compose_header(row: Row, person: Person, decided_at: datetime, context: StageContext) -> dict[str, Any]:
    """The `headers` row of an object (`RECONCILE_VIEW`); raises `ReviewError` where its texts cannot be decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of odd values becomes a finding in validate
        header = _decoded(read_data_set(row["source_header"]))
        before = Dataset()
        before.update(header)
        _reconcile(header, row, person, context)
        is_film = row["kind"] == "film"
        changes = [] if is_film else _changes(before, header, person)
        if not is_film:
            _record(header, before, changes, decided_at, row["source"])
        header.update(read_data_set(row["pixel_header"]))
        trailer = row["source_trailer"] or b""
        written = header_bytes(header)
    return {
        "object_key": row["object_key"],
        "item_key": row["item_key"],
        "study_instance_uid": row["study_instance_uid"],
        "sop_instance_uid": row["sop_instance_uid"],
        "header": written,
        "trailer": trailer,
        "header_sha256": hashlib.sha256(written + trailer).hexdigest(),
        "original": None if is_film else row["source_header"],
        "changes": json.dumps(changes, sort_keys=True, ensure_ascii=False),
    }


def _decoded(dataset: Dataset) -> Dataset:
    """The data set with its texts decoded, to be written as UTF-8."""
    try:
        dataset.decode()
    except Exception as error:  # pydicom raises several classes on texts that are not in the declared set
        raise ReviewError("texts are not in the character set that the header declares") from error
    dataset.SpecificCharacterSet = "ISO_IR 192"
    return dataset


def _reconcile(header: Dataset, row: Row, person: Person, context: StageContext) -> None:
    header.PatientName = person.name
    header.PatientID = person.patient_id
    header.PatientBirthDate = da(person.birth_date)
    header.PatientSex = person.sex[:1].upper()
    if issuer := person.issuer or context.configuration.project.issuer:
        header.IssuerOfPatientID = issuer
    for keyword in _OTHER_PATIENT_ATTRIBUTES:
        if keyword in header:
            delattr(header, keyword)
    if "OtherPatientIDsSequence" in header:
        del header.OtherPatientIDsSequence
    header.SOPInstanceUID = row["sop_instance_uid"]
    header.StudyInstanceUID = row["study_instance_uid"]
    header.SeriesInstanceUID = row["series_instance_uid"]
    if row["kind"] == "film":
        _number_film(header, row)
    else:
        for keyword in ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID"):
            if keyword not in header:
                setattr(header, keyword, "")
        header.AccessionNumber = ""  # a foreign order's number would collide with a local one's


def _number_film(header: Dataset, row: Row) -> None:
    header.StudyDate = row["label_study_date"] or ""
    header.StudyTime = ""
    header.AccessionNumber = (row["label_accession"] or "")[:16]
    header.ReferringPhysicianName = ""
    header.StudyID = ""
    header.SeriesNumber = "1"
    header.InstanceNumber = str(row["instance_number"] or 1)
    if row["label_institution"]:
        header.InstitutionName = row["label_institution"][:64]


def _changes(before: Dataset, after: Dataset, person: Person) -> list[dict[str, str]]:
    """What differs in the top level, by keyword: from, to, why."""
    changes = []
    for tag in sorted({*before.keys(), *after.keys()}):
        old, new = before.get(tag), after.get(tag)
        if old is not None and new is not None and old.value == new.value:
            continue
        keyword = (new if new is not None else old).keyword  # type: ignore[union-attr]
        why = "the patient index" if keyword.startswith(("Patient", "IssuerOfPatient", "OtherPatient")) else "reconciled"
        changes.append({"keyword": keyword, "from": _shown(old), "to": _shown(new), "why": why})
    return changes


def _shown(element: Any) -> str:
    if element is None:
        return ""
    return "\\".join(map(str, element.value)) if isinstance(element.value, MultiValue) else str(element.value)


def _record(header: Dataset, before: Dataset, changes: list[dict[str, str]], decided_at: datetime, source: str) -> None:
    modified = Dataset()
    for change in changes:
        keyword = change["keyword"]
        if keyword and keyword not in ("SpecificCharacterSet", "OriginalAttributesSequence"):
            if keyword in before:
                modified[keyword] = before[keyword]
            elif header[keyword].VR != "SQ":
                setattr(modified, keyword, None)
    if len(modified):
        item = Dataset()
        item.SourceOfPreviousValues = source[:64]
        item.AttributeModificationDateTime = decided_at.strftime("%Y%m%d%H%M%S.%f+0000")
        item.ModifyingSystem = SYSTEM
        item.ReasonForTheAttributeModification = "COERCE"
        item.ModifiedAttributesSequence = Sequence([modified])
        earlier = list(header.get("OriginalAttributesSequence", None) or [])
        header.OriginalAttributesSequence = Sequence([*earlier, item])
    equipment = Dataset()
    equipment.Manufacturer = SYSTEM
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "109103", "DCM", "Modifying Equipment"
    equipment.PurposeOfReferenceCodeSequence = Sequence([code])
    listed = list(header.get("ContributingEquipmentSequence", None) or [])
    header.ContributingEquipmentSequence = Sequence([*listed, equipment])
