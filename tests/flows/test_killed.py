"""kill -9 at random moments, then a run to the end: as if nothing had happened; decisions taken meanwhile are all kept."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.review.decisions import Decision, decide
from tasks.configuration import read_configuration
from tasks.errors import ConfigurationError
from tasks.schemas import TABLES
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.reading import open_views
from tests.conftest import ROOT
from tests.flows.command import FILMROOM, filmroom
from tests.orthanc import Orthanc, start_orthanc

KILLS, DECISIONS, GONE_WITHIN = 10, 50, 2.0
# Commits, hashes that cover what differs between two workspaces, the port of the target, and times by the real clock.
_DIFFER = {"fingerprint", "target", "not_before", "answers"}
pytestmark = pytest.mark.slow


def sample_into(folder: Path, orthanc: Orthanc) -> Path:
    """The sample migration with an Orthanc as its target; gives back the configuration."""
    shutil.copytree(ROOT / "data" / "sample", folder)
    file = folder / "filmroom.toml"
    before, _, rest = file.read_text().partition("[target]")
    target = f'[target]\nkind = "dimse"\nhost = "127.0.0.1"\nport = {orthanc.dicom_port}\nae_title = "ORTHANC"\n\n'
    text = before.replace('now = ""', 'now = "2026-11-01T12:00:00"') + target + rest[rest.index("[run]") :]
    assert "2026-11-01T12:00:00" in text
    file.write_text(text)
    return file


def workspace_of(file: Path) -> Workspace:
    """The workspace of a configuration."""
    configuration = read_configuration(file)
    return open_workspace(configuration.project.workspace, configuration.project.name)


def started(file: Path) -> subprocess.Popen[bytes]:
    """A run of its own."""
    env = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    nowhere = subprocess.DEVNULL
    return subprocess.Popen([FILMROOM, "run", "-c", file], stdin=nowhere, stdout=nowhere, stderr=nowhere, env=env)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not, it waits for its new parent to take note."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tables(file: Path) -> dict[str, list[Any]]:
    """Every view's rows by key, in the columns that have to be the same."""
    found = {}
    with open_views(workspace_of(file)) as connection:
        for name, table in TABLES.items():
            if name == "audit":
                continue
            columns = ", ".join(f'"{c}"' for c in table.schema.names if c not in _DIFFER)
            found[name] = connection.execute(f"SELECT {columns} FROM {name} ORDER BY ALL").fetchall()
        found["states"] = connection.execute("SELECT * FROM item_states ORDER BY ALL").fetchall()
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with start_orthanc(folder) as orthanc:
        file = sample_into(folder / "sample", orthanc)
        assert filmroom("run", "-c", file).faults == ()
        yield file


def test_killed_anywhere_it_ends_as_if_undisturbed(undisturbed: Path, tmp_path: Path) -> None:
    dice = random.Random(20261101)
    with start_orthanc(tmp_path) as orthanc:
        file = sample_into(tmp_path / "sample", orthanc)
        for _ in range(KILLS):
            run = started(file)
            time.sleep(dice.uniform(1.0, 22.0))
            family = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
            run.send_signal(signal.SIGKILL)
            run.wait()
            deadline = time.monotonic() + GONE_WITHIN
            while alive := [process for process in family if is_alive(process)]:
                assert time.monotonic() < deadline, alive
                time.sleep(0.05)
        assert filmroom("run", "-c", file).faults == ()
        assert filmroom("audit", "verify", "-c", file).code == 0
        assert tables(file) == tables(undisturbed)
        with open_views(workspace_of(file)) as connection:
            verified = connection.execute("SELECT sop_instance_uid FROM objects WHERE state = 'verified' ORDER BY 1").fetchall()
        held = sorted(instance["MainDicomTags"]["SOPInstanceUID"] for instance in orthanc.rest("/instances?expand"))
        assert held == [uid for (uid,) in verified]


def test_decisions_beside_a_run_are_all_kept(undisturbed: Path) -> None:
    configuration = read_configuration(undisturbed)
    workspace = workspace_of(undisturbed)
    with open_views(workspace) as connection:
        studies = [uid for (uid,) in connection.execute("""
            SELECT DISTINCT study_instance_uid FROM links JOIN objects USING (study_instance_uid)
            WHERE state = 'review' ORDER BY 1""").fetchall()]  # fmt: skip
    for film in sorted((undisturbed.parent / "scans").glob("*.tif"))[:20]:
        os.utime(film)  # the run has something to do
    run = started(undisturbed)
    taken: list[tuple[str, str]] = []
    deadline = time.monotonic() + 120
    while len(taken) < DECISIONS:
        study = studies[len(taken) % len(studies)]
        choice = "nobody" if len(taken) // len(studies) % 2 == 0 else "undo"
        try:
            number = decide(configuration, workspace, Decision(study, choice, "", "A. Reviewer", f"no {len(taken)}", None))
        except ConfigurationError:  # its jacket is being assembled again just now
            assert time.monotonic() < deadline
            time.sleep(0.2)
            continue
        assert number > 0
        taken.append((study, choice))
    beside = run.poll() is None
    assert run.wait(300) == 0
    assert beside, "the run was over before the last decision"
    kept = json.loads(filmroom("query", "-c", undisturbed, "--json", "SELECT * FROM decisions ORDER BY commit").out)
    assert [(row["study_instance_uid"], row["decision"]) for row in kept] == taken
    assert filmroom("run", "-c", undisturbed).faults == ()
    assert filmroom("audit", "verify", "-c", undisturbed).code == 0
    status = json.loads(filmroom("status", "-c", undisturbed, "--json").out)
    assert status["balanced"]
