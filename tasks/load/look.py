"""Look before you send: what the target holds already of a batch, asked with a few queries and not one an object.

A C-STORE of a known SOP Instance UID may be answered with success and swallowed, and one Study Instance UID under two patients
welds two people together, so both are asked for first.
"""

from collections.abc import Iterable, Iterator, Sequence

from pydicom.dataset import Dataset

from tasks import network
from tasks.errors import RetryLaterError, ReviewError
from tasks.load.shipment import Shipment
from tasks.network.services import SUCCESS


def look(association: network.Association, shipments: Sequence[Shipment]) -> None:
    """Marks as `there` what the target holds, and stops with an error what must not be sent.

    Raises `RetryLaterError` where the target does not answer; nothing has been sent then.
    """
    by_uid = {shipment.uid: shipment for shipment in shipments}
    _stop_foreign_studies(association, shipments)
    for identifier in [_everywhere(by_uid), *series_identifiers(shipments)]:
        status, answers = network.find(association, identifier)
        # Many targets refuse to look for a UID without its study (PS3.4 C.4.1.2.2.1); then only the known places are looked at.
        if status != SUCCESS and "StudyInstanceUID" in identifier and identifier.StudyInstanceUID:
            raise RetryLaterError(f"the target answered a query with status 0x{status:04X}")
        for answer in answers:
            if shipment := by_uid.get(str(answer.get("SOPInstanceUID", ""))):
                _found(shipment, answer)


def series_identifiers(shipments: Iterable[Shipment]) -> Iterator[Dataset]:
    """One IMAGE level identifier a series, with the list of its SOP Instance UIDs."""
    series: dict[tuple[str, str], list[str]] = {}
    for shipment in shipments:
        series.setdefault(shipment.series, []).append(shipment.uid)
    for place, uids in sorted(series.items()):
        yield image_identifier(place, sorted(uids))


def image_identifier(place: tuple[str, str], uids: Sequence[str]) -> Dataset:
    """IMAGE level identifier of objects of one series; `place` is (Study Instance UID, Series Instance UID)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = place
    identifier.SOPInstanceUID = list(uids) if len(uids) > 1 else uids[0]
    return identifier


def _everywhere(uids: Iterable[str]) -> Dataset:
    return image_identifier(("", ""), sorted(uids))


def _found(shipment: Shipment, answer: Dataset) -> None:
    shipment.there = True
    held = (
        str(answer.get("StudyInstanceUID", "") or shipment.series[0]),
        str(answer.get("SeriesInstanceUID", "") or shipment.series[1]),
    )
    if held != shipment.series:
        shipment.error = ReviewError("the target holds another object under this UID: it is in another study or series there")


def _stop_foreign_studies(association: network.Association, shipments: Sequence[Shipment]) -> None:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    studies = sorted({shipment.series[0] for shipment in shipments})
    identifier.StudyInstanceUID = studies if len(studies) > 1 else studies[0]
    identifier.PatientID = ""
    status, answers = network.find(association, identifier)
    if status != SUCCESS:
        raise RetryLaterError(f"the target answered a query with status 0x{status:04X}")
    patients: dict[str, set[str]] = {}
    for answer in answers:
        if "PatientID" in answer:
            patients.setdefault(str(answer.get("StudyInstanceUID", "")), set()).add(str(answer.PatientID or "").strip())
    for shipment in shipments:
        ours = str(shipment.dataset.get("PatientID", "") or "").strip()
        if patients.get(shipment.series[0], set()) - {ours}:
            shipment.error = ReviewError("the target holds this study under another patient")
