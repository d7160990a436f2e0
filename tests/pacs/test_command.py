"""`filmroom pacs serve`, the command, and whom it serves: DCMTK's clients and an Orthanc."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

import flows.run
from tasks.configuration import read_configuration
from tasks.workspace.layout import Workspace
from tests.orthanc import Orthanc, start_orthanc
from tests.pacs.conftest import Client, free_port
from tests.pacs.objects import encoded, image, save, uid

FILMROOM = str(Path(sys.executable).with_name("filmroom"))
Tool = Callable[[str], str]


def _configured(folder: Path, target: str) -> Path:
    (folder / "scans").mkdir(parents=True)
    file = folder / "filmroom.toml"
    project = '[project]\nname = "serve"\nworkspace = "workspace"\n[[source]]\nkind = "film"\npath = "scans"\n'
    file.write_text(f'{project}[target]\nkind = "embedded"\nae_title = "FILMROOMPACS"\nport = 0\n{target}\n')
    return file


@dataclass(frozen=True)
class Running:
    """Where a PACS listens."""

    ae_title: str
    port: int


class Served:
    """The PACS of a workspace, served by the command. `ae_title` and `port` are as it prints them."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path):
        self.process, self.folder = process, folder
        assert process.stdout is not None
        said = process.stdout.readline()
        printed = re.fullmatch(r"(\S+) on 127\.0\.0\.1:(\d+); Ctrl-C ends it\n", said)
        assert printed is not None, said
        self.ae_title, self.port = printed[1], int(printed[2])

    def kept(self) -> dict[str, bytes]:
        return {str(pydicom.dcmread(path).SOPInstanceUID): encoded(path) for path in self.folder.rglob("*.dcm")}


@contextmanager
def _served(configuration: Path) -> Iterator[Served]:
    command = [FILMROOM, "pacs", "serve", "-c", str(configuration)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process, configuration.parent / "workspace" / "pacs")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.fixture
