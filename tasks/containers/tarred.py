"""Tar archives (POSIX.1-2001 pax, GNU, old): members lie in the file as they are."""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from tasks.containers.container import Container, Member, Refused, by_path, extents, size_of
from tasks.errors import QuarantineError

_CHUNK = 2**20
_LARGEST_HEADER = 2**24  # bytes of a long name or of pax records


def open_tar(file: BinaryIO) -> Container:
    """Opens a tar archive. Where it is damaged, its members up to there are listed, and `fault` says so.

    Raises `QuarantineError` where its first member cannot be read.
    """
    file.seek(0)
    try:
        archive = tarfile.TarFile(fileobj=_Headers(file), encoding="utf-8")  # type: ignore[arg-type]
    except tarfile.TarError as error:
        raise QuarantineError("a damaged tar archive: its first member cannot be read") from error
    faults: list[str] = []
    members = by_path(_members(archive, faults))
    return Container(members, lambda member: extents(file, member.where), size_of(file), faults[0] if faults else "")


class _Headers:
    """The file as tarfile reads its headers: at most `_LARGEST_HEADER` at once, for it believes whatever size one states."""

    def __init__(self, file: BinaryIO):
        self.name, self.mode, self.seek, self.tell = "", "rb", file.seek, file.tell
        self._file = file

    def read(self, size: int) -> bytes:
        """Reads as a file does."""
        if not 0 <= size <= _LARGEST_HEADER:
            raise tarfile.ReadError("header")
        return self._file.read(size)


def _members(archive: tarfile.TarFile, faults: list[str]) -> Iterator[tuple[bytes, Member]]:
    regular: dict[str, Member] = {}
    try:
        for info in archive:
            if info.isdir():
                continue
            member = _member(info, regular)
            if info.isreg():
                regular[info.name] = member
            yield info.name.encode("utf-8", "surrogateescape"), member
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
        faults += _fault_of_end(archive)
    except (tarfile.TarError, ValueError, OverflowError):
        faults.append("it is damaged or cut off: what lies behind its last member is not known")


def _member(info: tarfile.TarInfo, regular: dict[str, Member]) -> Member:
    if info.islnk():  # a second name of an earlier member
        return regular.get(info.linkname) or Member("", 0, 0, refused="damaged")
    if info.issym():
        return Member("", 0, 0, refused="link")
    if not info.isreg():
        return Member("", 0, 0, refused="special")
    if info.size < 0:
        return Member("", 0, 0, refused="damaged")
    data: list[tuple[int, int]] | None = info.sparse  # type: ignore[assignment]  # where not all is there (GNU sparse files)
    if data is None:
        return Member("", info.size, info.size, [(info.offset_data, info.size)])
    pieces: list[tuple[int | None, int]] = []
    at, offset = 0, info.offset_data
    for start, size in (piece for piece in data if piece[1]):  # the map is filled up with empty ones
        pieces += [(None, start - at), (offset, size)]
        at, offset = start + size, offset + size
    pieces.append((None, info.size - at))
    refused: Refused | None = "damaged" if min(size for _, size in pieces) < 0 else None
    return Member("", info.size, offset - info.offset_data, pieces, refused)


def _fault_of_end(archive: tarfile.TarFile) -> Iterator[str]:
    """What the end mark, two blocks of zeros, does not end: tarfile stops in silence at the first block it does not know."""
    file = archive.fileobj
    assert file is not None
    file.seek(archive.offset)
    block = file.read(512)
    if not block:
        yield "it has no end mark and may be cut off"
    elif block.strip(b"\x00"):
        yield "it is damaged or cut off: what lies behind its last member is not known"
    else:
        while chunk := file.read(_CHUNK):
            if chunk.strip(b"\x00"):
                yield "there is more behind its end mark, perhaps a second archive"
                return
