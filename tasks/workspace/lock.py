"""One run at a time: `flock` on `run.lock`, which says who holds it (host, pid, since)."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tasks.errors import RunActiveError
from tasks.workspace.layout import Workspace


@contextmanager
def run_lock(workspace: Workspace) -> Iterator[None]:
    """Holds the run lock; raises `RunActiveError` that says who runs where another does."""
    path = workspace.root / "run.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunActiveError(
                f"a run is active in {workspace.root} ({_holder(descriptor)}): wait for it or stop it"
            ) from error
        os.ftruncate(descriptor, 0)
        facts = {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.pwrite(descriptor, json.dumps(facts).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        facts = json.loads(os.pread(descriptor, 4096, 0))
        return f"host {facts['host']}, pid {facts['pid']}, since {facts['since']}"
    except (ValueError, KeyError):
        return "it has just started"
