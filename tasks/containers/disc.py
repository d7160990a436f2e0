"""Disc images: every tree that a disc has is read, for each may hold what the others do not."""

from collections.abc import Iterator
from typing import BinaryIO

from tasks.containers import iso9660, udf
from tasks.containers.container import Container, Member, by_path, extents, read_at, size_of
from tasks.errors import QuarantineError

_PARTITION_MAP = 64 * 512  # bytes of an Apple partition map that are looked at


def open_disc(file: BinaryIO) -> Container:
    """Opens an ISO 9660 or UDF image.

    The names are those of the best tree; of the others only those files are added that lie where no file of the trees before
    lies. Raises `QuarantineError` where it has no tree that can be read.
    """
    faults: list[str] = []
    trees = [*iso9660.trees(file, faults), *udf.trees(file, faults)]
    if not trees:
        raise QuarantineError("a damaged disc image: none of its volumes can be read")
    members = by_path(_all_files(trees))
    if _has_apple_volume(file):
        faults.append("it has an Apple volume too, which is not read and may hold others")
    return Container(members, lambda member: extents(file, member.where), size_of(file), "; ".join(dict.fromkeys(faults)))


def _has_apple_volume(file: BinaryIO) -> bool:
    """Whether there is an HFS volume, alone or in a partition map (Inside Macintosh: Files, 2-59; Devices, 3-13)."""
    partitions = read_at(file, 512, _PARTITION_MAP) if read_at(file, 0, 2) == b"ER" else b""
    return read_at(file, 1024, 2) in (b"BD", b"H+") or b"Apple_HFS" in partitions


def _all_files(trees: list[Iterator[tuple[bytes, Member]]]) -> Iterator[tuple[bytes, Member]]:
    """What the trees hold together; empty files, which lie nowhere, only of a tree that adds others."""
    known: set[int | None] = set()
    names: set[bytes] = set()
    for tree in trees:
        added: set[int | None] = set()
        empty: dict[bytes, Member] = {}
        for name, member in tree:
            places = {offset for offset, size in member.where or () if size}
            if not places:
                empty[name] = member
            elif not places & known:
                added |= places
                names.add(name)
                yield name, member
        if added or not known:
            yield from ((name, member) for name, member in empty.items() if name not in names)
            names |= empty.keys()
        known |= added
