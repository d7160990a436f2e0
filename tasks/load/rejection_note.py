"""Rejection notes: Key Object Selection documents that tell an archive to hide objects (IHE RAD TF-1 IOCM, RAD-66).

The same objects, title and moment always make the same bytes, under a UID minted from the title and the objects, so that a
note whose answer was lost is known again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from pydicom.dataset import Dataset
from pydicom.uid import UID, KeyObjectSelectionDocumentStorage

from tasks.keys import uid_of

# CID 7011, Rejected for ...
TITLES = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
}
_OF_PATIENT_AND_STUDY = (
    "IssuerOfPatientID",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
_MAY_BE_ABSENT = frozenset({"IssuerOfPatientID"})


@dataclass(frozen=True)
class Loaded:
    """An object that stands in the target: its place there, its class, and whether it is an image."""

    study: str
    series: str
    instance: str
    sop_class: str
    is_image: bool


def note_uid(objects: Sequence[Loaded], title: str) -> str:
    """SOP Instance UID of the note that rejects these objects under this title."""
    return uid_of("instance", "rejection", title, *sorted(loaded.instance for loaded in objects))


def note_of(objects: Sequence[Loaded], title: str, header: Dataset, at: datetime) -> Dataset:
    """The note (PS3.3 A.35.4, TID 2010) that rejects objects of one study; `header` is one of theirs, for patient and study."""
    note = Dataset()
    note.SpecificCharacterSet = "ISO_IR 192"
    for keyword in _OF_PATIENT_AND_STUDY:
        if keyword in header or keyword not in _MAY_BE_ABSENT:
            setattr(note, keyword, header.get(keyword, ""))
    uid = note_uid(objects, title)
    note.StudyInstanceUID, note.SeriesInstanceUID = UID(objects[0].study), UID(uid_of("series", uid))
    note.SOPClassUID, note.SOPInstanceUID = KeyObjectSelectionDocumentStorage, UID(uid)
    note.Modality, note.SeriesNumber, note.InstanceNumber = "KO", "1", "1"
    note.ReferencedPerformedProcedureStepSequence = []
    note.Manufacturer = "Filmroom"
    note.ContentDate, note.ContentTime = f"{at:%Y%m%d}", f"{at:%H%M%S}"
    note.TimezoneOffsetFromUTC = "+0000"
    note.CurrentRequestedProcedureEvidenceSequence = [_evidence(objects)]
    note.ValueType, note.ContinuityOfContent = "CONTAINER", "SEPARATE"
    note.ConceptNameCodeSequence = [_code(title, "DCM", TITLES[title])]
    note.ContentTemplateSequence = [_template()]
    note.ContentSequence = [_content(loaded) for loaded in _in_order(objects)]
    return note


def _in_order(objects: Sequence[Loaded]) -> list[Loaded]:
    return sorted(objects, key=lambda loaded: (loaded.series, loaded.instance))


def _evidence(objects: Sequence[Loaded]) -> Dataset:
    study = Dataset()
    study.StudyInstanceUID = UID(objects[0].study)
    study.ReferencedSeriesSequence = []
    for uid, members in groupby(_in_order(objects), key=lambda loaded: loaded.series):
        series = Dataset()
        series.SeriesInstanceUID = UID(uid)
        series.ReferencedSOPSequence = [_reference(loaded) for loaded in members]
        study.ReferencedSeriesSequence.append(series)
    return study


def _reference(loaded: Loaded) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = UID(loaded.sop_class), UID(loaded.instance)
    return reference


def _content(loaded: Loaded) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE" if loaded.is_image else "COMPOSITE"
    item.ReferencedSOPSequence = [_reference(loaded)]
    return item


def _template() -> Dataset:
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    return template


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
