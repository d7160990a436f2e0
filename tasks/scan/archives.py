"""The members of a zip archive: each an item, recognised and hashed as a file is, and never written to disk under its name."""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from tasks.configuration import ArchiveSource, FilmSource
from tasks.scan.items import Content, item_outcome
from tasks.scan.pages import PAGES, is_of_pages
from tasks.scan.recognise import HEAD, Recognised, as_raw_film, recognise
from tasks.sources import LARGEST_ITEM, is_damage, members, open_archive
from tasks.stage import Outcome, Row

MOST_MEMBERS = 100_000
LARGEST_UNPACKED = 200 * 10**9  # bytes of all members together: some Blu-ray discs
LARGEST_RATIO = (
    100  # of unpacked to packed bytes, from `RATIO_COUNTS_FROM` on: blank frames pack 1000 to 1, but not a disc of them
)
RATIO_COUNTS_FROM = 10**9
STEEP_COUNTS_FROM = 2**28  # bytes of one member; what unpacks to less does no harm
CHUNK = 2**20
_IN_MEMORY = (
    64 * 2**20
)  # larger members that may have pages are put into an unnamed file in the workspace while their pages are counted

_ENCRYPTED = Recognised(None, "other", "quarantined", "the member is encrypted: unpack it into the source")
_UNKNOWN_PACKING = Recognised(None, "other", "quarantined", "the member is packed by a method that is not known here")
_DAMAGED = Recognised(None, "other", "quarantined", "the member is damaged and cannot be unpacked")
_TOO_LARGE = Recognised(None, "other", "quarantined", "the member is larger than 2 GiB: unpack it into the source")
_STEEP = Recognised(
    None, "other", "quarantined", "the member unpacks to over 100 times its size: if it is no bomb, unpack it into the source"
)
EMPTY = Recognised(None, "other", "quarantined", "the file is empty")
NESTED = Recognised(
    "application/zip", "other", "review", "an archive in an archive that is not opened yet: unpack it into the source"
)


@dataclass(frozen=True)
class Reading:
    """What one pass over a file or member gave: its first `HEAD` bytes and its content."""

    head: bytes
    content: Content


def read_through(file: IO[bytes], copy: IO[bytes] | None = None) -> Reading:
    """Hashes a file in chunks of a MiB, in one pass; `copy` takes the bytes too where they may have pages."""
    digest, head, size = hashlib.sha256(), b"", 0
    while chunk := file.read(CHUNK):
        head = head or chunk[:HEAD]
        digest.update(chunk)
        size += len(chunk)
        if copy is not None and is_of_pages(head):
            copy.write(chunk)
    return Reading(head, Content(size, digest.hexdigest()))


def archive_items(
    row: Row, file: BinaryIO, source: FilmSource | ArchiveSource, content: Content, workspace: Path
) -> Iterator[Outcome]:
    """The item of the container at `row`, and one a member (and page of it)."""
    archive = open_archive(file)
    found = list(members(archive))
    if reason := _bomb(found):
        yield item_outcome(row, row["path"], Recognised("application/zip", "other", "quarantined", reason), content)
        return
    reason = f"an archive: its {len(found)} members are items of their own"
    yield item_outcome(row, row["path"], Recognised("application/zip", "other", "excluded", reason), content)
    for name, member in found:
        yield from _member_items(row, archive, f"{row['path']}!{name}", member, source, workspace)


def _bomb(found: list[tuple[str, zipfile.ZipInfo]]) -> str | None:
    unpacked = sum(member.file_size for _, member in found)
    packed = sum(member.compress_size for _, member in found)
    steep = unpacked > RATIO_COUNTS_FROM and unpacked > LARGEST_RATIO * packed
    if len(found) > MOST_MEMBERS or unpacked > LARGEST_UNPACKED or steep:
        return f"an archive of {len(found)} members that unpack to {unpacked} bytes: not opened, it may be a bomb"
    return None


def _member_items(
    row: Row, archive: zipfile.ZipFile, path: str, member: zipfile.ZipInfo, source: FilmSource | ArchiveSource, workspace: Path
) -> Iterator[Outcome]:
    unread = Content(member.file_size, None)
    if refused := _refused(member):
        yield item_outcome(row, path, refused, unread)
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(workspace)) as copy:
        try:
            with archive.open(member) as packed:
                reading = read_through(packed, copy)
        except NotImplementedError:
            yield item_outcome(row, path, _UNKNOWN_PACKING, unread)
            return
        except Exception as error:  # decompressors raise whatever they like on damaged members
            if not is_damage(error):
                raise
            yield item_outcome(row, path, _DAMAGED, unread)
            return
        yield from content_items(row, path, reading, recognised(reading, path, source), cast(BinaryIO, copy))


def _refused(member: zipfile.ZipInfo) -> Recognised | None:
    if member.flag_bits & 0x1:
        return _ENCRYPTED
    if member.file_size > LARGEST_ITEM:
        return _TOO_LARGE
    steep = member.file_size > STEEP_COUNTS_FROM and member.file_size > LARGEST_RATIO * member.compress_size
    return _STEEP if steep else None


def recognised(reading: Reading, path: str, source: FilmSource | ArchiveSource) -> Recognised:
    """What a file or member is; a zip here is one that is not opened."""
    if not reading.content.bytes:
        return EMPTY
    found = recognise(reading.head, source.kind)
    if isinstance(source, FilmSource):
        found = as_raw_film(found, path, reading.content.bytes, source.raw)
    return NESTED if found.media_type == "application/zip" else found


def content_items(row: Row, path: str, reading: Reading, found: Recognised, file: BinaryIO) -> Iterator[Outcome]:
    """One item, or of a TIFF or PDF of films one a page; a page that is a reduced copy of another is excluded."""
    if found.media_type not in PAGES or found.outcome != "done":
        yield item_outcome(row, path, found, reading.content)
        return
    pages = PAGES[found.media_type](file)
    copy = Recognised(found.media_type, found.kind, "excluded", "a reduced copy or a mask of another page of the file")
    for page, is_reduced in enumerate(pages, 1):
        yield item_outcome(row, path, copy if is_reduced and page > 1 else found, reading.content, page, len(pages))
