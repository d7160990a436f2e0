"""The scan stage: reads each listed file once, hashes it on the way, and makes an item of it, of each page, of each member."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import tifffile

from tasks.errors import QuarantineError, RetryLaterError
from tasks.keys import item_key
from tasks.scan.recognise import Recognised, recognise
from tasks.stage import Outcome, OutcomeKind, Row, StageContext, each_row

CHUNK = 1 << 20
HEAD = 8192
LARGEST_MEMBERS = 10_000  # in one container
LARGEST_UNPACKED = 20 * 10**9  # bytes of one container's members together
LARGEST_RATIO = 200  # a member's unpacked to its packed size, above a megabyte
MOST_PAGES = 10_000


def scan_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Scans listed rows (`tasks.scan.listing`); yields items."""

    def work(row: Row) -> Iterator[Outcome]:
        return _missing(row) if row["entry"] == "manifest" else _file(row, context)

    for outcome, row in _with_rows(batch, work):
        # An item that could not be read is an item all the same.
        yield outcome if outcome.rows or row["entry"] == "manifest" else _bare(outcome, row)


def _with_rows(batch: Sequence[Row], work: Any) -> Iterator[tuple[Outcome, Row]]:
    for row in batch:
        for outcome in each_row([row], "item_key", work):
            yield outcome, row


def _bare(outcome: Outcome, row: Row) -> Outcome:
    item = _item(row, row["path"], Recognised("application/octet-stream", "other"), row["bytes"], None)
    return Outcome(outcome.key, outcome.item_key, outcome.outcome, outcome.reason, {"items": [item]})


def _missing(row: Row) -> Iterator[Outcome]:
    """The films a manifest lists beyond those received are items without a file."""
    listed, received = row["listed_films"] or 0, row["received"] or 0
    yield Outcome(row["item_key"], row["item_key"], "done")
    for number in range(received + 1, listed + 1):
        path = f"{row['path']}/{number}"
        item = _item(row, path, Recognised("", "film"), 0, None)
        key = item["item_key"]
        reason = f"listed by {row['listed_by']}, not received"
        yield Outcome(key, key, "waiting", reason, {"items": [item]}, input_key=row["item_key"])


def _file(row: Row, context: StageContext) -> Iterator[Outcome]:
    source = context.configuration.sources[row["source"]]
    full = source.path / row["path"]
    try:
        with full.open("rb") as file:
            before = os.fstat(file.fileno())
            head, digest, size = _hash(file)
            after = full.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != after.st_size:
                raise RetryLaterError("changed while it was read: it is tried again")
            if size == 0:
                raise QuarantineError("the file is empty")
            found = recognise(head, source.kind)
            if found.media_type == "application/zip":
                yield from _container(row, file, source.kind, size, digest)
            else:
                yield from _pages(row, file, found, size, digest)
    except PermissionError as error:
        raise QuarantineError("may not be read: mend its permissions") from error
    except FileNotFoundError as error:
        raise RetryLaterError("is gone since it was listed") from error


def _hash(file: BinaryIO) -> tuple[bytes, str, int]:
    """(first bytes, SHA-256, size) in one pass."""
    digest, head, size = hashlib.sha256(), b"", 0
    while chunk := file.read(CHUNK):
        if not head:
            head = chunk[:HEAD]
        digest.update(chunk)
        size += len(chunk)
    return head, digest.hexdigest(), size


def _pages(row: Row, file: BinaryIO, found: Recognised, size: int, digest: str) -> Iterator[Outcome]:
    pages = _count_pages(file) if found.media_type == "image/tiff" and found.outcome == "done" else 1
    for page in range(1, pages + 1):
        yield _outcome(row, row["path"], found, size, digest, page, pages)


def _count_pages(file: BinaryIO) -> int:
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tiff:
            pages = len(tiff.pages)
    except Exception:  # a damaged directory: wrap says what is wrong with the picture
        return 1
    if pages > MOST_PAGES:
        raise QuarantineError(f"a TIFF of more than {MOST_PAGES} pages")
    return max(pages, 1)


def _container(row: Row, file: BinaryIO, kind: str, size: int, digest: str) -> Iterator[Outcome]:
    file.seek(0)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise QuarantineError("a damaged zip archive: its directory cannot be read") from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    _refuse_bombs(members)
    zipped = Recognised(
        "application/zip", "other", "excluded", f"an archive: its {len(members)} members are items of their own"
    )
    yield _outcome(row, row["path"], zipped, size, digest)
    seen: set[str] = set()
    for member in members:
        if member.filename not in seen:  # of two members with one name the archive gives only the last
            seen.add(member.filename)
            yield _member(row, archive, archive.getinfo(member.filename), kind)


def _refuse_bombs(members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    steep = any(m.file_size > 10**6 and m.file_size > LARGEST_RATIO * max(m.compress_size, 1) for m in members)
    if len(members) > LARGEST_MEMBERS or total > LARGEST_UNPACKED or steep:
        raise QuarantineError(
            f"an archive that unpacks to {total} bytes in {len(members)} members: not opened, it may be a bomb"
        )


def _member(row: Row, archive: zipfile.ZipFile, member: zipfile.ZipInfo, kind: str) -> Outcome:
    path = f"{row['path']}!{member.filename}"
    try:
        data = archive.read(member)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        failed = Recognised(
            "application/octet-stream", "other", "quarantined", f"the member cannot be unpacked ({type(error).__name__})"
        )
        return _outcome(row, path, failed, member.file_size, None)
    except Exception as error:  # zlib.error and whatever other decompressors raise
        failed = Recognised(
            "application/octet-stream", "other", "quarantined", f"the member is damaged ({type(error).__name__})"
        )
        return _outcome(row, path, failed, member.file_size, None)
    if not data:
        return _outcome(
            row, path, Recognised("", "other", "quarantined", "the member is empty"), 0, hashlib.sha256().hexdigest()
        )
    found = recognise(data[:HEAD], kind)
    if found.media_type == "application/zip":
        found = Recognised(
            "application/zip", "other", "review", "an archive in an archive, not opened yet: unpack it into the source"
        )
    return _outcome(row, path, found, len(data), hashlib.sha256(io.BytesIO(data).getbuffer()).hexdigest())


def _outcome(row: Row, path: str, found: Recognised, size: int, digest: str | None, page: int = 1, pages: int = 1) -> Outcome:
    item = _item(row, path, found, size, digest, page, pages)
    key = item["item_key"]
    kind: OutcomeKind = found.outcome  # type: ignore[assignment]
    input_key = None if key == row["item_key"] else row["item_key"]
    return Outcome(key, key, kind, found.reason, {"items": [item]}, input_key)


def _item(
    row: Row, path: str, found: Recognised, size: int | None, digest: str | None, page: int = 1, pages: int = 1
) -> dict[str, Any]:
    kept = ("source", "source_order", "jacket", "listed_by", "listing", "group_key", "group_files")
    return {name: row[name] for name in kept} | {
        "item_key": item_key(row["source"], path, page),
        "path": path,
        "page": page,
        "pages": pages,
        "bytes": size or 0,
        "sha256": digest,
        "media_type": found.media_type,
        "kind": found.kind,
    }
