"""Keys from content and UIDs from keys: the same input mints the same names, on every machine and in every run.

A key is the first 128 bits of a SHA-256, as 32 lower-case hexadecimal digits. A UID is a UUID v5 of a key under the `2.25.` arc
(PS3.5 B.2), so whoever has the key can mint the UID again.
"""

import hashlib
import uuid

FILMROOM_NAMESPACE = uuid.UUID("6f1a2f4e-0a0e-5c57-9d3c-2b7f6c1f8a11")


def key_of(*parts: str | int) -> str:
    """Key of a sequence of parts; parts are length-prefixed, so that no two sequences share a spelling."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = str(part).encode("utf-8", "surrogateescape")
        digest.update(f"{len(encoded)}:".encode())
        digest.update(encoded)
    return digest.hexdigest()[:32]


def item_key(source: str, path: str, page: int = 1) -> str:
    """Key of an item: the source's name, the path below it (`!member` inside an archive) and the page, counted from 1."""
    return key_of("item", source, path, page)


def object_key(item: str, part: int = 1) -> str:
    """Key of a DICOM object made of an item; `part` counts from 1 where one scan becomes several objects."""
    return key_of("object", item, part)


def uid_of(purpose: str, *parts: str | int) -> str:
    """UID under `2.25.` minted from a purpose (`instance`, `series`, `study`) and the keys it stands for."""
    return f"2.25.{uuid.uuid5(FILMROOM_NAMESPACE, key_of(purpose, *parts)).int}"
