"""Staged Pixel Data elements: written once by `wrap`, read by `load`, removed when the object was read back from the PACS."""

import hashlib
import os
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
    digest = hashlib.sha256(element).hexdigest()
    path = f"{object_key[:2]}/{object_key}-{digest[:16]}.pixels"
    final = staging / path
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(element)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(final)
    finally:
        temporary.unlink(missing_ok=True)
    descriptor = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return StagedElement(path, len(element), digest)


def read_element(staging: Path, path: str, sha256: str) -> bytes:
    """The element as it was staged; raises `QuarantineError` where it is gone or was changed on disk."""
    try:
        element = (staging / path).read_bytes()
    except FileNotFoundError as error:
        raise QuarantineError("the staged pixels are gone from the workspace") from error
    if hashlib.sha256(element).hexdigest() != sha256:
        raise QuarantineError("the staged pixels were changed on disk since they were wrapped")
    return element
