"""Storage commitment, push model (PS3.4 Annex J): what is asked about is read again from the disk and hashed before it is
promised.

The report goes over a new association where the asking application is a known destination, and over the one it asked on where
it is not, or where it does not answer (PS3.4 Annex J allows both).
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from tasks.pacs.index import Index
from tasks.pacs.objects import ObjectStore

# PS3.3 C.14.1.1
PROCESSING_FAILURE, NO_SUCH_OBJECT, CLASS_CONFLICT = 0x0110, 0x0112, 0x0119
ALL_COMMITTED, FAILURES_EXIST = 1, 2
_ANSWER_SENT_SECONDS = 30


def judge(request: Dataset, index: Index, store: ObjectStore) -> tuple[int, Dataset]:
    """(event type, event information) that answers a request; every reference is in one of the two sequences."""
    committed, failed = [], []
    for reference in request.get("ReferencedSOPSequence") or []:
        named = Dataset()
        named.ReferencedSOPClassUID = reference.ReferencedSOPClassUID
        named.ReferencedSOPInstanceUID = reference.ReferencedSOPInstanceUID
        if reason := _fault(named, index, store):
            named.FailureReason = reason
            failed.append(named)
        else:
            committed.append(named)
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    if committed:
        report.ReferencedSOPSequence = committed
    if failed:
        report.FailedSOPSequence = failed
    return (FAILURES_EXIST if failed else ALL_COMMITTED), report


def _fault(reference: Dataset, index: Index, store: ObjectStore) -> int:
    """Failure Reason, or 0 where the instance is there, visible, and its bytes are those that were acknowledged."""
    uid = str(reference.ReferencedSOPInstanceUID)
    instance = index.find(uid)
    if instance is None or index.titles(uid):
        return NO_SUCH_OBJECT
    if instance.sop_class_uid != reference.ReferencedSOPClassUID:
        return CLASS_CONFLICT
    try:
        digest = store.digest(uid)
    except Exception:  # gone, unreadable, or no DICOM file any more
        return PROCESSING_FAILURE
    return 0 if instance.digest in (None, digest) else PROCESSING_FAILURE


def answer_sent(association: Any) -> Callable[[], bool]:
    """Waits for the next PDU of an association: called inside a handler, the answer to the request it handles."""
    sent = threading.Event()

    def note(_: Any) -> None:
        association.unbind(evt.EVT_PDU_SENT, note)
        sent.set()

    association.bind(evt.EVT_PDU_SENT, note)
    return lambda: sent.wait(_ANSWER_SENT_SECONDS)


def report(
    association: Any,
    wait: Callable[[], bool],
    kind: int,
    information: Dataset,
    ours: str,
    destinations: Mapping[str, tuple[str, int]],
) -> bool:
    """Sends N-EVENT-REPORT; gives back whether somebody took it. `wait` returns when N-ACTION has been answered."""
    if not wait():
        return False
    peer = str(association.requestor.ae_title).strip()
    if peer in destinations and _report_back(peer, destinations[peer], kind, information, ours):
        return True
    return bool(association.is_established) and _send(association, kind, information)


def _report_back(peer: str, address: tuple[str, int], kind: int, information: Dataset, ours: str) -> bool:
    entity = AE(ours)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    entity.connection_timeout = 10
    entity.add_requested_context(StorageCommitmentPushModel)
    # We open the association and are the provider all the same (PS3.4 Annex J).
    role = build_role(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    association = entity.associate(*address, ae_title=peer, ext_neg=[role])
    if not association.is_established:
        return False
    try:
        return _send(association, kind, information)
    finally:
        association.release()


def _send(association: Any, kind: int, information: Dataset) -> bool:
    try:
        status, _ = association.send_n_event_report(
            information, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
    except (RuntimeError, ValueError):  # the association has ended meanwhile, or does not have the context
        return False
    return bool(status) and status.Status == 0x0000
