"""A migration of the real films and the real odd objects into a real Orthanc by the command, with a person's decisions."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom

from flows.review.decisions import Decision, decide
from tasks.configuration import read_configuration
from tasks.workspace.layout import Workspace
from tests.orthanc import Orthanc, start_orthanc

FILMROOM = str(Path(sys.executable).with_name("filmroom"))

Rows = list[dict[str, Any]]

_SETTINGS = """
[project]
name = "real"
workspace = "workspace"
issuer = "STELSEWHERE"
now = "2026-11-01T12:00:00"
[[source]]
kind = "film"
path = "{data}/films/scans"
manifest = "{data}/films/jackets.csv"
years = [1930, 2010]
digitizer = {{ manufacturer = "VIDAR", model = "Diagnostic PRO", dpi = 150 }}
[[source]]
kind = "archive"
path = "{data}/dicom"
[patients]
index = "{data}/films/mpi.csv"
[target]
kind = "dimse"
host = "127.0.0.1"
port = {port}
ae_title = "ORTHANC"
"""

_ITEMS = """
    SELECT i.source, i.path, i.kind, i.state, i.reason, o.sop_instance_uid, o.study_instance_uid, o.pixel_sha256,
           o.rotation, o.mirrored,
           o.label_patient_id, l.patient_id, l.decision, h.changes, r.read_back_sha256
    FROM items i LEFT JOIN objects o USING (item_key) LEFT JOIN links l USING (study_instance_uid)
    LEFT JOIN headers h USING (object_key) LEFT JOIN receipts r ON r.sop_instance_uid = o.sop_instance_uid
    ORDER BY i.source, i.path
"""


@dataclass(frozen=True)
class Run:
    """What one `filmroom run` left behind: what it printed, the balance, and how far the log and the archive were after it."""

    printed: str
    status: dict[str, Any]
    items: Rows
    archive: tuple[dict[str, Any], dict[str, Any]]
    seconds: float


@dataclass(frozen=True)
class Migration:
    """Three runs (before a person decided anything, after, and once more), and what the archive held in the end."""

    data: Path
    runs: tuple[Run, Run, Run]
    held: dict[str, Path]  # SOP Instance UID to the file that the archive gave out
    instances: int  # in the archive
    scratch: Path

    @property
    def items(self) -> Rows:
        return self.runs[-1].items

    def verified(self, source: str) -> Rows:
        return [item for item in self.items if item["state"] == "verified" and item["source"] == source]


def truth(data: Path) -> dict[str, dict[str, str]]:
    """`truth.csv` by the film's path in the source."""
    with (data / "films/truth.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"].removeprefix("scans/"): row for row in csv.DictReader(file)}


@contextmanager
def migration(data: Path, folder: Path) -> Iterator[Migration]:
    """Runs all of it in `folder`."""
    with start_orthanc(folder) as orthanc:
        file = folder / "filmroom.toml"
        file.write_text(_SETTINGS.format(data=data, port=orthanc.dicom_port))
        first = _run(file, orthanc)
        _decide(file, first.items, truth(data))
        second, third = _run(file, orthanc), _run(file, orthanc)
        held: dict[str, Path] = {}
        contents = orthanc.instances()
        for number, content in enumerate(contents):
            path = folder / f"held-{number}.dcm"
            path.write_bytes(content)
            held[str(pydicom.dcmread(BytesIO(content), stop_before_pixels=True).SOPInstanceUID)] = path
        yield Migration(data, (first, second, third), held, len(contents), folder)


def filmroom(*arguments: str) -> str:
    """What the command prints."""
    done = subprocess.run([FILMROOM, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(file: Path, orthanc: Orthanc) -> Run:
    started = time.monotonic()
    printed = filmroom("run", "-c", str(file))
    seconds = time.monotonic() - started
    status = json.loads(filmroom("status", "-c", str(file), "--json"))
    items = json.loads(filmroom("query", "-c", str(file), "--json", _ITEMS))
    return Run(printed, status, items, (orthanc.rest("/statistics"), orthanc.rest("/changes?last")), seconds)


def _decide(file: Path, items: Rows, films: dict[str, dict[str, str]]) -> None:
    """Films by what is known of them, with the command; patients of legacy objects are new ones, with the desk's function.

    A film of nobody in the index, on whose label no number stands, stays undecided.
    """
    configuration = read_configuration(file)
    workspace = Workspace(configuration.project.workspace)
    decided: set[str] = set()
    for item in items:
        uid = item["study_instance_uid"]
        if item["state"] != "review" or uid is None or uid in decided:
            continue
        if item["source"] == "dicom":
            new = Decision(uid, "new patient", f"NEW-{len(decided):03}", "A. Tester", "nobody in the index", None)
            decide(configuration, workspace, new)
        elif choice := _choice(films[item["path"]]):
            filmroom("review", "decide", "-c", str(file), uid, *choice, "--by", "A. Tester", "--reason", "known")
        else:
            continue
        decided.add(uid)


def _choice(film: dict[str, str]) -> list[str]:
    if film["true_patient_id"]:
        return ["--link", film["true_patient_id"]]
    return ["--new-patient", film["label_patient_id"]] if film["label_patient_id"] else []
