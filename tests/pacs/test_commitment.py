"""Storage commitment, asked by pynetdicom, answered on the same association and on a new one."""

import queue
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from tasks.pacs.server import EmbeddedPacs
from tests.pacs.conftest import Client, free_port, store
from tests.pacs.objects import image, note, uid

Reports = queue.Queue[tuple[int, Dataset]]


def _request(*references: tuple[str, str]) -> Dataset:
    request = Dataset()
    request.TransactionUID = uid(99, 1)
    request.ReferencedSOPSequence = []
    for sop_class, instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        request.ReferencedSOPSequence.append(item)
    return request


def _taking(reports: Reports) -> list[object]:
    def take(event: evt.Event) -> tuple[int, None]:
        reports.put((event.event_type, event.event_information))
        return 0x0000, None

    return [(evt.EVT_N_EVENT_REPORT, take)]


def _ask(pacs: EmbeddedPacs, request: Dataset, handlers: list[object] | None = None, ours: str = "CLIENT") -> Client:
    client = Client(pacs, contexts=[build_context(StorageCommitmentPushModel)], evt_handlers=handlers or [], ours=ours)
    status, _ = client.association.send_n_action(request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)
    assert status.Status == 0x0000
    return client


def _references(sequence: list[Dataset] | None) -> list[str]:
    return [str(item.ReferencedSOPInstanceUID) for item in sequence or []]


def test_all_is_committed_on_the_same_association(pacs: EmbeddedPacs) -> None:
    datasets = [image(1, 1, number) for number in (1, 2)]
    store(pacs, *datasets)
    reports: Reports = queue.Queue()
    with _ask(pacs, _request(*((d.SOPClassUID, d.SOPInstanceUID) for d in datasets)), _taking(reports)) as client:
        kind, information = reports.get(timeout=10)
        assert client.find("STUDY", StudyInstanceUID="")  # the association goes on
    assert (kind, information.TransactionUID) == (1, uid(99, 1))
    assert _references(information.ReferencedSOPSequence) == [uid(1, 1, 1), uid(1, 1, 2)]
    assert "FailedSOPSequence" not in information


def test_failures_are_told_with_their_reason(pacs: EmbeddedPacs) -> None:
    good, flipped, gone, rejected = (image(1, 1, number) for number in range(1, 5))
    store(pacs, good, flipped, gone, rejected, note("113001", [rejected]))
    path = pacs.store.path(flipped.SOPInstanceUID)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    pacs.store.path(gone.SOPInstanceUID).unlink()
    sop_class = str(good.SOPClassUID)
    asked = [(sop_class, str(d.SOPInstanceUID)) for d in (good, flipped, gone, rejected)]
    asked += [(sop_class, uid(7)), ("1.2.840.10008.5.1.4.1.1.2", str(good.SOPInstanceUID))]
    reports: Reports = queue.Queue()
    with _ask(pacs, _request(*asked), _taking(reports)):
        kind, information = reports.get(timeout=10)
    assert kind == 2
    assert _references(information.ReferencedSOPSequence) == [good.SOPInstanceUID]
    assert [(str(item.ReferencedSOPInstanceUID), item.FailureReason) for item in information.FailedSOPSequence] == [
        (flipped.SOPInstanceUID, 0x0110),  # one bit flipped on the disk
        (gone.SOPInstanceUID, 0x0110),
        (rejected.SOPInstanceUID, 0x0112),
        (uid(7), 0x0112),
        (good.SOPInstanceUID, 0x0119),
    ]


def test_a_known_application_is_called_back(tmp_path: Path) -> None:
    reports: Reports = queue.Queue()
    port = free_port()
    receiver = AE("MODALITY")
    receiver.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = receiver.start_server(("127.0.0.1", port), block=False, evt_handlers=_taking(reports))  # type: ignore[arg-type]
    try:
        with EmbeddedPacs(tmp_path / "pacs", "P", 0, {"MODALITY": ("127.0.0.1", port)}) as pacs:
            store(pacs, image(1, 1, 1))
            request = _request((str(image(1, 1, 1).SOPClassUID), uid(1, 1, 1)))
            _ask(pacs, request, ours="MODALITY").association.release()
            kind, information = reports.get(timeout=10)
    finally:
        server.shutdown()
    assert kind == 1
    assert _references(information.ReferencedSOPSequence) == [uid(1, 1, 1)]


def test_other_actions_are_refused(pacs: EmbeddedPacs) -> None:
    with Client(pacs, contexts=[build_context(StorageCommitmentPushModel)]) as client:
        send = client.association.send_n_action
        request = _request()
        assert send(request, 2, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)[0].Status == 0x0123
        assert send(request, 1, StorageCommitmentPushModel, uid(5))[0].Status == 0x0112
