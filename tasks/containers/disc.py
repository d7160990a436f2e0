"""Disc images: every tree that a disc has is read, for each may hold what the others do not."""

from collections.abc import Iterator
from typing import BinaryIO

from tasks.containers import iso9660, udf
from tasks.containers.container import Container, Member, by_path, extents, size_of
from tasks.errors import QuarantineError


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
    return Container(members, lambda member: extents(file, member.where), size_of(file), "; ".join(dict.fromkeys(faults)))


def _all_files(trees: list[Iterator[tuple[bytes, Member]]]) -> Iterator[tuple[bytes, Member]]:
    known: set[int | None] = set()
    names: set[bytes] = set()
    for tree in trees:
        these: set[int | None] = set()
        for name, member in tree:
            places = {offset for offset, size in member.where or () if size}
            if places & known or (not places and name in names):
                continue
            these |= places
            names.add(name)
            yield name, member
        known |= these
