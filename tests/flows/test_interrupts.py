"""Ctrl-C and SIGTERM: a run ends at once with one line and leaves no process; a second run beside it is refused."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.flows.command import FILMROOM, Migration, new_migration, said

INTERRUPTED = "filmroom: interrupted; run again to go on"
ENDS_WITHIN = 5.0  # seconds; on a machine with nothing else to do it takes less than two


@contextmanager
def started(migration: Migration, until: str) -> Iterator[subprocess.Popen[str]]:
    """A run of its own, as a terminal starts one, once it has written a line that begins so; an empty one: after a second."""
    with subprocess.Popen(
        [FILMROOM, "run", "-c", migration.file],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
    ) as run:
        try:
            assert run.stderr is not None
            if until:
                assert any(line.startswith(until) for line in iter(run.stderr.readline, "")), "ended before"
            else:
                _wait_for_server(run.pid)
            yield run
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)


def _wait_for_server(pid: int) -> None:
    deadline = time.monotonic() + 30
    while not any("uvicorn" in child.cmdline() for child in psutil.Process(pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_ends_at_once(run: subprocess.Popen[str], number: signal.Signals) -> None:
    """Sends the signal, Ctrl-C to the whole group as a terminal does, and judges how the run ends."""
    processes = psutil.Process(run.pid).children(recursive=True)
    assert processes, "its Prefect server and its workers"
    sent = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(run.pid, number)
    else:
        os.kill(run.pid, number)
    out, err = run.communicate(timeout=60)
    took = time.monotonic() - sent
    ended = said(run.returncode, out, err)
    assert ended.fault == INTERRUPTED
    assert (ended.code, ended.out) == (1, "")
    assert took < ENDS_WITHIN
    _, alive = psutil.wait_procs(processes, timeout=2)
    assert [process.cmdline() for process in alive] == []


@pytest.mark.slow
def test_ctrl_c_and_a_second_run(tmp_path: Path, prefect: str) -> None:
    migration = new_migration(tmp_path / "migration", films=24)
    migration.file.write_text(migration.file.read_text().replace('"threads"', '"processes"'))
    with started(migration, "wrap: ") as run:
        second = migration.run()
        assert (second.code, second.out) == (2, "")
        assert f"a run is active in {migration.folder / 'workspace'} (host " in second.fault
        assert f", pid {run.pid}, since 2" in second.fault
        assert "wait for it or stop it" in second.fault
        assert_ends_at_once(run, signal.SIGINT)
    migration.assert_whole()
    assert migration.status() == {"waiting": 24}
    again = Migration(migration.folder, prefect).run()
    assert (again.code, again.faults) == (0, ())
    assert migration.status() == {"review": 24}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_the_server_starts(tmp_path: Path, number: signal.Signals) -> None:
    migration = new_migration(tmp_path / "migration")
    with started(migration, "") as run:
        assert_ends_at_once(run, number)


@pytest.mark.slow
def test_sigterm(tmp_path: Path) -> None:
    migration = new_migration(tmp_path / "migration", films=24)
    migration.file.write_text(migration.file.read_text().replace('"threads"', '"processes"'))
    with started(migration, "scan: ") as run:
        assert_ends_at_once(run, signal.SIGTERM)
    migration.assert_whole()
