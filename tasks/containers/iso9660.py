"""The directory trees of an ISO 9660 disc image (ECMA-119), with Joliet and with Rock Ridge names (SUSP 1.12, RRIP 1.12).

Read here and not by a library: the ones there are refuse a whole disc for a field nobody needs, shorten in silence what was cut
off, and see the first session only. Of a disc burnt in several sessions all are read, the newest first.
"""

import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from tasks.containers.container import MOST_MEMBERS, Member, Refused, read_at
from tasks.errors import QuarantineError

SECTOR = 2048
_LARGEST_DIRECTORY = 2**24
_CHUNK = 2**20
_JOLIET = (b"%/@", b"%/C", b"%/E")  # escape sequences of UCS-2 levels 1 to 3
_DIRECTORY, _MULTI_EXTENT = 0x02, 0x80
_MOST_CONTINUATIONS = 64


@dataclass(frozen=True)
class _Record:
    """A directory record; `skip` bytes of its system use area belong to something else than Rock Ridge."""

    extent: int
    size: int
    flags: int
    name: bytes
    use: bytes
    interleaved: bool


@dataclass(frozen=True)
class _Facts:
    """What Rock Ridge says of a record."""

    name: bytes | None = None
    refused: Refused | None = None
    child: int | None = None  # where a directory lies that was moved up for its depth
    is_moved: bool = False


@dataclass(frozen=True)
class _Volume:
    """A volume descriptor of one kind of names: `ascii`, `joliet` or `rock ridge`."""

    file: BinaryIO
    block: int
    root: _Record
    names: str
    skip: int = 0


def trees(file: BinaryIO, faults: list[str]) -> list[Iterator[tuple[bytes, Member]]]:
    """The trees of all sessions, the newest first and of each the one with the best names first; each gives its files.

    What is damaged is added to `faults` while the trees are read.
    """
    found: list[Iterator[tuple[bytes, Member]]] = []
    for start in reversed(_sessions(file)):
        volumes = sorted(_volumes(file, start), key=lambda volume: ("rock ridge", "joliet", "ascii").index(volume.names))
        found += [_files(volume, faults) for volume in volumes]
    return found


def _sessions(file: BinaryIO) -> list[int]:
    """Sectors of the volume descriptors of each session: the next one lies behind what the one before says it takes."""
    starts = [16]
    offset = _space(file, 16)
    while chunk := read_at(file, offset, _CHUNK):
        at = chunk.find(b"\x01CD001\x01")
        while at > 0 and at % SECTOR:
            at = chunk.find(b"\x01CD001\x01", at + 1)
        if at < 0:
            offset += len(chunk)
            continue
        sector = (offset + at) // SECTOR
        offset = (sector + 1) * SECTOR
        if any(_leads_to_itself(volume) for volume in _volumes(file, sector)):
            starts.append(sector)
            offset = _space(file, sector)
    return starts


def _leads_to_itself(volume: _Volume) -> bool:
    """Whether the root is where the volume says: not so for an image that is a file on the disc."""
    itself = _record(read_at(volume.file, volume.root.extent * volume.block, 256))
    return itself is not None and (itself.name, itself.extent) == (b"\x00", volume.root.extent)