def configuration(tmp_path: Path, storescp: tuple[Path, int]) -> Path:
    """Of a migration that has been run, whose PACS may send to `VIEWER`, which listens, and to `GONE`, which does not."""
    addresses = f'destinations = {{ VIEWER = "127.0.0.1:{storescp[1]}", GONE = "localhost:{free_port()}" }}'
    file = _configured(tmp_path / "m", addresses)
    subprocess.run([FILMROOM, "run", "-c", str(file)], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return file


@pytest.fixture
def run(debian_tool: Tool) -> Callable[..., str]:
    """Runs one of DCMTK's clients against a served PACS and gives back all it printed."""

    def tool(
        name: str, served: Served | Running, options: list[str], arguments: list[str] | None = None, code: int | None = 0
    ) -> str:
        address = ["-aec", served.ae_title, "127.0.0.1", str(served.port)]
        command = [debian_tool(name), *options, *address, *(arguments or [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return tool


def test_a_run_serves_the_same_destinations(
    configuration: Path, storescp: tuple[Path, int], run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.run, "prefect_server", lambda home: nullcontext())
    monkeypatch.setattr(flows.run, "settle_environment", lambda home: None)
    workspace = Workspace(configuration.parent / "workspace")
    with flows.run._servers(read_configuration(configuration), workspace):
        served = Running("FILMROOMPACS", int((workspace.root / "pacs" / "port").read_text()))
        with Client(served, [image(1, 1, 1)]) as client:
            assert client.store(image(1, 1, 1)) == [0x0000]
        run("movescu", served, ["-S", "-aem", "VIEWER", *_keys("STUDY", StudyInstanceUID=uid(1))])
    assert len(list(storescp[0].iterdir())) == 1


def _keys(level: str, **keys: str) -> list[str]:
    given = {"QueryRetrieveLevel": level} | keys
    return [part for name, value in given.items() for part in ("-k", f"{name}={value}" if value else name)]


def _collection() -> list[Dataset]:
    """Four patients, two studies each, in each study two series of five images: 80 objects."""
    return [
        image(2 * patient + study, series, number, patient=f"P{patient}", size=64, Modality=("CR", "DX")[series])
        for patient in range(4)
        for study in range(2)
        for series in range(2)
        for number in range(5)
    ]


def test_dcmtk_finds_gets_and_moves_what_four_senders_stored(
    configuration: Path, run: Callable[..., str], storescp: tuple[Path, int], tmp_path: Path, debian_tool: Tool
) -> None:
    sent = _collection()
    paths = save(sent, tmp_path / "in")
    originals = {path.stem: encoded(path) for path in paths}
    with _served(configuration) as served:
        storescu = [debian_tool("storescu"), "-aec", served.ae_title, "127.0.0.1", str(served.port)]
        senders = [subprocess.Popen([*storescu, *map(str, paths[start::4])], stderr=subprocess.DEVNULL) for start in range(4)]
        assert [sender.wait(120) for sender in senders] == [0, 0, 0, 0]
        assert served.kept() == originals

        def found(level: str, **keys: str) -> list[Dataset]:
            folder = tmp_path / f"{level}{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            run("findscu", served, ["-P" if level == "PATIENT" else "-S", "-X", "-od", str(folder), *_keys(level, **keys)])
            return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]

        counts = [f"NumberOfPatientRelated{what}" for what in ("Studies", "Series", "Instances")]
        patients = found("PATIENT", PatientID="", **dict.fromkeys(counts, ""))
        assert [(p.PatientID, *(p[name].value for name in counts)) for p in patients] == [(f"P{n}", 2, 4, 20) for n in range(4)]
        counts = [f"NumberOfStudyRelated{what}" for what in ("Series", "Instances")]
        studies = found("STUDY", StudyInstanceUID="", ModalitiesInStudy="", **dict.fromkeys(counts, ""))
        assert {s.StudyInstanceUID for s in studies} == {uid(number) for number in range(8)}
        assert {(tuple(s.ModalitiesInStudy), *(s[name].value for name in counts)) for s in studies} == {(("CR", "DX"), 2, 10)}
        series = found("SERIES", StudyInstanceUID=uid(3), SeriesInstanceUID="", NumberOfSeriesRelatedInstances="")
        assert {(s.SeriesInstanceUID, s.NumberOfSeriesRelatedInstances) for s in series} == {(uid(3, 0), 5), (uid(3, 1), 5)}
        images = found("IMAGE", StudyInstanceUID=uid(3), SeriesInstanceUID=uid(3, 1), SOPInstanceUID="")
        assert {i.SOPInstanceUID for i in images} == {uid(3, 1, number) for number in range(5)}

        of_study = {name: content for name, content in originals.items() if name.startswith(uid(5) + ".")}
        assert len(of_study) == 10
        got = tmp_path / "got"
        got.mkdir()
        run("getscu", served, ["-S", "+B", "-od", str(got), *_keys("STUDY", StudyInstanceUID=uid(5))])
        assert {str(pydicom.dcmread(path).SOPInstanceUID): encoded(path) for path in got.iterdir()} == of_study

        def move(destination: str) -> str:
            options = ["-d", "-S", "-aem", destination, *_keys("STUDY", StudyInstanceUID=uid(5))]
            return run("movescu", served, options, code=None).lower()

        assert "completed suboperations       : 10" in move("VIEWER")
        assert {str(pydicom.dcmread(path).SOPInstanceUID): encoded(path) for path in storescp[0].iterdir()} == of_study
        assert "0xa801" in move("NOBODY")
        assert "0xa801" in move("GONE")


def test_what_was_acknowledged_is_there_after_the_next_start(configuration: Path, tmp_path: Path) -> None:
    sent = [image(1, 1, number) for number in range(5)]
    originals = {path.stem: encoded(path) for path in save(sent, tmp_path / "in")}
    with _served(configuration) as served, Client(served, sent) as client:
        assert client.store(*sent) == [0x0000] * 5
    with _served(configuration) as served:
        assert served.kept() == originals
        with Client(served) as client:
            assert len(client.find("IMAGE", SOPInstanceUID="")) == 5


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[tuple[Orthanc, Path]]:
    """An Orthanc, and the configuration of a PACS that may send to it."""
    with start_orthanc(tmp_path) as running:
        file = _configured(tmp_path / "m", f'destinations = {{ ORTHANC = "127.0.0.1:{running.dicom_port}" }}')
        subprocess.run([FILMROOM, "run", "-c", str(file)], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        yield running, file


def test_orthanc_stores_finds_and_moves(orthanc: tuple[Orthanc, Path], tmp_path: Path) -> None:
    client, configuration = orthanc

    def ask(path: str, body: object, method: str = "POST") -> Any:
        return client.rest(path, method, json.dumps(body).encode())

    sent = _collection()[:40]
    with _served(configuration) as served:
        ask("/modalities/pacs", {"AET": served.ae_title, "Host": "127.0.0.1", "Port": served.port}, "PUT")
        keys = [client.rest("/instances", "POST", path.read_bytes())["ID"] for path in save(sent, tmp_path / "in")]
        done = ask("/modalities/pacs/store", {"Resources": keys, "Synchronous": True})
        assert (done["InstancesCount"], done["FailedInstancesCount"]) == (40, 0)
        assert served.kept().keys() == {str(dataset.SOPInstanceUID) for dataset in sent}
        for level, query, count in (
            ("Patient", {"PatientID": ""}, 2),
            ("Study", {"StudyInstanceUID": "", "PatientID": "P0"}, 2),
            ("Series", {"StudyInstanceUID": uid(1), "SeriesInstanceUID": ""}, 2),
            ("Instance", {"StudyInstanceUID": uid(1), "SeriesInstanceUID": uid(1, 0), "SOPInstanceUID": ""}, 5),
        ):
            made = ask("/modalities/pacs/query", {"Level": level, "Query": query})
            assert len(client.rest(f"/queries/{made['ID']}/answers")) == count
        for key in keys:
            client.rest(f"/instances/{key}", "DELETE")
        named = {"Level": "Study", "Resources": [{"StudyInstanceUID": uid(1)}], "TargetAet": "ORTHANC", "Synchronous": True}
        ask("/modalities/pacs/move", named)
        held = {str(d.SOPInstanceUID): d.PixelData for d in map(pydicom.dcmread, map(BytesIO, client.instances()))}
        assert held == {str(d.SOPInstanceUID): d.PixelData for d in sent if d.StudyInstanceUID == uid(1)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('destinations = { VIEWER = "10.0.0.7" }', '[target] destinations.VIEWER: must be an address such as "10.0.0.7:104"'),
        ('destinations = { VIEWER = "10.0.0.7:0" }', "[target] destinations.VIEWER: must be an address"),
        ("destinations = { VIEWER = 104 }", "[target] destinations.VIEWER: must be an address"),
        ('destinations = { A_TITLE_TOO_LONG_ = "h:104" }', "[target] destinations: 'A_TITLE_TOO_LONG_' is no AE title"),
        ("destinations = { 'A\\B' = 'h:104' }", "is no AE title"),
        ('destinations = "10.0.0.7:104"', "[target] destinations: must be a table"),
    ],
)
def test_a_destination_that_is_none_is_told_in_one_line(tmp_path: Path, line: str, said: str) -> None:
    file = _configured(tmp_path / "m", line)
    done = subprocess.run([FILMROOM, "pacs", "serve", "-c", str(file)], capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
