"""Reading an item's bytes again, as they were when it was scanned; and how paths are written, so that each can be found again.

A path in a table is printable text from which the bytes of the name can be had back: bytes that are not UTF-8, control and
direction characters, the backslash and the exclamation mark are written `\\xNN` (UTF-8 byte by byte). So `!` only ever stands
between a container and its member, and, where a container has several members of one name, before the number of the second and
later ones: `a.zip!IMG1`, `a.zip!IMG1!2`.
"""

import errno
import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from tasks.configuration import Configuration
from tasks.errors import NextRunError, QuarantineError, RetryLaterError

LARGEST_ITEM = 2 * 2**30  # bytes that are read into memory as one item
_LARGEST_DIRECTORY = 64 * 2**20  # bytes of a zip archive's directory; some 500,000 members
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\\\\!\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_WRITTEN = re.compile(rb"\\x([0-9a-f]{2})")


def printable_path(raw: bytes) -> str:
    """The printable form of a file's or member's name; see the module's text. `raw_path` turns it back."""
    text = raw.decode("utf-8", "surrogateescape")
    return _UNPRINTABLE.sub(lambda m: "".join(f"\\x{b:02x}" for b in m[0].encode("utf-8", "surrogateescape")), text)


def raw_path(text: str) -> bytes:
    """The bytes of the name that `printable_path` made `text` of."""
    return _WRITTEN.sub(lambda m: bytes([int(m[1], 16)]), text.encode())


def file_path(folder: Path, path: str) -> bytes:
    """Where the file of an item lies, or, of a member, its container; as bytes, since names need not be UTF-8."""
    return os.path.join(os.fsencode(folder), raw_path(path.partition("!")[0]))  # noqa: PTH118 (pathlib takes no bytes)


def is_damage(error: Exception) -> bool:
    """Whether what a zip archive or its decompressors raised speaks of its content, and not of a disk or network."""
    return not isinstance(error, OSError) or error.errno in (None, errno.EINVAL)


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Opens a zip archive; raises `QuarantineError` where its directory is damaged or too large to be read."""
    if _directory_size(file) > _LARGEST_DIRECTORY:
        raise QuarantineError("a zip archive with a directory above 64 MiB: not opened, it may be a bomb")
    file.seek(0)
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises whatever it likes on damaged directories
        if not is_damage(error):
            raise
        raise QuarantineError("a damaged zip archive: its directory cannot be read") from error


def members(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The members that are not folders, in the archive's order, each with its path below the container, all different."""
    seen: dict[str, int] = {}
    for member in archive.infolist():
        if not member.is_dir():
            name = printable_path(member.filename.encode("utf-8", "surrogateescape"))
            seen[name] = seen.get(name, 0) + 1
            yield (name if seen[name] == 1 else f"{name}!{seen[name]}"), member


def read_item(configuration: Configuration, source: str, path: str, *, sha256: str) -> bytes:
    """The bytes of a file, or of `container!member`.

    Raises `RetryLaterError` where they are not those of `sha256` any more or cannot be read now, `QuarantineError` above 2 GiB.
    """
    file = file_path(configuration.sources[source].path, path)
    member = path.partition("!")[2]
    try:
        data = _member(file, member) if member else _whole(file)
    except KeyError as error:
        raise NextRunError("is no longer in its archive: run again to scan it anew") from error
    except QuarantineError:
        raise
    except Exception as error:  # zipfile raises whatever it likes where an archive was changed
        raise RetryLaterError(f"cannot be read now ({type(error).__name__}): is the source mounted?") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise NextRunError("changed since it was scanned: run again to scan it anew")
    return data


def _bounded(size: int) -> None:
    if size > LARGEST_ITEM:
        raise QuarantineError("larger than 2 GiB, which is not read as one item")


def _whole(path: bytes) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes no bytes)
        _bounded(os.fstat(file.fileno()).st_size)
        return file.read()


def _member(container: bytes, name: str) -> bytes:
    status = os.stat(container)  # noqa: PTH116 (pathlib takes no bytes)
    archive, directory = _archive(container, status.st_ino, status.st_size, status.st_mtime_ns)
    member = directory[name]
    _bounded(member.file_size)
    return archive.read(member)


@lru_cache(maxsize=4)
def _archive(container: bytes, inode: int, size: int, changed: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """An open archive and its directory, kept since the members of one are read one after the other."""
    archive = open_archive(open(container, "rb"))  # noqa: PTH123, SIM115 (closed with the archive)
    return archive, dict(members(archive))


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
