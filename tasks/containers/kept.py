"""What was unpacked once and is read many times: in memory where it is small, else in a file of the workspace's spill folder.

Files are shared by all workers of a run. Beyond `LARGEST_KEPT` those not used for longest are removed, and the next run empties
the folder. Who has one open keeps it until it closes it.
"""

import fcntl
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

IN_MEMORY = 2**25
LARGEST_KEPT = 50 * 10**9  # bytes of all files together; one larger is kept alone


class Growing:
    """A file that is written from its beginning: in memory up to `IN_MEMORY` bytes, then below `path`."""

    def __init__(self, path: Path):
        self._path = path
        self._file: BinaryIO = io.BytesIO()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Appends."""
        if isinstance(self._file, io.BytesIO) and self.size + len(data) > IN_MEMORY:
            memory, self._file = self._file, self._path.open("w+b")
            self._file.write(memory.getbuffer())
        self._file.write(data)
        self.size += len(data)

    def truncate(self, size: int) -> None:
        """Cuts off what was written from `size` on."""
        self._file.seek(self._file.truncate(size))
        self.size = size

    def finished(self) -> BinaryIO | None:
        """What was written, if it is in memory; else it is all in the file."""
        if isinstance(self._file, io.BytesIO):
            return self._file
        self._file.close()
        return None

    def discard(self) -> None:
        """Removes what was written."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def kept(folder: Path, key: str, fill: Callable[[Growing], object]) -> BinaryIO:
    """The content that `fill` writes, made anew or found below `folder` under its `key`; open for reading."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / key
    if found := _found(path):
        return found
    with _alone(folder / f"{key}.lock"):
        if found := _found(path):
            return found
        part = folder / f"{key}.{os.getpid()}-{threading.get_ident()}.part"
        growing = Growing(part)
        try:
            fill(growing)
        except BaseException:
            growing.discard()
            raise
        if memory := growing.finished():
            return memory
        file = part.open("rb")
        part.rename(path)
    _make_room(folder, path)
    return file


def _found(path: Path) -> BinaryIO | None:
    try:
        os.utime(path)
        return path.open("rb")
    except FileNotFoundError:
        return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Saves work and no more: who comes while the lock is taken away does the work again, in a file of its own."""
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _make_room(folder: Path, newest: Path) -> None:
    """Removes files, the one not used for longest first, until the rest is no more than `LARGEST_KEPT`."""
    files = []
    for path in folder.glob("[0-9a-f]" * 32):
        try:
            files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        except FileNotFoundError:
            continue  # another worker makes room too
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LARGEST_KEPT:
            return
        if path != newest:
            path.unlink(missing_ok=True)
            total -= size
