"""7z archives: members are packed one after the other in blocks, so all are unpacked at once, in their order.

py7zr's worker is used and not its `extract`, which refuses the whole for one name that leads outside; no name is written here.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import BinaryIO

import py7zr
from py7zr.io import MemIO, Py7zIO, WriterFactory

from tasks.containers.compressed import LARGEST_MEMORY
from tasks.containers.container import Container, Member, Refused, by_path, extents, is_damage, size_of
from tasks.containers.kept import Growing
from tasks.errors import QuarantineError

_LZMA, _PPMD, _LZMA2 = b"\x03\x01\x01", b"\x03\x04\x01", b"\x21"
_DAMAGED = "a damaged 7z archive: its header cannot be read"

Keep = Callable[[Callable[[Growing], object]], BinaryIO]


def open_seven_zip(file: BinaryIO, keep: Keep) -> Container:
    """Opens a 7z archive; `keep` keeps what its members unpack to.

    A damaged member cannot be opened, nor can those behind it. Raises `QuarantineError` where the archive's header is damaged,
    it is encrypted, or needs more memory than is reasonable.
    """
    try:
        archive = py7zr.SevenZipFile(file)
        encrypted = archive.needs_password()
        members = by_path(_members(archive))
        memory = max((_memory(coder) for coder in _coders(archive)), default=0)
    except (QuarantineError, MemoryError):
        raise
    except py7zr.exceptions.PasswordRequired:
        encrypted, memory, members = True, 0, {}
    except Exception as error:  # py7zr raises whatever it likes on damaged headers
        if not is_damage(error):
            raise
        raise QuarantineError(_DAMAGED) from error
    if encrypted:
        raise QuarantineError("an encrypted 7z archive: unpack it into the source")
    if memory > LARGEST_MEMORY:
        raise QuarantineError("a 7z archive that needs over 512 MiB of memory to be unpacked: unpack it into the source")

    @cache
    def flat() -> BinaryIO:
        return keep(lambda growing: _unpack(archive, growing))

    return Container(members, lambda member: extents(flat(), [member.where]), size_of(file))


def _members(archive: py7zr.SevenZipFile) -> Iterator[tuple[bytes, Member]]:
    at = 0
    for info in archive.files:
        size = 0 if info.emptystream else info.uncompressed
        if not info.is_directory:
            refused: Refused | None = "link" if info.is_symlink or info.is_junction else "special" if info.is_socket else None
            yield info.filename.encode("utf-8", "surrogatepass"), Member("", size, None, (at, size), refused)
        at += size


def _coders(archive: py7zr.SevenZipFile) -> Iterator[dict[str, object]]:
    streams = getattr(archive.header, "main_streams", None)
    for folder in streams.unpackinfo.folders if streams else ():
        yield from folder.coders


def _memory(coder: dict[str, object]) -> int:
    """Bytes that a coder asks for: its dictionary or model (7zFormat.txt and Methods.txt of the LZMA SDK)."""
    method, properties = coder["method"], coder.get("properties") or b""
    assert isinstance(properties, bytes)
    if method in (_LZMA, _PPMD):
        return int.from_bytes(properties[1:5], "little")
    if method == _LZMA2 and properties:
        return (2 | properties[0] & 1) << (properties[0] // 2 + 11)
    return 0


class _Flat(Py7zIO, WriterFactory):
    """Takes all members, one after the other. py7zr closes a member only where its checksum was right."""

    def __init__(self, growing: Growing):
        self._growing = growing
        self.proved = 0

    def create(self, filename: str) -> Py7zIO:
        """Every member is written here."""
        return self

    def write(self, s: bytes | bytearray) -> int:
        """Appends."""
        self._growing.write(bytes(s))
        return len(s)

    def close(self) -> None:
        """What was written up to here is whole."""
        self.proved = self._growing.size

    def seek(self, offset: int, whence: int = 0) -> int:
        """Nothing is read or written anew."""
        return 0

    def read(self, size: int | None = None) -> bytes:
        """Nothing is read."""
        return b""

    def flush(self) -> None:
        """Nothing is held back."""

    def size(self) -> int:
        """Bytes so far."""
        return self._growing.size


def _unpack(archive: py7zr.SevenZipFile, growing: Growing) -> None:
    """Unpacks all members up to the first that is damaged."""
    flat = _Flat(growing)
    archive.reset()
    for number in range(len(archive.files)):
        archive.worker.register_filelike(number, MemIO(str(number), flat))
    try:
        archive.worker.extract(archive.fp, None, parallel=False)
    except Exception as error:  # py7zr raises whatever it likes on damaged blocks
        if not is_damage(error):
            raise
        growing.truncate(flat.proved)
