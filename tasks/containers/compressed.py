"""Compressed files (gzip, bzip2, xz, zstd): one stream, which is unpacked as a whole."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from typing import IO

from backports import zstd

from tasks.containers.container import is_damage
from tasks.errors import QuarantineError

LARGEST_RATIO = 100  # of unpacked to packed bytes, from `STEEP_COUNTS_FROM` on
STEEP_COUNTS_FROM = 2**28
LARGEST_UNPACKED = 200 * 10**9  # bytes of all members together: some Blu-ray discs
LARGEST_MEMORY = 2**29  # bytes that a decompressor may ask for
_CHUNK = 2**20


def unpack(media_type: str, file: IO[bytes], packed: int, write: Callable[[bytes], object]) -> None:
    """Unpacks a compressed file of `packed` bytes.

    Raises `QuarantineError` where it is damaged at any place (what came before cannot be trusted), may be a bomb, or needs more
    memory than is reasonable.
    """
    size = 0
    try:
        for chunk in _READERS[media_type](file):
            size += len(chunk)
            if size > LARGEST_UNPACKED or size > max(STEEP_COUNTS_FROM, LARGEST_RATIO * packed):
                raise QuarantineError(
                    f"unpacks to over {LARGEST_RATIO} times its size: if it is no bomb, unpack it into the source"
                )
            write(chunk)
    except QuarantineError:
        raise
    except Exception as error:  # decompressors raise whatever they like on damaged files
        if not is_damage(error):
            raise
        raise QuarantineError("a damaged compressed file: it cannot be unpacked as a whole") from error


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


def _xz(file: IO[bytes]) -> Iterator[bytes]:
    """Streams one after the other, each perhaps followed by zeros (The .xz File Format, 2)."""
    packed = b""
    while packed := packed.lstrip(b"\x00") or file.read(_CHUNK):
        if not packed.strip(b"\x00"):
            continue
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LARGEST_MEMORY)
        while not decompressor.eof:
            if decompressor.needs_input and not packed and not (packed := file.read(_CHUNK)):
                raise EOFError
            yield decompressor.decompress(packed, _CHUNK)
            packed = b""
        packed = decompressor.unused_data


_READERS: dict[str, Callable[[IO[bytes]], Iterator[bytes]]] = {
    "application/gzip": lambda file: _chunks(gzip.GzipFile(fileobj=file)),  # type: ignore[arg-type]
    "application/x-bzip2": lambda file: _chunks(bz2.BZ2File(file)),
    "application/x-xz": _xz,
    "application/zstd": lambda file: _chunks(zstd.ZstdFile(file)),  # type: ignore[arg-type]
}
