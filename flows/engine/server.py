"""The Prefect server that goes with a run: started when there is something to do, gone with the run, its database in the
workspace.

Where the user points `PREFECT_API_URL` at a server of their own, that one is used and none is started.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import StageBlockedError

_PR_SET_PDEATHSIG = 1

QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_TASKS_REFRESH_CACHE": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}

# By default the server writes each event of a task run in a transaction of its own, which costs more than a batch does.
IN_BULK = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "2",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}


def settle_environment(home: Path) -> None:
    """Sets Prefect's environment for this process and its workers; has to come before the first import of Prefect."""
    os.environ.update(QUIET)
    os.environ["PREFECT_HOME"] = str(home)
    os.environ["PREFECT_PROFILES_PATH"] = str(home / "profiles.toml")


@contextmanager
def prefect_server(home: Path) -> Iterator[None]:
    """Prefect's API for the length of a run: the user's, or a server of our own on 127.0.0.1."""
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    home.mkdir(exist_ok=True, mode=0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = _start(home, port)
    try:
        _wait_until_healthy(process, port, home / "server.log")
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        yield
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(home: Path, port: int) -> "subprocess.Popen[bytes]":
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--log-level", "error", "--timeout-keep-alive", "5"]
    with (home / "server.log").open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **QUIET, **IN_BULK, "PREFECT_HOME": str(home)},
            preexec_fn=die_with_parent,
            start_new_session=True,  # Ctrl-C is for the run, which still has to tell the server how it ended
        )


def _wait_until_healthy(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise StageBlockedError(f"the Prefect server did not start: is there room in {log.parent}? Its log is {log.name} there")
