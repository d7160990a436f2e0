"""The directory tree of a UDF disc image (ECMA-167, OSTA UDF 1.02 to 2.60), such as DVDs and drives written file by file have.

Partitions may be plain, sparable (read as plain), virtual (write-once media: by the table at the end) or of metadata.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tasks.containers.container import MOST_MEMBERS, Member, Refused, read_at, size_of
from tasks.errors import QuarantineError

_ANCHOR, _PARTITION, _LOGICAL_VOLUME, _TERMINATOR = 2, 5, 6, 8
_FILE_SET, _NAME, _ALLOCATION, _FILE, _EXTENDED_FILE = 256, 257, 258, 261, 266
_FOLDER_TYPE, _LINK_TYPE, _FILE_TYPES = 4, 12, (0, 5, 249)
_VIRTUAL_TABLE_TYPES = (0, 248)
_LARGEST_DIRECTORY = 2**26
_MOST_EXTENTS = 100_000
Pieces = Sequence[tuple[int | None, int]]
Place = Callable[[int], int]  # where a block of a partition lies in the image, in bytes


@dataclass(frozen=True)
class _Volume:
    file: BinaryIO
    block: int
    partitions: Sequence[Place]


@dataclass(frozen=True)
class _Entry:
    """A file entry: the ICB's file type, the content's size and where it lies."""

    type: int
    size: int
    pieces: Pieces


def trees(file: BinaryIO, faults: list[str]) -> list[Iterator[tuple[bytes, Member]]]:
    """The image's UDF tree, which gives its files, if it has one. What is damaged is added to `faults`."""
    for block in (2048, 512, 4096, 1024):
        last = size_of(file) // block - 1
        for number in (256, last, last - 256, 512):  # ECMA-167 3/8.4.2.1; the last is of media not closed yet
            anchor = read_at(file, max(number, 0) * block, 512)
            if _tag(anchor, number) != _ANCHOR:
                continue
            try:
                return [_files(*_volume(file, block, anchor), faults)]
            except (ValueError, IndexError):
                faults.append("its UDF volume is damaged or of a kind that is not known here")
    return []


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _tag(data: bytes, location: int | None = None) -> int:
    """The identifier of a descriptor (ECMA-167 3/7.2); 0 where its checksum or its own location is not right."""
    if len(data) < 16 or data[4] != (sum(data[:4]) + sum(data[5:16])) % 256:
        return 0
    return 0 if location is not None and _number(data, 12, 4) != location else _number(data, 0, 2)


