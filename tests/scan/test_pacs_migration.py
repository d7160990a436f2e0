"""From one real Orthanc into another by the command: killed on the way, nothing twice, nothing missing, all pixels equal."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.orthanc import Orthanc, start_orthanc
from tests.scan.pacs_objects import as_file, instance

FILMROOM = str(Path(sys.executable).with_name("filmroom"))
STUDIES, SERIES, A_SERIES, KILLS = 10, 2, 4, 5
_SETTINGS = """
[project]
name = "legacy"
workspace = "workspace"
issuer = "STELSEWHERE"
[[source]]
kind = "pacs"
host = "127.0.0.1"
port = {source}
ae_title = "ORTHANC"
[patients]
index = "mpi.csv"
[target]
kind = "dimse"
host = "127.0.0.1"
port = {target}
ae_title = "ORTHANC"
"""


def filmroom(*arguments: str, file: Path) -> str:
    done = subprocess.run([FILMROOM, *arguments, "-c", str(file)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def index_line(dataset: Dataset) -> str:
    """The patient's line in the index."""
    family, given = str(dataset.PatientName).split("^")
    born = dataset.PatientBirthDate
    return f"{dataset.PatientID},{family},{given},{born[:4]}-{born[4:6]}-{born[6:]},{dataset.PatientSex}"


def pixels(orthanc: Orthanc) -> dict[str, str]:
    """SHA-256 of the pixels of all that an archive holds, by SOP Instance UID."""
    held = {}
    for content in orthanc.instances():
        dataset = pydicom.dcmread(BytesIO(content))
        assert dataset.SOPInstanceUID not in held
        held[str(dataset.SOPInstanceUID)] = hashlib.sha256(dataset.pixel_array.tobytes()).hexdigest()
    return held


@pytest.mark.slow
def test_a_migration_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with start_orthanc(tmp_path / "old") as old, start_orthanc(tmp_path / "new") as new:
        for study in range(STUDIES):
            for series in range(SERIES):
                for number in range(A_SERIES):
                    old.rest("/instances", "POST", as_file(instance(study, series, number)))
        lines = [index_line(instance(study, 1, 1)) for study in range(STUDIES)]
        (tmp_path / "mpi.csv").write_text("\n".join(["patient_id,family_name,given_name,birth_date,sex", *lines]) + "\n")
        file = tmp_path / "filmroom.toml"
        file.write_text(_SETTINGS.format(source=old.dicom_port, target=new.dicom_port))
        dice = random.Random(5)
        for _ in range(KILLS):
            with subprocess.Popen(
                [FILMROOM, "run", "-c", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as run:
                time.sleep(dice.uniform(2, 8))
                run.send_signal(signal.SIGKILL)
        filmroom("run", file=file)
        filmroom("audit", "verify", file=file)
        states = json.loads(
            filmroom("query", "--json", "SELECT state, reason, count(*) AS n FROM items GROUP BY ALL", file=file)
        )
        assert [(row["state"], row["n"]) for row in states] == [("verified", STUDIES * SERIES * A_SERIES)], states
        assert pixels(new) == pixels(old)
        assert not list((tmp_path / "workspace/received").rglob("*.dcm"))  # nobody needs them any more
