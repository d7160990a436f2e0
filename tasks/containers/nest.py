"""The container at a path: a source's file, or a container that lies in another, to any depth that the caller allows."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from tasks.containers import compressed, disc, seven_zip, tarred, zipped
from tasks.containers.container import Container, Member, extents, size_of
from tasks.containers.kept import Growing, kept
from tasks.containers.kinds import COMPRESSED, container_type
from tasks.errors import QuarantineError
from tasks.keys import key_of

HEAD = 36 * 1024  # bytes from the start that are looked at: the descriptor of an ISO 9660 image lies at 32 KiB
_CHUNK = 2**20
_IS_COMPRESSED = frozenset(name for _, _, name in COMPRESSED)
_DIRECT = {
    "application/zip": zipped.open_zip,
    "application/x-tar": tarred.open_tar,
    "application/x-iso9660-image": disc.open_disc,
    "application/x-udf-image": disc.open_disc,
}


@dataclass(frozen=True)
class Outermost:
    """The file of a source that is a container, as it is now: another in its place is another."""

    path: bytes
    inode: int
    size: int
    changed: int

    @classmethod
    def at(cls, path: bytes) -> "Outermost":
        """The file that lies at `path`."""
        status = os.stat(path)  # noqa: PTH116 (pathlib takes no bytes)
        return cls(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def container_at(outermost: Outermost, names: tuple[str, ...], folder: Path) -> Container:
    """The container that lies at the members `names`, each below the one before it; what is unpacked is kept below `folder`.

    A few stay open, since the members of one are read one after the other. Raises `QuarantineError` where it is damaged, may be
    a bomb, or is no container; `KeyError` where there is no such member.
    """
    key = key_of("unpacked", outermost.path.hex(), outermost.inode, outermost.size, outermost.changed, *names)
    if not names:
        return _opened(open(outermost.path, "rb"), os.fsdecode(outermost.path), key, folder)  # noqa: PTH123
    outer = container_at(outermost, names[:-1], folder)
    member = outer.members[names[-1]]
    return _opened(kept(folder, key, lambda growing: _copy(outer, member, growing)), member.path, key, folder)


def _copy(outer: Container, member: Member, growing: Growing) -> None:
    with outer.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            growing.write(chunk)


def _opened(file: BinaryIO, name: str, key: str, folder: Path) -> Container:
    file.seek(0)
    kind = container_type(file.read(HEAD))
    file.seek(0)
    if kind is None:
        raise QuarantineError("no container that is known here")
    if kind in _IS_COMPRESSED:
        return _of_compressed(kind, file, name, key, folder)
    if kind == "application/x-7z-compressed":
        return seven_zip.open_seven_zip(file, lambda fill: kept(folder, key_of("flat", key), fill))
    return _DIRECT[kind](file)


def _of_compressed(kind: str, file: BinaryIO, name: str, key: str, folder: Path) -> Container:
    """A compressed tar is one container; else the one member is the file without its last suffix."""
    packed = size_of(file)
    flat = kept(folder, key_of("flat", key), lambda growing: compressed.unpack(kind, file, packed, growing.write))
    flat.seek(0)
    if container_type(flat.read(HEAD)) == "application/x-tar":
        return tarred.open_tar(flat)
    stem, dot, _ = name.rpartition("/")[2].rpartition(".")
    path = stem if dot and stem else "content"
    only = Member(path, size_of(flat), packed)
    return Container({path: only}, lambda member: extents(flat, [(0, member.bytes)]), packed)
