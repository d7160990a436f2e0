"""What rejection notes among received objects hide (IHE RAD-66; the titles are of CID 7011)."""

from collections.abc import Iterable

from pydicom import dcmread
from pydicom.uid import KeyObjectSelectionDocumentStorage

from tasks.pacs.rejection import rejections_of
from tasks.received import KeptObject, uids_of

_WHY = {
    "113001": "rejected for quality reasons",
    "113037": "rejected for patient safety reasons",
    "113038": "rejected for an incorrect worklist entry",
    "113039": "rejected since its retention has expired",
}
_NOTE = "a rejection note: what it hides is excluded too"


def rejected(objects: Iterable[KeptObject]) -> dict[str, str]:
    """SOP Instance UID of each hidden object, and of the notes themselves, to the reason for a person."""
    reasons: dict[str, str] = {}
    for kept in objects:
        if kept.sop_class_uid != KeyObjectSelectionDocumentStorage:
            continue
        try:
            named = rejections_of(dcmread(kept.file))
        except Exception:  # pydicom raises whatever it likes on what it cannot read: then it is no note that counts
            continue
        for rejection in named:
            why = f"{_WHY[rejection.title]} in the PACS by a rejection note (code {rejection.title})"
            reasons[rejection.sop_instance_uid] = min(why, reasons.get(rejection.sop_instance_uid, why))
        if named:
            reasons[uids_of(kept.path)[2]] = _NOTE
    return reasons
