"""Zip archives (APPNOTE.TXT): every member is packed for itself."""

import os
import stat
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from tasks.containers.container import Container, Member, Refused, by_path, is_damage, size_of
from tasks.errors import QuarantineError

_UNIX = 3  # "version made by" (APPNOTE.TXT 4.4.2)
_LARGEST_DIRECTORY = 64 * 2**20  # bytes of a zip archive's directory; some 500,000 members


def open_zip(file: BinaryIO) -> Container:
    """Opens a zip archive; raises `QuarantineError` where its directory is damaged or too large to be read."""
    if _directory_size(file) > _LARGEST_DIRECTORY:
        raise QuarantineError("a zip archive with a directory above 64 MiB: not opened, it may be a bomb")
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises whatever it likes on damaged directories
        if not is_damage(error):
            raise
        raise QuarantineError("a damaged zip archive: its directory cannot be read") from error
    return Container(by_path(_members(archive)), lambda member: archive.open(member.where), size_of(file))


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[bytes, Member]]:
    for info in archive.infolist():
        if not info.filename.endswith("/"):
            refused: Refused | None = "encrypted" if info.flag_bits & 0x1 else "link" if _is_link(info) else None
            name = info.filename.encode("utf-8", "surrogateescape")
            yield name, Member("", info.file_size, info.compress_size, info, refused)


def _is_link(info: zipfile.ZipInfo) -> bool:
    return info.create_system == _UNIX and stat.S_ISLNK(info.external_attr >> 16)


def _directory_size(file: BinaryIO) -> int:
    """Bytes of the central directory as the end record says (APPNOTE.TXT 4.3.16, for zip64 4.3.14); 0 where there is none."""
    start = max(0, file.seek(0, os.SEEK_END) - 2**16 - 22 - 76)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        return 0
    sizes = [int.from_bytes(tail[at + 12 : at + 16], "little")]
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\x06\x07":  # a zip64 locator: its record says the size
        sizes = [int.from_bytes(tail[at - 36 : at - 28], "little")]
        file.seek(min(int.from_bytes(tail[at - 12 : at - 4], "little"), start + at))
        record = file.read(56)
        if record[:4] == b"PK\x06\x06":
            sizes.append(int.from_bytes(record[40:48], "little"))
    return max(sizes)
