"""Staged Pixel Data elements: written once by `wrap`, read by `load`, removed when the object was read back from the PACS.

An element is put down whole and synced before it has its final name, and its folder is synced after, so that no commit can
name pixels that a power failure takes back. Waiting for the disk can pass while the pixels are proved (`staged_meanwhile`).
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import QuarantineError


@dataclass(frozen=True)
class StagedElement:
    """Where a staged element lies below the staging folder, its size in bytes and its SHA-256."""

    path: str
    bytes: int
    sha256: str


def stage_element(staging: Path, object_key: str, element: bytes) -> StagedElement:
    """Puts an element down under its final name, whole and durable, before any commit can name it."""
    staged = _named(object_key, [element])
    _put_down(staging / staged.path, [element])
    return staged


@contextmanager
def staged_meanwhile(staging: Path, object_key: str, parts: Sequence[bytes | memoryview]) -> Iterator[StagedElement]:
    """Puts an element down, as `stage_element` does, while the body of the `with` proves it; it is durable after the `with`.

    `parts` are the pieces it is made of, one behind the other. Where the body raises, what was put down is removed, unless
    the same lay there before.
    """
    staged = _named(object_key, parts)
    final = staging / staged.path
    lay_there = final.exists()
    with ThreadPoolExecutor(1) as pool:
        put_down = pool.submit(_put_down, final, parts)
        try:
            yield staged
        except BaseException:
            wait([put_down])
            if not lay_there:
                final.unlink(missing_ok=True)
            raise
        put_down.result()


def _named(object_key: str, parts: Sequence[bytes | memoryview]) -> StagedElement:
    """An element's hash and size, and the name it will have."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    sha256 = digest.hexdigest()
    return StagedElement(f"{object_key[:2]}/{object_key}-{sha256[:16]}.pixels", sum(map(len, parts)), sha256)


def _put_down(final: Path, parts: Sequence[bytes | memoryview]) -> None:
    """Writes and syncs under another name, then renames and syncs the folder."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        with temporary.open("wb", buffering=0) as file:
            for part in parts:
                _write(file.fileno(), memoryview(part))
            os.fsync(file.fileno())
        temporary.rename(final)
    finally:
        temporary.unlink(missing_ok=True)
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, part: memoryview) -> None:
    """Writes all of a piece; Linux takes no more than 2 GiB at once."""
    while part:
        part = part[os.write(descriptor, part) :]


def read_element(staging: Path, path: str, sha256: str) -> bytes:
    """The element as it was staged; raises `QuarantineError` where it is gone or was changed on disk."""
    try:
        element = (staging / path).read_bytes()
    except FileNotFoundError as error:
        raise QuarantineError("the staged pixels are gone from the workspace") from error
    if hashlib.sha256(element).hexdigest() != sha256:
        raise QuarantineError("the staged pixels were changed on disk since they were wrapped")
    return element