def _space(file: BinaryIO, sector: int) -> int:
    """The end of a volume in bytes, at the next sector (ECMA-119 8.4.8)."""
    descriptor = read_at(file, sector * SECTOR, SECTOR)
    end = _number(descriptor, 80, 4) * (_number(descriptor, 128, 2) or SECTOR)
    return max(-(-end // SECTOR), sector + 1) * SECTOR


def _volumes(file: BinaryIO, start: int) -> Iterator[_Volume]:
    for sector in range(start, start + 64):
        descriptor = read_at(file, sector * SECTOR, SECTOR)
        if descriptor[1:6] != b"CD001" or descriptor[0] == 255:
            return
        if descriptor[0] not in (1, 2) or (root := _record(descriptor[156:190])) is None:
            continue
        block = _number(descriptor, 128, 2)
        if block not in (512, 1024, 2048):
            block = SECTOR
        names = "joliet" if descriptor[0] == 2 and descriptor[88:91] in _JOLIET else "ascii"
        volume = _Volume(file, block, root, names)
        yield _with_rock_ridge(volume) if descriptor[0] == 1 else volume


def _with_rock_ridge(volume: _Volume) -> _Volume:
    """The root's own record begins with an SP entry where there is Rock Ridge (SUSP 5.3)."""
    itself = _record(read_at(volume.file, volume.root.extent * volume.block, 256))
    for start in (0, 14):  # behind a CD-ROM XA entry
        if itself and itself.use[start : start + 2] == b"SP" and itself.use[start + 4 : start + 6] == b"\xbe\xef":
            return replace(volume, names="rock ridge", skip=itself.use[start + 6])
    return volume


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _record(data: bytes) -> _Record | None:
    """A directory record (ECMA-119 9.1), or `None` where there is none."""
    if len(data) < 34 or not 34 <= data[0] <= len(data) or 33 + data[32] > data[0]:
        return None
    data = data[: data[0]]
    end = 33 + data[32]
    return _Record(
        extent=_number(data, 2, 4) + data[1],  # behind its extended attributes
        size=_number(data, 10, 4),
        flags=data[25],
        name=data[33:end],
        use=data[end + (data[32] + 1) % 2 :],
        interleaved=data[27] > 0,
    )


def _records(volume: _Volume, extent: int, size: int, faults: list[str]) -> Iterator[_Record]:
    """The records of a directory but its own and its parent's; none crosses a sector."""
    data = read_at(volume.file, extent * volume.block, min(size, _LARGEST_DIRECTORY))
    if len(data) < size:
        faults.append("a folder of it is cut off")
    at = 0
    while at < len(data):
        if data[at]:
            sector_end = min((at // SECTOR + 1) * SECTOR, len(data))
            if record := _record(data[at:sector_end]):
                at += data[at]
                if record.name not in (b"\x00", b"\x01"):
                    yield record
                continue
            faults.append("a folder of it is damaged")
        at = (at // SECTOR + 1) * SECTOR


def _files(volume: _Volume, faults: list[str]) -> Iterator[tuple[bytes, Member]]:
    """All files of a tree, folder by folder; a folder that was seen is not entered again."""
    folders = deque([(b"", volume.root.extent, volume.root.size)])
    seen = {volume.root.extent}
    while folders:
        path, extent, size = folders.popleft()
        pieces: list[tuple[int | None, int]] = []
        for record in _records(volume, extent, size, faults):
            facts = _rock_ridge(volume, record)
            name = path + (facts.name or _plain_name(volume, record))
            if facts.child is not None or record.flags & _DIRECTORY:
                child = record.extent if facts.child is None else facts.child
                if not facts.is_moved and child not in seen:
                    seen.add(child)
                    folders.append((name + b"/", child, _folder_size(volume, record, facts)))
                if len(seen) > MOST_MEMBERS:
                    raise QuarantineError(f"a disc image of more than {MOST_MEMBERS} folders: not opened, it may be a bomb")
                continue
            pieces.append((record.extent * volume.block, record.size))
            if record.flags & _MULTI_EXTENT:
                continue
            total = sum(length for _, length in pieces)
            yield name, Member("", total, total, tuple(pieces), "damaged" if record.interleaved else facts.refused)
            pieces = []


def _folder_size(volume: _Volume, record: _Record, facts: _Facts) -> int:
    if facts.child is None:
        return record.size
    itself = _record(read_at(volume.file, facts.child * volume.block, 256))
    return itself.size if itself else SECTOR


def _plain_name(volume: _Volume, record: _Record) -> bytes:
    """The identifier without its version (ECMA-119 7.5.1), in UTF-8."""
    if volume.names == "joliet":
        text = record.name.decode("utf-16-be", "replace")
        return text.rpartition(";")[0].encode() if text.endswith(";1") else text.encode()
    name = record.name.rpartition(b";")[0] or record.name
    return name.rstrip(b".") or name


def _rock_ridge(volume: _Volume, record: _Record) -> _Facts:
    """What the entries of the system use area say, and those of the areas where it goes on."""
    if volume.names != "rock ridge":
        return _Facts()
    facts, name = _Facts(), b""
    use, going_on = record.use[volume.skip :], _MOST_CONTINUATIONS
    while use:
        following = b""
        while len(use) >= 4 and use[2] >= 4:
            kind, body, use = use[:2], use[4 : use[2]], use[use[2] :]
            if kind == b"NM" and body and not body[0] & 0b110:
                name += body[1:]
            elif kind == b"SL":
                facts = replace(facts, refused="link")
            elif kind == b"CL":
                facts = replace(facts, child=_number(body, 0, 4))
            elif kind == b"RE":
                facts = replace(facts, is_moved=True)
            elif kind == b"PX" and stat.S_IFMT(_number(body, 0, 4)) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                facts = replace(facts, refused="special")
            elif kind == b"CE" and going_on:
                going_on -= 1
                offset = _number(body, 0, 4) * volume.block + _number(body, 8, 4)
                following = read_at(volume.file, offset, min(_number(body, 16, 4), SECTOR))
            elif kind == b"ST":
                use = b""
        use = following
    return replace(facts, name=name.replace(b"/", b"_") or None)