def _volume(file: BinaryIO, block: int, anchor: bytes) -> tuple[_Volume, tuple[int, int]]:
    """The volume, and partition and block of its root folder. Raises `ValueError` or `IndexError` where it is damaged."""
    starts: dict[int, int] = {}
    logical = b""
    length, first = _number(anchor, 16, 4), _number(anchor, 20, 4)
    for number in range(first, first + min(length // block, 256)):
        descriptor = read_at(file, number * block, block)
        kind = _tag(descriptor, number)
        if kind == _PARTITION:
            starts[_number(descriptor, 22, 2)] = _number(descriptor, 188, 4)
        elif kind == _LOGICAL_VOLUME:
            logical = descriptor
        elif kind in (0, _TERMINATOR):
            break
    block = _number(logical, 212, 4)
    if block not in (512, 1024, 2048, 4096):
        raise ValueError
    partitions: list[Place] = []
    volume = _Volume(file, block, partitions)
    at = 440
    for _ in range(_number(logical, 268, 4)):
        size = logical[at + 1]
        partitions.append(_partition(volume, logical[at : at + size], starts))
        at += size
    file_set = read_at(file, partitions[_number(logical, 256, 2)](_number(logical, 252, 4)), block)
    if _tag(file_set) != _FILE_SET:
        raise ValueError
    return volume, (_number(file_set, 408, 2), _number(file_set, 404, 4))


def _partition(volume: _Volume, described: bytes, starts: dict[int, int]) -> Place:
    """The place of a partition's blocks, by its map (ECMA-167 3/10.7; OSTA UDF 2.2.8 to 2.2.10)."""
    block = volume.block
    if described[0] == 1:
        start = starts.get(_number(described, 4, 2), 0)
        return lambda number: (start + number) * block
    start, name = starts.get(_number(described, 38, 2), 0), described[5:28]

    def plain(number: int) -> int:
        return (start + number) * block

    if name.startswith(b"*UDF Sparable Partition"):
        return plain
    inner = _Volume(volume.file, block, [plain])
    if name.startswith(b"*UDF Metadata Partition"):
        entry = _entry(inner, 0, _number(described, 40, 4)) or _entry(inner, 0, _number(described, 44, 4))
        if entry is None:
            raise ValueError
        return lambda number: _within(entry.pieces, number * block)
    if name.startswith(b"*UDF Virtual Partition"):
        table = _virtual_table(inner, start)
        return lambda number: plain(_number(table, number * 4, 4) if number * 4 < len(table) else number)
    raise ValueError


def _within(pieces: Pieces, offset: int) -> int:
    for start, size in pieces:
        if offset < size and start is not None:
            return start + offset
        offset -= size
    raise ValueError


def _virtual_table(volume: _Volume, start: int) -> bytes:
    """The table of a virtual partition: the file whose entry is the last block that was written (OSTA UDF 2.2.11)."""
    last = size_of(volume.file) // volume.block - 1
    for number in range(last, max(last - 512, 0), -1):
        entry = _entry(volume, 0, number - start)
        if entry and entry.type in _VIRTUAL_TABLE_TYPES:
            table = _content(volume, entry, _LARGEST_DIRECTORY)
            return table[_number(table, 0, 2) :] if entry.type == 248 else table[:-36]  # header in front; trailer in UDF 1.50
    raise ValueError


def _entry(volume: _Volume, partition: int, number: int) -> _Entry | None:
    """The file entry at a block; `None` where there is none."""
    place = volume.partitions[partition](number)
    data = read_at(volume.file, place, volume.block)
    kind = _tag(data, number)
    if kind not in (_FILE, _EXTENDED_FILE):
        return None
    at = 176 if kind == _FILE else 216
    start, length = at + _number(data, at - 8, 4), _number(data, at - 4, 4)
    size, how = _number(data, 56, 8), data[34] & 7
    if how == 3:  # the content itself is here
        return _Entry(data[27], size, [(place + start, min(size, length))])
    pieces: list[tuple[int | None, int]] = []
    descriptors = data[start : start + length]
    while descriptors and len(pieces) < _MOST_EXTENTS:
        descriptors = _allocate(volume, partition, descriptors, how, pieces)
    return _Entry(data[27], size, _cut(pieces, size))


def _allocate(volume: _Volume, partition: int, descriptors: bytes, how: int, pieces: list[tuple[int | None, int]]) -> bytes:
    """Adds the pieces that allocation descriptors name (ECMA-167 4/14.14); gives the descriptors that go on elsewhere."""
    width = 8 if how == 0 else 16
    for at in range(0, len(descriptors) - width + 1, width):
        length, number = _number(descriptors, at, 4), _number(descriptors, at + 4, 4)
        kind, length = length >> 30, length & 0x3FFFFFFF
        if not length:
            return b""
        place = volume.partitions[partition if how == 0 else _number(descriptors, at + 8, 2)](number)
        if kind == 3:
            following = read_at(volume.file, place, volume.block)
            return following[24 : 24 + _number(following, 20, 4)] if _tag(following) == _ALLOCATION else b""
        pieces.append((place if kind == 0 else None, length))
    return b""


def _cut(pieces: Pieces, size: int) -> Pieces:
    """The pieces without what they have beyond the content's size."""
    kept: list[tuple[int | None, int]] = []
    for start, length in pieces:
        if size > 0:
            kept.append((start, min(length, size)))
        size -= length
    return kept


def _content(volume: _Volume, entry: _Entry, most: int) -> bytes:
    if entry.size > most:
        raise QuarantineError("a disc image with a folder above 64 MiB: not opened, it may be a bomb")
    return b"".join(bytes(size) if start is None else read_at(volume.file, start, size) for start, size in entry.pieces)


def _files(volume: _Volume, root: tuple[int, int], faults: list[str]) -> Iterator[tuple[bytes, Member]]:
    """All files, folder by folder; a folder that was seen is not entered again."""
    folders = deque([(b"", root)])
    seen = {root}
    while folders:
        path, place = folders.popleft()
        for name, child, is_folder in _names(volume, place, faults):
            if is_folder:
                if child not in seen:
                    seen.add(child)
                    folders.append((path + name + b"/", child))
                if len(seen) > MOST_MEMBERS:
                    raise QuarantineError(f"a disc image of more than {MOST_MEMBERS} folders: not opened, it may be a bomb")
            else:
                yield path + name, _member(_entry_or_none(volume, child))


def _member(entry: _Entry | None) -> Member:
    if entry is None or sum(size for _, size in entry.pieces) != entry.size:
        return Member("", entry.size if entry else 0, None, refused="damaged")
    refused: Refused | None = "link" if entry.type == _LINK_TYPE else None if entry.type in _FILE_TYPES else "special"
    return Member("", entry.size, entry.size, tuple(entry.pieces), refused)


def _entry_or_none(volume: _Volume, place: tuple[int, int]) -> _Entry | None:
    try:
        return _entry(volume, *place)
    except (ValueError, IndexError):
        return None


def _names(volume: _Volume, place: tuple[int, int], faults: list[str]) -> Iterator[tuple[bytes, tuple[int, int], bool]]:
    """Name, partition and block of what is in a folder (ECMA-167 4/14.4), and whether it is a folder; not what was deleted."""
    entry = _entry_or_none(volume, place)
    if entry is None or entry.type != _FOLDER_TYPE:
        faults.append("a folder of it is damaged")
        return
    data = _content(volume, entry, _LARGEST_DIRECTORY)
    at = 0
    while at + 38 <= len(data):
        if _tag(data[at : at + 16]) != _NAME:
            faults.append("a folder of it is damaged")
            return
        flags, length, extra = data[at + 18], data[at + 19], _number(data, at + 36, 2)
        identifier = data[at + 38 + extra : at + 38 + extra + length]
        if not flags & 0b1100 and identifier:
            yield _text(identifier), (_number(data, at + 28, 2), _number(data, at + 24, 4)), bool(flags & 0b10)
        at += (38 + extra + length + 3) // 4 * 4
    if len(data) < entry.size:
        faults.append("a folder of it is cut off")


def _text(identifier: bytes) -> bytes:
    """A name in OSTA compressed Unicode (OSTA UDF 2.1.1), in UTF-8."""
    wide = identifier[0] in (16, 255)
    return identifier[1:].decode("utf-16-be" if wide else "latin-1", "replace").replace("/", "_").encode()
