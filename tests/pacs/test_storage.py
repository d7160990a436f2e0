"""C-STORE: what is kept, what is refused, what survives a crash."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian
from pynetdicom.dimse_primitives import C_STORE

from tasks.errors import StageBlockedError
from tasks.pacs.server import EmbeddedPacs, storage_classes
from tests.conftest import ROOT
from tests.pacs.conftest import Client, Run, store
from tests.pacs.objects import encoded, image, save, uid


def test_an_object_is_stored_byte_for_byte(pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path) -> None:
    (path,) = save([image(1, 1, 1)], tmp_path / "in")
    dcmtk("storescu", arguments=[str(path)])
    kept = pacs.store.path(uid(1, 1, 1))
    assert encoded(kept) == encoded(path)
    assert kept.read_bytes()[:132] == b"\x00" * 128 + b"DICM"
    assert pydicom.dcmread(kept).file_meta.MediaStorageSOPInstanceUID == uid(1, 1, 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SC_rgb_rle.dcm", ["-xr"]),
        ("JPEG-lossy.dcm", ["-xx"]),
        ("JPEG2000.dcm", ["-xw"]),
        ("MR_small_jpeg_ls_lossless.dcm", ["-xt"]),
        ("MR_small_bigendian.dcm", ["-xb"]),
        ("CT_small.dcm", []),
    ],
)
def test_compressed_objects_are_kept_in_their_syntax(pacs: EmbeddedPacs, dcmtk: Run, name: str, options: list[str]) -> None:
    path = Path(pydicom.data.get_testdata_file(name))
    original = pydicom.dcmread(path)
    dcmtk("storescu", options, [str(path)])
    kept = pydicom.dcmread(pacs.store.path(str(original.SOPInstanceUID)))
    assert kept.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert kept.PixelData == original.PixelData


def test_the_same_again_is_accepted_and_other_content_refused(pacs: EmbeddedPacs) -> None:
    dataset = image(1, 1, 1)
    assert store(pacs, dataset, dataset) == [0x0000, 0x0000]
    before = pacs.store.path(uid(1, 1, 1)).read_bytes()
    assert store(pacs, image(1, 1, 1, PatientName="Someone^Else")) == [0x0111]
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert store(pacs, dataset) == [0x0111]
    assert pacs.store.path(uid(1, 1, 1)).read_bytes() == before


def test_an_object_that_is_not_what_it_is_called_is_refused(pacs: EmbeddedPacs) -> None:
    dataset = image(1, 1, 1)
    del dataset.StudyInstanceUID
    assert store(pacs, dataset) == [0xA900]
    with Client(pacs, [dataset]) as client:
        for name, status in ((uid(9, 9, 9), 0xA900), ("../../escaped", 0x0117)):
            assert _send_as(client, image(1, 1, 1), name) == status
    assert list(pacs.store.uids()) == []


def _send_as(client: Client, dataset: Dataset, name: str) -> int:
    from io import BytesIO

    from tasks.pixel_data import header_bytes

    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID = dataset.SOPClassUID
    request._affected_sop_instance_uid = pydicom.uid.UID(name)
    request.DataSet = BytesIO(header_bytes(dataset))
    association = client.association
    (context,) = [c for c in association.accepted_contexts if c.abstract_syntax == dataset.SOPClassUID]
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        pass
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return int(answer.Status)


def test_four_storescu_at_once_lose_nothing(pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path) -> None:
    groups = [[image(study, 1, number) for number in range(1, 41)] for study in range(1, 5)]
    folders = [tmp_path / f"in{number}" for number in range(4)]
    paths = [path for group, folder in zip(groups, folders, strict=True) for path in save(group, folder)]
    threads = [threading.Thread(target=dcmtk, args=("storescu", ["+sd"], [str(folder)])) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pacs.store.uids()) == sorted(path.stem for path in paths)
    assert all(encoded(pacs.store.path(path.stem)) == encoded(path) for path in paths)
    with Client(pacs) as client:
        answers = client.find("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances=None)
    assert sorted((a.StudyInstanceUID, a.NumberOfStudyRelatedInstances) for a in answers) == [(uid(s), 40) for s in range(1, 5)]


def test_the_same_uid_from_eight_sides_at_once_is_stored_once(pacs: EmbeddedPacs) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.extend(store(pacs, image(1, 1, 1, PatientName=f"N{n}")))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [0x0000] + [0x0111] * 7


def test_every_syntax_and_retired_classes_are_taken(pacs: EmbeddedPacs) -> None:
    retired = "1.2.840.10008.5.1.4.1.1.6"  # Ultrasound Image Storage, retired: legacy archives are full of it
    assert retired in storage_classes()
    assert storage_classes() == storage_classes()
    sent = []
    for number, syntax in enumerate((ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian), start=1):
        dataset = image(1, 1, number, SOPClassUID=retired)
        dataset.PixelData = b"\x00" * 128
        dataset.file_meta.TransferSyntaxUID = syntax
        sent.append(dataset)
    assert store(pacs, *sent) == [0, 0, 0]
    assert {pydicom.dcmread(pacs.store.path(uid(1, 1, n))).StudyInstanceUID for n in (1, 2, 3)} == {uid(1)}


def test_the_index_is_made_again_from_the_files(tmp_path: Path) -> None:
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs:
        store(pacs, image(1, 1, 1), image(1, 1, 2), image(2, 1, 1))
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs:
        pacs.store.path(uid(2, 1, 1)).unlink()
    (tmp_path / "pacs" / "incoming" / "left.dcm").write_bytes(b"half")
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs, Client(pacs) as client:
        assert [a.StudyInstanceUID for a in client.find("STUDY", StudyInstanceUID="")] == [uid(1)]
        assert not list((tmp_path / "pacs" / "incoming").iterdir())
    for damage in (lambda p: p.unlink(), lambda p: p.write_bytes(b"no database at all" * 500)):
        damage(tmp_path / "pacs" / "index.sqlite")
        with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs:
            assert store(pacs, image(1, 1, 1), image(1, 1, 2, PatientName="Other")) == [0x0000, 0x0111]
            with Client(pacs) as client:
                (answer,) = client.find("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances=None)
                assert answer.NumberOfStudyRelatedInstances == 2


def test_a_damaged_file_is_counted_and_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs:
        store(pacs, image(1, 1, 1), image(1, 1, 2))
        pacs.store.path(uid(1, 1, 2)).write_bytes(b"damaged")
    (tmp_path / "pacs" / "index.sqlite").unlink()
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs, Client(pacs) as client:
        assert [a.SOPInstanceUID for a in client.find("IMAGE", SOPInstanceUID="")] == [uid(1, 1, 1)]
    assert "1 files of the embedded PACS cannot be read" in caplog.text
    assert uid(1) not in caplog.text


_SERVE = """
import sys, time
from pathlib import Path
from tasks.pacs.server import EmbeddedPacs
with EmbeddedPacs(Path(sys.argv[1]), "P", int(sys.argv[2])) as pacs:
    print(pacs.port, flush=True)
    time.sleep(60)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged = 0
    for turn in range(1, 4):
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(tmp_path / "pacs"), "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        running = EmbeddedPacs(tmp_path, "P", int(process.stdout.readline()))
        datasets = [image(turn, 1, number) for number in range(1, 200)]
        client = Client(running, datasets)
        threading.Timer(0.1 * turn, os.kill, (process.pid, signal.SIGKILL)).start()
        for dataset in datasets:
            if client.association.send_c_store(dataset).get("Status") != 0x0000:
                break
            acknowledged += 1
        process.wait()
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs, Client(pacs) as client:
        kept = client.find("IMAGE", SOPInstanceUID="")
        assert acknowledged > 0
        assert acknowledged <= len(kept) <= acknowledged + 3
        assert all(len(pydicom.dcmread(pacs.store.path(a.SOPInstanceUID)).PixelData) == 128 for a in kept)


def test_one_folder_and_one_port_have_one_pacs(pacs: EmbeddedPacs, tmp_path: Path) -> None:
    with pytest.raises(StageBlockedError, match="another process has this PACS open"):
        EmbeddedPacs(pacs.folder, "P", 0).start()
    with pytest.raises(StageBlockedError, match=f"port {pacs.port} is taken"):
        EmbeddedPacs(tmp_path / "other", "P", pacs.port).start()
    EmbeddedPacs(tmp_path / "other", "P", 0).stop()
    with EmbeddedPacs(tmp_path / "other", "P", 0) as second, socket.create_connection(("127.0.0.1", second.port)):
        assert second.port != pacs.port


def test_it_echoes(dcmtk: Run) -> None:
    assert "Received Echo Response (Success)" in dcmtk("echoscu", ["-v"])
