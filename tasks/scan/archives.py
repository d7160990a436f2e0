"""The members of containers: each an item, recognised and hashed as a file is; a container among them is opened in its turn.

What is opened is bounded, in depth and for all that one file of the source holds together; what is beyond is an item with that
reason, which a person may unpack into the source.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from tasks.configuration import ArchiveSource, FilmSource
from tasks.containers import HEAD, Container, Member, Outermost, container_at, container_type, is_damage
from tasks.errors import QuarantineError
from tasks.scan.content import Reading, content_items, read_through, recognised
from tasks.scan.directory import (
    LARGEST,
    MEDIA_TYPE,
    Directory,
    directory_items,
    is_directory_name,
    normalised,
    noted,
    read_directory,
)
from tasks.scan.items import Content, item_outcome
from tasks.scan.recognise import Recognised
from tasks.sources import LARGEST_ITEM, unpacked_folder
from tasks.stage import Outcome, Row

MOST_NESTED = 5  # containers, each in the one before
MOST_MEMBERS = 100_000  # of all containers in one file of a source
LARGEST_UNPACKED = 200 * 10**9  # bytes of all members together: some Blu-ray discs
LARGEST_RATIO = 100  # of unpacked bytes to those of the file, from `RATIO_COUNTS_FROM` on: blank frames pack better, a disc not
RATIO_COUNTS_FROM = 10**9
STEEP_COUNTS_FROM = 2**28  # bytes of one member; what unpacks to less does no harm
_FEWEST_CONTAINERS = 100  # that one file may hold; beyond, one a KiB of it
_IN_MEMORY = 64 * 2**20  # larger members that may have pages are put into an unnamed file while their pages are counted

_quarantined = partial(Recognised, None, "other", "quarantined")
_REFUSED = {
    "link": Recognised(None, "other", "excluded", "a link, which is not followed"),
    "special": Recognised(None, "other", "excluded", "not a file but a pipe, socket or device: nothing to migrate"),
    "outside": _quarantined("its path leads out of the archive: unpack it into the source, if it is wanted"),
    "encrypted": _quarantined("the member is encrypted: unpack it into the source"),
    "damaged": _quarantined("the member is damaged and cannot be unpacked"),
}
_UNKNOWN_PACKING = _quarantined("the member is packed by a method that is not known here")
_TOO_LARGE = _quarantined("the member is larger than 2 GiB: unpack it into the source")
_STEEP = _quarantined("the member unpacks to over 100 times its size: if it is no bomb, unpack it into the source")


@dataclass
class _Allowance:
    """What may still be opened in one file of a source, of `bytes`."""

    bytes: int
    containers: int = 0
    members: int = 0
    unpacked: int = 0

    def refusal(self, container: Container) -> str | None:
        """Takes a container into account; why it is not opened, if it is not."""
        self.containers += 1
        self.members += len(container.members)
        self.unpacked += (size := sum(member.bytes for member in container.members.values()))
        steep = self.unpacked > RATIO_COUNTS_FROM and self.unpacked > LARGEST_RATIO * self.bytes
        if (
            self.members > MOST_MEMBERS
            or self.unpacked > LARGEST_UNPACKED
            or steep
            or self.containers > max(_FEWEST_CONTAINERS, self.bytes // 1024)
        ):
            return f"an archive of {len(container.members)} members that unpack to {size} bytes: not opened, it may be a bomb"
        return None


@dataclass(frozen=True)
class _Place:
    """Where a container lies, and what opening it takes."""

    row: Row
    source: FilmSource | ArchiveSource
    outermost: Outermost
    names: tuple[str, ...]
    workspace: Path
    allowance: _Allowance

    @property
    def path(self) -> str:
        return "!".join((self.row["path"], *self.names))


def archive_items(
    row: Row, file: bytes, source: FilmSource | ArchiveSource, reading: Reading, workspace: Path
) -> Iterator[Outcome]:
    """The item of the container at `row` (the file `file`), and one a member, and page and member of it."""
    outermost = Outermost.at(file)
    place = _Place(row, source, outermost, (), workspace, _Allowance(outermost.size))
    yield from _container_items(place, reading)


def _container_items(place: _Place, reading: Reading) -> Iterator[Outcome]:
    media_type = container_type(reading.head)
    try:
        container = container_at(place.outermost, place.names, unpacked_folder(place.workspace))
        refusal = place.allowance.refusal(container)
    except QuarantineError as error:
        refusal = str(error)
    if refusal:
        found = Recognised(media_type, "other", "quarantined", refusal)
        yield item_outcome(place.row, place.path, found, reading.content)
        return
    count = len(container.members)
    found = Recognised(media_type, "other", "excluded", f"an archive: its {count} members are items of their own")
    if container.fault:
        found = Recognised(media_type, "other", "review", f"an archive of {count} members, but {container.fault}")
    yield item_outcome(place.row, place.path, found, reading.content)
    disc = _Disc.of(place, container)
    for member in container.members.values():
        yield from _member_items(place, container, member, disc)


@dataclass(frozen=True)
class _Disc:
    """What is in a container, as its DICOMDIRs name it, and these by the folder they lie in."""

    present: frozenset[str]
    directories: Mapping[str, Directory]

    @classmethod
    def of(cls, place: _Place, container: Container) -> "_Disc":
        """Reads the DICOMDIRs of a container; of several in one folder, the first."""
        directories: dict[str, Directory] = {}
        for member in container.members.values() if isinstance(place.source, ArchiveSource) else ():
            if is_directory_name(member.path) and not _refused(member):
                content = _content(container, member) if member.bytes <= LARGEST else b""
                directory = read_directory(member.path, content)
                directories.setdefault(normalised(directory.folder), directory)
        present = frozenset(normalised(path) for path in container.members) if directories else frozenset()
        return cls(present, directories)

    def above(self, path: str) -> Directory | None:
        """The DICOMDIR that counts for a path."""
        folder = normalised(path)
        while folder and self.directories:
            folder = folder.rpartition("/")[0]
            if folder in self.directories:
                return self.directories[folder]
        return None

    def is_there(self, directory: Directory, path: str) -> bool:
        """Whether there is such a member, or it is another DICOMDIR's affair."""
        return normalised(path) in self.present or self.above(path) is not directory


