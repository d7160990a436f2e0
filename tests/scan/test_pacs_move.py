"""A PACS that offers C-MOVE alone: it sends to our own receiver."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from tasks.network.receiver import Receiver
from tests.orthanc import free_port, start_orthanc
from tests.scan.pacs_objects import Emptying, as_file, instance, path_of


def test_what_is_moved_to_us_arrives(tmp_path: Path) -> None:
    held = [instance(study, series, number) for study in (1, 2) for series in (1, 2) for number in (1, 2, 3)]
    port = free_port()
    ours = {"AET": "FILMROOM", "Host": "127.0.0.1", "Port": port, "AllowGet": False}
    with start_orthanc(tmp_path, DicomAlwaysAllowGet=False, DicomModalities={"FILMROOM": ours}) as orthanc:
        for dataset in held:
            orthanc.rest("/instances", "POST", as_file(dataset))
        emptying = Emptying(tmp_path / "w", orthanc.dicom_port, our_port=port, retrieve="move")
        assert emptying.items() == {path_of(dataset): ("done", "") for dataset in held}
        socket.create_connection(("127.0.0.1", port)).close()  # it was sent to us


def test_dcmtk_reaches_the_receiver(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    port, came = free_port(), {}
    receiver = Receiver(port, "FILMROOM", lambda calling, received: came.update({received.sop_instance_uid: calling}))
    file = tmp_path / "one.dcm"
    file.write_bytes(as_file(instance(1, 1, 1)))
    at = ("127.0.0.1", str(port))
    try:
        subprocess.run([debian_tool("echoscu"), *at], check=True)
        subprocess.run([debian_tool("storescu"), "-aet", "OLDPACS", *at, str(file)], check=True)
    finally:
        receiver.close()
    assert came == {str(instance(1, 1, 1).SOPInstanceUID): "OLDPACS"}
