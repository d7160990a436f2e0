"""The interface of every container: members by path, each opened as a stream."""

import errno
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, BinaryIO, Literal

from tasks.errors import QuarantineError
from tasks.printable import printable_path

MOST_MEMBERS = 100_000
Refused = Literal["link", "special", "outside", "encrypted", "damaged"]


@dataclass(frozen=True)
class Member:
    """A file in a container: its path below it (printable, different from all others), its size unpacked and packed in bytes.

    `packed` is `None` where it has no size of its own (a solid archive). `refused` says why it is not opened. `where` is the
    container's own affair.
    """

    path: str
    bytes: int
    packed: int | None
    where: Any = None
    refused: Refused | None = None


@dataclass(frozen=True)
class Container:
    """An open container: its members in its own order, by path; the bytes of the file it is.

    `open` gives a member's stream, and raises whatever it likes where that is damaged, see `is_damage`. `fault` says what may
    be in it beside the members.
    """

    members: Mapping[str, Member]
    open: Callable[[Member], IO[bytes]]
    bytes: int
    fault: str = ""


def by_path(found: Iterable[tuple[bytes, Member]]) -> dict[str, Member]:
    """Members by their path, made of the raw name beside each; the second and later ones of a name end in `!2`, `!3`...

    Raises `QuarantineError` above `MOST_MEMBERS`.
    """
    seen: dict[str, int] = {}
    members: dict[str, Member] = {}
    for raw, member in found:
        if len(members) == MOST_MEMBERS:
            raise QuarantineError(f"an archive of more than {MOST_MEMBERS} members: not opened, it may be a bomb")
        path, leads_out = _settled(raw)
        seen[path] = seen.get(path, 0) + 1
        path = path if seen[path] == 1 else f"{path}!{seen[path]}"
        members[path] = replace(member, path=path, refused=member.refused or ("outside" if leads_out else None))
    return members


def _settled(raw: bytes) -> tuple[str, bool]:
    """A member's path without `.` and empty folders, and whether it leads out of the container."""
    parts = [part for part in raw.split(b"/")[:-1] if part not in (b"", b".")] + [raw.rpartition(b"/")[2]]
    depth = lowest = 0
    for part in b"/".join(parts).replace(b"\\", b"/").split(b"/"):
        depth += -1 if part == b".." else 1
        lowest = min(lowest, depth)
    return printable_path((b"/" if raw.startswith(b"/") else b"") + b"/".join(parts)), lowest < 0


def is_damage(error: Exception) -> bool:
    """Whether what a container or its decompressors raised speaks of its content, and not of a disk or network."""
    return not isinstance(error, OSError) or error.errno in (None, errno.EINVAL)


class Extents(io.RawIOBase):
    """A file that lies in another in pieces, each (offset, bytes); an offset of `None` stands for zeros.

    Many can be read at once. Raises `EOFError` where the other file ends before a piece does.
    """

    def __init__(self, file: BinaryIO, pieces: Sequence[tuple[int | None, int]]):
        self._file = file
        self._pieces = [piece for piece in pieces if piece[1]]
        self._piece = self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer as far as the piece at hand goes."""
        if self._piece == len(self._pieces):
            return 0
        offset, size = self._pieces[self._piece]
        wanted = min(len(buffer), size - self._at)
        data = bytes(wanted) if offset is None else read_at(self._file, offset + self._at, wanted)
        if wanted and not data:
            raise EOFError
        buffer[: len(data)] = data
        self._at += len(data)
        if self._at == size:
            self._piece, self._at = self._piece + 1, 0
        return len(data)


def extents(file: BinaryIO, pieces: Sequence[tuple[int | None, int]]) -> IO[bytes]:
    """A stream over `Extents`."""
    return io.BufferedReader(Extents(file, pieces))


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """At most `size` bytes from `offset` on, wherever the file stands."""
    if isinstance(file, io.BytesIO):
        return bytes(file.getbuffer()[offset : offset + size])
    return os.pread(file.fileno(), size, offset)


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return file.getbuffer().nbytes if isinstance(file, io.BytesIO) else os.fstat(file.fileno()).st_size