def _content(container: Container, member: Member) -> bytes:
    try:
        with container.open(member) as stream:
            return stream.read()
    except Exception as error:  # decompressors raise whatever they like on damaged members
        if not is_damage(error):
            raise
        return b""


def _member_items(place: _Place, container: Container, member: Member, disc: _Disc) -> Iterator[Outcome]:
    path, unread = f"{place.path}!{member.path}", Content(member.bytes, None)
    if refused := _refused(member):
        yield item_outcome(place.row, path, refused, unread)
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(place.workspace)) as copy:
        try:
            with container.open(member) as packed:
                head = packed.read(HEAD)
                if member.bytes > LARGEST_ITEM and not container_type(head):
                    yield item_outcome(place.row, path, _TOO_LARGE, unread)
                    return
                reading = read_through(packed, copy, head)
        except NotImplementedError:
            yield item_outcome(place.row, path, _UNKNOWN_PACKING, unread)
            return
        except Exception as error:  # decompressors raise whatever they like on damaged members
            if not is_damage(error):
                raise
            yield item_outcome(place.row, path, _REFUSED["damaged"], unread)
            return
        if container_type(reading.head):
            yield from _nested_items(place, container, member, reading)
        else:
            yield from _found_items(place, member, reading, disc, cast(BinaryIO, copy))


def _refused(member: Member) -> Recognised | None:
    if member.refused:
        return _REFUSED[member.refused]
    steep = member.packed is not None and member.bytes > max(STEEP_COUNTS_FROM, LARGEST_RATIO * member.packed)
    return _STEEP if steep else None


def _nested_items(place: _Place, container: Container, member: Member, reading: Reading) -> Iterator[Outcome]:
    inner = replace(place, names=(*place.names, member.path))
    reason = ""
    if len(inner.names) >= MOST_NESTED:
        reason = f"an archive that lies in {MOST_NESTED} others: unpack it into the source"
    elif "!" in member.path or f"{member.path}!2" in container.members:
        reason = "an archive that shares its name with another member: unpack it into the source"
    if reason:
        found = Recognised(container_type(reading.head), "other", "review", reason)
        yield item_outcome(place.row, inner.path, found, reading.content)
    else:
        yield from _container_items(inner, reading)


def _found_items(place: _Place, member: Member, reading: Reading, disc: _Disc, copy: BinaryIO) -> Iterator[Outcome]:
    path, row, directory = f"{place.path}!{member.path}", place.row, disc.above(member.path)
    found = recognised(reading, path, place.source)
    if directory and found.kind == "dicom":
        row = noted(row, directory, member.path, f"{place.path}!{directory.path}", reading.head)
    if directory and found.media_type == MEDIA_TYPE and directory.path == member.path:
        item = item_outcome(row, path, found, reading.content)
        yield from directory_items(row, directory, item, f"{place.path}!", partial(disc.is_there, directory))
    else:
        yield from content_items(row, path, reading, found, copy)
