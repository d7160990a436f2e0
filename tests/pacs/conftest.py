"""A PACS that listens, a pynetdicom client, DCMTK's tools."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from tasks.pacs.server import EmbeddedPacs

Run = Callable[..., str]


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[EmbeddedPacs]:
    with EmbeddedPacs(tmp_path / "pacs", "FILMROOMPACS", 0) as running:
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def dcmtk(debian_tool: Callable[[str], str], pacs: EmbeddedPacs) -> Run:
    """Runs one of DCMTK's clients against the PACS and gives back all it printed; fails where it fails."""

    def run(
        name: str, options: Sequence[str] = (), arguments: Sequence[str] = (), code: int = 0, cwd: Path | None = None
    ) -> str:
        command = [debian_tool(name), "-aec", pacs.ae_title, *options, "127.0.0.1", str(pacs.port), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd, errors="replace")
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


class Listening(Protocol):
    """A PACS as a client sees it."""

    @property
    def ae_title(self) -> str: ...
    @property
    def port(self) -> int: ...


class Client:
    """One association of pynetdicom's to a PACS."""

    def __init__(self, pacs: Listening, datasets: Sequence[Dataset] = (), **options: Any):
        entity = AE(options.pop("ours", "CLIENT"))
        pairs = {(str(d.SOPClassUID), str(d.file_meta.TransferSyntaxUID)) for d in datasets}
        contexts = [build_context(Verification), build_context(StudyRootQueryRetrieveInformationModelFind)]
        contexts += [build_context(sop_class, [syntax]) for sop_class, syntax in sorted(pairs)]
        contexts += options.pop("contexts", [])
        self.association = entity.associate("127.0.0.1", pacs.port, contexts=contexts, ae_title=pacs.ae_title, **options)
        assert self.association.is_established

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.association.release()

    def store(self, *datasets: Dataset) -> list[int]:
        return [self.association.send_c_store(dataset).Status for dataset in datasets]

    def find(self, level: str, model: str = StudyRootQueryRetrieveInformationModelFind, **keys: object) -> list[Dataset]:
        status, answers = self.find_status(level, model, **keys)
        assert status == 0x0000
        return answers

    def find_status(
        self, level: str, model: str = StudyRootQueryRetrieveInformationModelFind, **keys: object
    ) -> tuple[int, list[Dataset]]:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        answers, last = [], -1
        for status, answer in self.association.send_c_find(identifier, model):
            last = status.Status
            if answer is not None:
                answers.append(answer)
        return last, answers


def store(pacs: Listening, *datasets: Dataset) -> list[int]:
    with Client(pacs, datasets) as client:
        return client.store(*datasets)


@pytest.fixture
def storescp(debian_tool: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """DCMTK's storescp, which accepts every syntax; (folder it stores into, port)."""
    folder, port = tmp_path / "moved", free_port()
    folder.mkdir()
    with subprocess.Popen([debian_tool("storescp"), "+xa", "+B", "-od", str(folder), str(port)]) as process:
        time.sleep(0.5)
        yield folder, port
        process.terminate()
