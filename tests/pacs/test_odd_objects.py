"""Real and odd objects, sent as they are: each is kept byte for byte and can be found, or refused; none breaks the PACS."""

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pynetdicom import build_context
from pynetdicom.dimse_primitives import C_STORE

from tasks.pacs.server import EmbeddedPacs
from tests.pacs.conftest import Client
from tests.pacs.objects import encoded


def _names(path: Path) -> tuple[str, str, str] | None:
    """(SOP class, SOP instance, transfer syntax) of a DICOM file with preamble and file meta, else nothing."""
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
        return str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), str(meta.TransferSyntaxUID)
    except Exception:
        return None


def _send(client: Client, context: int, names: tuple[str, str, str], data: bytes) -> int:
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID, _ = names
    request.DataSet = BytesIO(data)
    association = client.association
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        pass
    association.dimse.send_msg(request, context)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return int(answer.Status)


def test_the_collection_is_kept_or_refused(pacs: EmbeddedPacs, realdata: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = {path: names for path in sorted((realdata / "dicom").rglob("*")) if path.is_file() and (names := _names(path))}
    pairs = sorted({(names[0], names[2]) for names in found.values()})
    statuses: dict[Path, int] = {}
    for start in range(0, len(pairs), 120):
        contexts = [build_context(sop_class, [syntax]) for sop_class, syntax in pairs[start : start + 120]]
        with Client(pacs, contexts=contexts) as client:
            accepted = {(c.abstract_syntax, c.transfer_syntax[0]): c.context_id for c in client.association.accepted_contexts}
            for path, names in found.items():
                if (names[0], names[2]) in accepted and path not in statuses:
                    statuses[path] = _send(client, accepted[names[0], names[2]], names, encoded(path))
    kept = {path for path, status in statuses.items() if status == 0x0000}
    assert len(kept) > 100
    assert set(statuses.values()) <= {0x0000, 0x0111, 0x0117, 0xA900, 0xC000}
    for path in kept:
        assert encoded(pacs.store.path(found[path][1])) == encoded(path)
    with Client(pacs) as client:
        answers = client.find("IMAGE", SOPInstanceUID="", PatientName="", PatientID="")
    assert {str(answer.SOPInstanceUID) for answer in answers} == {found[path][1] for path in kept}
    assert capfd.readouterr() == ("", "")  # remarks on odd values would quote them
    for path in (path for path, status in statuses.items() if status == 0xA900):
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        whole = header.get("StudyInstanceUID") and header.get("SeriesInstanceUID")
        assert not whole or (header.get("SOPClassUID"), header.get("SOPInstanceUID")) != found[path][:2]
