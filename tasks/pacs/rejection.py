"""Rejection notes: Key Object Selection documents whose title is a code of CID 7011 (IHE RAD-66, PS3.16)."""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

# Rejected for patient safety reasons, incorrect modality worklist entry: what they name must not come back.
FINAL_TITLES = frozenset({"113037", "113038"})
# With quality reasons and data retention policy expired, what they name may be sent again.
REJECTION_TITLES = frozenset({"113001", "113039"}) | FINAL_TITLES


@dataclass(frozen=True)
class Rejection:
    """That a note (SOP Instance UID `note`, code value `title`) rejects an instance."""

    sop_instance_uid: str
    note: str
    title: str


def is_key_object(dataset: Dataset) -> bool:
    """Whether a data set is a Key Object Selection document, the only kind that can be a note."""
    return str(dataset.get("SOPClassUID", "")) == KeyObjectSelectionDocumentStorage


def rejections_of(document: Dataset) -> list[Rejection]:
    """What a Key Object Selection document rejects: nothing, unless its title is one of the four and of scheme DCM.

    Evidence is read from both sequences that may hold it (PS3.3 C.17.6.2: current procedure, and pertinent other).
    """
    titles = document.get("ConceptNameCodeSequence") or []
    if not titles or str(titles[0].get("CodingSchemeDesignator", "")) != "DCM":
        return []
    title = str(titles[0].get("CodeValue", ""))
    if title not in REJECTION_TITLES:
        return []
    evidence = [
        *(document.get("CurrentRequestedProcedureEvidenceSequence") or []),
        *(document.get("PertinentOtherEvidenceSequence") or []),
    ]
    uids = {
        str(reference.ReferencedSOPInstanceUID)
        for study in evidence
        for series in study.get("ReferencedSeriesSequence") or []
        for reference in series.get("ReferencedSOPSequence") or []
    }
    return [Rejection(uid, str(document.SOPInstanceUID), title) for uid in sorted(uids)]
