"""A disk that is full: the run ends with one line, what was committed stays whole, and once there is room the run goes on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.flows.command import FILMROOM, new_migration, said

# A file system of our own in a name space of our own, gone with the shell.
_SCRIPT = """
set -u
mount -t tmpfs -o size=3m tmpfs workspace
"$0" run -c filmroom.toml >run1.out 2>run1.err; echo $? >run1.code
"$0" audit verify -c filmroom.toml >verify1.out 2>verify1.err; echo $? >verify1.code
"$0" status --json -c filmroom.toml >status1.out 2>status1.err; echo $? >status1.code
mount -o remount,size=200m workspace
"$0" run -c filmroom.toml >run2.out 2>run2.err; echo $? >run2.code
"$0" audit verify -c filmroom.toml >verify2.out 2>verify2.err; echo $? >verify2.code
"$0" query --json -c filmroom.toml 'SELECT state, reason, count(*)::INT AS items FROM items GROUP BY ALL' \\
    >query2.out 2>query2.err; echo $? >query2.code
"""


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path, prefect: str) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        absent("a file system of a test's own needs user name spaces, which this machine does not allow")
    folder = new_migration(tmp_path / "migration", films=12, rows=800, columns=400).folder
    (folder / "workspace").mkdir()
    subprocess.run(
        ["unshare", "-Urm", "sh", "-c", _SCRIPT, str(FILMROOM)],
        cwd=folder,
        env={**os.environ, "PREFECT_API_URL": prefect},
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
    )
    run1, verify1, status1, run2, verify2, query2 = (
        said(int((folder / f"{name}.code").read_text()), *((folder / f"{name}.{end}").read_text() for end in ("out", "err")))
        for name in ("run1", "verify1", "status1", "run2", "verify2", "query2")
    )
    assert run1.code == 1
    assert "no space left" in run1.fault
    assert "free some, then run again" in run1.fault
    assert verify1.code == 0, verify1
    assert '"found": 12' in status1.out
    assert '"balanced": true' in status1.out
    assert (run2.code, run2.faults) == (0, ())
    assert verify2.code == 0, verify2
    assert '"state": "review"' in query2.out
    assert '"reason": "no patient could be read"' in query2.out
    assert '"items": 12' in query2.out
