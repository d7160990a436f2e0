"""A real Orthanc for tests: Debian's, on 127.0.0.1 and free ports, with its storage in the test's folder, stopped by its pid.

def test_it(tmp_path, debian_tool):
    with start_orthanc(tmp_path, executable=debian_tool("Orthanc"), OverwriteInstances=True) as orthanc: ...
"""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.conftest import absent

AE_TITLE = "ORTHANC"
_START_SECONDS = 60


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Orthanc:
    """A running Orthanc; a context manager that kills it in the end. `rest` asks its REST interface."""

    dicom_port: int
    http_port: int
    process: subprocess.Popen[bytes]
    ae_title: str = AE_TITLE
    host: str = "127.0.0.1"

    def rest(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        """The JSON answer to a request, or its bytes where it is not JSON (such as `/instances/ID/file`)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            return json.loads(content) if "json" in answer.headers.get("Content-Type", "") else content

    def instances(self) -> list[bytes]:
        """All it holds, each a DICOM file."""
        return [self.rest(f"/instances/{key}/file") for key in sorted(self.rest("/instances"))]

    def stop(self) -> None:
        """Ends it, and waits until it has gone."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> "Orthanc":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()  # a clean end takes it seconds, and the storage goes with the test
        self.process.wait()


def start_orthanc(folder: Path, executable: str | None = None, **options: Any) -> Orthanc:
    """Starts one and waits until it answers; `options` go into its configuration. Skips the test where Orthanc is absent."""
    program = executable or shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        absent("Orthanc is not installed (a Debian package, see .ci/run)")
    assert program is not None
    for _ in range(3):  # another test may take a port between its choice and its use
        orthanc = _start(folder, program, options)
        if _answers(orthanc):
            return orthanc
        orthanc.stop()
    raise RuntimeError((folder / "orthanc.log").read_text(errors="replace")[-2000:])


def _start(folder: Path, program: str, options: dict[str, Any]) -> Orthanc:
    dicom_port, http_port = free_port(), free_port()
    storage = folder / "orthanc"
    settings = {
        "Name": "test",
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "DicomAet": AE_TITLE,
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomModalities": {"FILMROOM": ["FILMROOM", "127.0.0.1", 11113]},
        "Plugins": [],
    }
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(settings | options))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(configuration)], stdout=log, stderr=log)
    return Orthanc(dicom_port, http_port, process)


def _answers(orthanc: Orthanc) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and orthanc.process.poll() is None:
        try:
            orthanc.rest("/system")
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return True
    return False


@pytest.fixture
def orthanc(tmp_path: Path) -> Any:
    """An Orthanc as Debian delivers it that knows our AE title."""
    with start_orthanc(tmp_path) as running:
        yield running
