"""Ends the worker processes of a run that was killed, however far they are with starting, and the tools they started.

A process of its own holds the reading end of a pipe that closes when the run is gone. What belongs to the run is known by an
environment variable that is set before the first worker starts, and that all of them inherit.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

_NAME = "FILMROOM_RUN"


class Watchdog:
    """The run's side: the watch lasts until `dismiss`, which is for when the workers have ended."""

    def __init__(self) -> None:
        os.environ[_NAME] = secrets.token_hex(16)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, os.environ[_NAME]], stdin=subprocess.PIPE, start_new_session=True, env={}
        )

    def dismiss(self) -> None:
        """Ends the watch."""
        self._process.kill()
        self._process.communicate()


def wait_and_kill(token: str) -> None:
    """The watchdog's side: waits until the pipe closes, then kills what has the token in its environment."""
    sys.stdin.read()
    mark = f"{_NAME}={token}".encode()
    for _ in range(3):  # what was between fork and exec is seen the next time
        for process in Path("/proc").glob("[0-9]*"):
            try:
                ours = mark in (process / "environ").read_bytes().split(b"\0")
                # multiprocessing's own tracker ends when the last worker has, and cleans up after them.
                if ours and b"resource_tracker" not in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue  # somebody else's, or gone meanwhile
        time.sleep(0.3)


if __name__ == "__main__":
    wait_and_kill(sys.argv[1])
