"""The final header of a linked object: what wrap staged, with the patient, study and numbering that were reconciled.

Local demographics come from the patient index (IHE RAD Import Reconciliation Workflow); what they replace in a legacy object is
kept in Original Attributes. A film had no data set before, so it has none. Pixel attributes are copied, never recomputed. The
same row, person and moment of the decision always compose the same bytes.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.pixel_data import header_bytes
from tasks.reconcile.index import Person
from tasks.reconcile.mends import mend
from tasks.reconcile.original import SYSTEM, moment, record
from tasks.reconcile.revision import Revision, as_it_is, data_set_of, revision_of
from tasks.reconcile.signatures import remove_broken_signatures
from tasks.reconcile.texts import UTF8, to_utf8
from tasks.stage import Row

_INDEX = "the patient index"
_OWNER = "identifies a patient by other means than the index"
_FOREIGN = "a foreign order's number would collide with a local one's"

_FIRST_PIXEL_TAG = 0x7FE00008

# Of the Patient module (PS3.3 C.7.1.1), what would identify somebody by what the index does not attribute to this person.
_NOT_FROM_INDEX = (
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "MedicalRecordLocator",
)
# Type 2 in the Patient and General Study modules: an object without them does not conform.
_REQUIRED = ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")


@dataclass(frozen=True)
class FilmStudy:
    """What all films of a study share: examination date (YYYYMMDD), the local order's number, what was examined (each empty
    where unknown), the Series Instance UIDs in the order of the jacket, and each object's by its SOP Instance UID.
    """

    study_date: str
    accession: str
    description: str
    series: tuple[str, ...]
    series_of: Mapping[str, str]


def compose_header(row: Row, person: Person, study: FilmStudy, decided_at: datetime, issuer: str) -> dict[str, Any]:
    """The `headers` row of an object (a row of `RECONCILE_VIEW`); `issuer` is the project's Issuer of Patient ID.

    Raises `ReviewError` where it cannot be told in which character set texts are.
    """
    is_film = row["kind"] == "film"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters of odd values becomes a finding in validate
        source = b"".join(row[part] or b"" for part in ("source_header", "pixel_header", "source_trailer"))
        revision = revision_of(source, [] if is_film else json.loads(row.get("source_changes") or "[]"))
        if not is_film:
            mend(revision, row["group_key"], row["label_patient_id"] or "")
        _identify(revision, row, person, issuer)
        if is_film:
            _number_film(revision.dataset, row, study, decided_at)
            to_utf8(revision)
        else:
            _foreign_study(revision, row)
            _complete_class(revision, row)
            to_utf8(revision)
            revision.append("ContributingEquipmentSequence", _modifying_equipment(decided_at), "says who changed it")
            remove_broken_signatures(revision)
            record(revision, row["source"], decided_at)
        header, trailer = _parts(revision.dataset)
    return {
        "object_key": row["object_key"],
        "item_key": row["item_key"],
        "study_instance_uid": row["study_instance_uid"],
        "sop_instance_uid": row["sop_instance_uid"],
        "header": header,
        "trailer": trailer,
        "header_sha256": hashlib.sha256(header + trailer).hexdigest(),
        "original": None if is_film else row["source_header"],
        "changes": json.dumps([] if is_film else revision.changes, sort_keys=True, ensure_ascii=False),
    }


def _parts(dataset: Dataset) -> tuple[bytes, bytes]:
    """A data set before and behind its pixels."""
    as_it_is(dataset)
    behind = {tag: dataset.get_item(tag) for tag in sorted(dataset.keys()) if tag >= _FIRST_PIXEL_TAG}
    for tag in behind:
        del dataset[tag]
    trailer = data_set_of(behind)
    as_it_is(trailer)
    return header_bytes(dataset), header_bytes(trailer, UTF8)


def _identify(revision: Revision, row: Row, person: Person, issuer: str) -> None:
    """The patient from the index, and the UIDs that assemble and wrap settled."""
    revision.set("PatientName", person.name, _INDEX)
    revision.set("PatientID", person.patient_id, _INDEX)
    if local := person.issuer or issuer:
        revision.set("IssuerOfPatientID", local, _INDEX)
    else:
        revision.remove("IssuerOfPatientID", _INDEX)
    for keyword, value in (("PatientBirthDate", person.birth_date), ("PatientSex", person.sex)):
        # Where the index does not know, a person's decision does not unsay what the object says.
        if value or keyword not in revision.dataset:
            revision.set(keyword, value, _INDEX)
    for keyword in _NOT_FROM_INDEX:
        revision.remove(keyword, _OWNER)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        revision.set(keyword, row[_COLUMNS[keyword]], "missing or not a valid UID")


_COLUMNS = {
    "SOPInstanceUID": "sop_instance_uid",
    "StudyInstanceUID": "study_instance_uid",
    "SeriesInstanceUID": "series_instance_uid",
}


def _number_film(header: Dataset, row: Row, study: FilmStudy, decided_at: datetime) -> None:
    """Study and Series attributes of a film; Study Date is the examination's, never the scan's."""
    header.StudyDate = study.study_date
    header.StudyTime = ""
    header.AccessionNumber = study.accession[:16]
    header.ReferringPhysicianName = ""
    header.StudyID = ""
    if study.description:
        header.StudyDescription = study.description[:64]
    header.SeriesNumber = str(study.series.index(row["series_instance_uid"]) + 1)
    header.InstanceNumber = str(row["instance_number"])
    for referenced in header.get("ReferencedSeriesSequence") or ():  # a presentation state's film, which has a series only now
        for image in referenced.ReferencedImageSequence:
            referenced.SeriesInstanceUID = study.series_of[image.ReferencedSOPInstanceUID]
    if header.get("PresentationCreationDate") == "":  # the scan's file does not say when it was made
        header.PresentationCreationDate, header.PresentationCreationTime = f"{decided_at:%Y%m%d}", f"{decided_at:%H%M%S}"


def _foreign_study(revision: Revision, row: Row) -> None:
    """Study attributes of a legacy object stay, but for a foreign order's number without its issuer."""
    header = revision.dataset
    if not header.get("IssuerOfAccessionNumberSequence"):
        revision.set("AccessionNumber", "", _FOREIGN)
        revision.remove("IssuerOfAccessionNumberSequence", _FOREIGN)
    for keyword in _REQUIRED:
        if keyword not in header:
            revision.set(keyword, "", "required, may be empty")
    if "InstanceNumber" not in header and row["instance_number"] is not None:
        revision.set("InstanceNumber", str(row["instance_number"]), "required")


def _complete_class(revision: Revision, row: Row) -> None:
    """Says what kind of object it is where its header does not; an image from before DICOM is a digital one made anew."""
    if "SOPClassUID" in revision.dataset:
        return
    if "RecognitionCode" in revision.dataset:
        revision.set("SOPClassUID", row["sop_class_uid"], "older than DICOM: an image that belongs to no other class")
        revision.set("ConversionType", "DI", "required of a Secondary Capture image")
    else:
        revision.set("SOPClassUID", row["sop_class_uid"], "missing in the data set, taken from the file meta information")


def _modifying_equipment(at: datetime) -> Dataset:
    """Item of Contributing Equipment Sequence for us (PS3.3 C.12.1, CID 7005)."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "109103", "DCM", "Modifying Equipment"
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = Sequence([code])
    equipment.Manufacturer = SYSTEM
    equipment.ManufacturerModelName = SYSTEM
    equipment.ContributionDateTime = moment(at)
    return equipment
