"""C-GET and C-MOVE by DCMTK's clients."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as StudyRootGet

from tasks.pacs.server import EmbeddedPacs
from tests.pacs.conftest import Client, Run, free_port, store
from tests.pacs.objects import encoded, image, uid


def _received(folder: Path) -> dict[str, bytes]:
    return {str(pydicom.dcmread(path).SOPInstanceUID): encoded(path) for path in folder.iterdir()}


def _kept(pacs: EmbeddedPacs, *uids: str) -> dict[str, bytes]:
    return {one: encoded(pacs.store.path(one)) for one in uids}


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ("-S", ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid(1)}"], [uid(1, 1, 1), uid(1, 1, 2), uid(1, 2, 1)]),
        ("-P", ["QueryRetrieveLevel=PATIENT", "PatientID=P1"], [uid(1, 1, 1), uid(1, 1, 2), uid(1, 2, 1)]),
        ("-S", ["QueryRetrieveLevel=SERIES", f"StudyInstanceUID={uid(1)}", f"SeriesInstanceUID={uid(1, 2)}"], [uid(1, 2, 1)]),
        ("-S", ["QueryRetrieveLevel=IMAGE", f"SOPInstanceUID={uid(1, 1, 2)}\\{uid(2, 1, 1)}"], [uid(1, 1, 2), uid(2, 1, 1)]),
    ],
)
def test_getscu_gets_the_bytes(
    pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path, model: str, keys: list[str], expected: list[str]
) -> None:
    store(pacs, image(1, 1, 1), image(1, 1, 2), image(1, 2, 1), image(2, 1, 1, patient="P2"))
    out = tmp_path / "out"
    out.mkdir()
    said = dcmtk("getscu", ["-v", model, "+B", "-od", str(out), *(part for key in keys for part in ("-k", key))])
    assert f"Number of Completed Suboperations : {len(expected)}" in said
    assert _received(out) == _kept(pacs, *expected)


def test_compressed_pixels_come_decoded_to_a_peer_that_takes_no_others(pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path) -> None:
    original = pydicom.dcmread(pydicom.data.get_testdata_file("MR_small.dcm"))
    compressed = pydicom.dcmread(pydicom.data.get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    assert store(pacs, compressed) == [0x0000]
    out = tmp_path / "out"
    out.mkdir()
    keys = ["-k", "QueryRetrieveLevel=IMAGE", "-k", f"SOPInstanceUID={compressed.SOPInstanceUID}"]
    dcmtk("getscu", ["-S", "-od", str(out), *keys])
    (path,) = out.iterdir()
    received = pydicom.dcmread(path)
    assert not received.file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(received.pixel_array, original.pixel_array)


def test_a_retrieve_without_unique_key_is_refused(pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path) -> None:
    store(pacs, image(1, 1, 1))
    said = dcmtk("getscu", ["-v", "-S", "-od", str(tmp_path), "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=P1"])
    assert "Received C-GET Response (Error: DataSetDoesNotMatchSOPClass)" in said  # 0xA900
    assert not list(tmp_path.glob("SC.*"))


def test_movescu_moves_the_bytes(tmp_path: Path, storescp: tuple[Path, int], debian_tool: Callable[[str], str]) -> None:
    folder, port = storescp
    jpeg = pydicom.dcmread(pydicom.data.get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    jpeg.StudyInstanceUID = uid(1)
    with EmbeddedPacs(tmp_path / "pacs", "P", 0, {"SCP": ("127.0.0.1", port), "GONE": ("127.0.0.1", free_port())}) as pacs:
        store(pacs, image(1, 1, 1), image(1, 1, 2), image(2, 1, 1), jpeg)

        def move(destination: str, study: str) -> str:
            keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
            command = [debian_tool("movescu"), "-d", "-S", "-aem", destination, *keys, "127.0.0.1", str(pacs.port)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            return done.stdout + done.stderr

        said = move("SCP", uid(1))
        assert "Completed Suboperations       : 3" in said
        assert _received(folder) == _kept(pacs, uid(1, 1, 1), uid(1, 1, 2), str(jpeg.SOPInstanceUID))
        assert "0xa801" in move("NOBODY", uid(1)).lower()
        assert "0xa801" in move("GONE", uid(1)).lower()
        assert "0x0000" in move("SCP", uid(77)).lower()


def _get(client: Client, on_pending: Callable[[int], None] = lambda number: None) -> list[Dataset]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", uid(1)
    statuses = []
    for number, (status, _) in enumerate(client.association.send_c_get(identifier, StudyRootGet, msg_id=5), start=1):
        statuses.append(status)
        on_pending(number)
    return statuses


def _getting(pacs: EmbeddedPacs, handle: Callable[[evt.Event], int]) -> Client:
    sop_class = image(1, 1, 1).SOPClassUID
    return Client(
        pacs,
        contexts=[build_context(StudyRootGet), build_context(sop_class)],
        ext_neg=[build_role(sop_class, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, handle)],
    )


def test_sub_operations_are_counted(pacs: EmbeddedPacs) -> None:
    store(pacs, *(image(1, 1, number) for number in range(1, 7)))
    answers = iter([0x0000, 0xA700, 0xB000, 0x0000, 0xC000, 0x0000])
    with _getting(pacs, lambda event: next(answers)) as client:
        final = _get(client)[-1]
    assert final.Status == 0xB000
    counts = (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations, final.NumberOfWarningSuboperations)
    assert counts == (3, 2, 1)


def test_a_file_that_is_gone_is_a_failed_sub_operation(pacs: EmbeddedPacs) -> None:
    store(pacs, image(1, 1, 1), image(1, 1, 2))
    pacs.store.path(uid(1, 1, 1)).unlink()
    with _getting(pacs, lambda event: 0x0000) as client:
        final = _get(client)[-1]
    assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (1, 1)


def test_cancel_ends_a_retrieve(pacs: EmbeddedPacs) -> None:
    store(pacs, *(image(1, 1, number) for number in range(1, 31)))

    def slowly(event: evt.Event) -> int:
        time.sleep(0.02)
        return 0x0000

    with _getting(pacs, slowly) as client:

        def cancel(number: int) -> None:
            if number == 3:
                client.association.send_c_cancel(5, query_model=StudyRootGet)

        final = _get(client, cancel)[-1]
        assert final.Status == 0xFE00
        assert 0 < final.NumberOfRemainingSuboperations < 28
        assert client.find("STUDY", StudyInstanceUID="")
