"""Reading a file or member once: its hash, what it is, and its pages."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO

from tasks.configuration import ArchiveSource, FilmSource
from tasks.containers import HEAD
from tasks.scan.items import Content, item_outcome
from tasks.scan.pages import PAGES, is_of_pages
from tasks.scan.recognise import Recognised, as_raw_film, recognise
from tasks.stage import Outcome, Row

_CHUNK = 2**20
_EMPTY = Recognised(None, "other", "quarantined", "the file is empty")


@dataclass(frozen=True)
class Reading:
    """What one pass over a file or member gave: its first `HEAD` bytes and its content."""

    head: bytes
    content: Content


def read_through(file: IO[bytes], copy: IO[bytes] | None = None, start: bytes = b"") -> Reading:
    """Hashes a file in chunks of a MiB, in one pass; `copy` takes the bytes too where they may have pages.

    `start` is what was read of it already: nothing, or `HEAD` bytes.
    """
    digest, head, size = hashlib.sha256(), b"", 0
    chunk = start or file.read(_CHUNK)
    while chunk:
        head = head or chunk[:HEAD]
        digest.update(chunk)
        size += len(chunk)
        if copy is not None and is_of_pages(head):
            copy.write(chunk)
        chunk = file.read(_CHUNK)
    return Reading(head, Content(size, digest.hexdigest()))


def recognised(reading: Reading, path: str, source: FilmSource | ArchiveSource) -> Recognised:
    """What a file or member is; a container here is one that is not opened."""
    if not reading.content.bytes:
        return _EMPTY
    found = recognise(reading.head, source.kind)
    if isinstance(source, FilmSource):
        found = as_raw_film(found, path, reading.content.bytes, source.raw)
    return found


def content_items(row: Row, path: str, reading: Reading, found: Recognised, file: BinaryIO) -> Iterator[Outcome]:
    """One item, or of a TIFF or PDF of films one a page; a page that is a reduced copy of another is excluded."""
    if found.media_type not in PAGES or found.outcome != "done":
        yield item_outcome(row, path, found, reading.content)
        return
    pages = PAGES[found.media_type](file)
    copy = Recognised(found.media_type, found.kind, "excluded", "a reduced copy or a mask of another page of the file")
    for page, is_reduced in enumerate(pages, 1):
        yield item_outcome(row, path, copy if is_reduced and page > 1 else found, reading.content, page, len(pages))
