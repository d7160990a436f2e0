"""The scan stage: reads each listed file once, hashes it on the way, and makes an item of it, of each page, of each member.

| listed | becomes |
| --- | --- |
| a file | what `tasks.scan.recognise` says; a container: one item, and one a member |
| a DICOMDIR | one item, and one waiting item for each file that it lists and that is not there |
| a file that is empty | quarantined |
| a file that changes while it is read, cannot be read now, may not be read | waiting |
| a film whose folder and name are two jackets of the manifest | review |
| a link, a pipe, a device | excluded |
| a study of a legacy PACS | what `tasks.scan.pacs.study` says |
| a jacket of a manifest that lists more films than were received | one waiting item for each that is missing |
| what was missing and has been received; what a changed file holds no more | excluded |
"""

import errno
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from tasks.configuration import ArchiveSource, FilmSource, PacsSource
from tasks.containers import container_type
from tasks.errors import NextRunError, RetryLaterError
from tasks.scan.archives import archive_items
from tasks.scan.content import Reading, content_items, read_through, recognised
from tasks.scan.directory import MEDIA_TYPE, Disc, directory_at, directory_items, noted
from tasks.scan.items import NOTHING, Content, item_outcome
from tasks.scan.pacs.batch import PACS_ENTRIES, pacs_outcomes
from tasks.scan.pacs.listing import LISTED_BY
from tasks.scan.recognise import Recognised
from tasks.sources import file_path
from tasks.stage import Outcome, Row, StageContext, each_row

_PASSED_OVER = {
    "link": Recognised(None, "other", "excluded", "a link, which is not followed: name what it points to as a source"),
    "special": Recognised(None, "other", "excluded", "not a file but a pipe, socket or device: nothing to migrate"),
}
_TORN = "lies in the folder of one jacket of the manifest and is named after another: move it or rename it"


def scan_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Scans listed rows (`tasks.scan.listing.LISTING`); yields items. A jacket's row itself is none.

    A jacket's row has a column `received`, the films that were found of it. Rows whose entry is `former` are items that an
    earlier scan found and the last one did not find again.
    """

    def work(row: Row) -> Iterator[Outcome]:
        if row["entry"] == "manifest":
            return _missing(row)
        if row["entry"] == "former":
            return iter([_former(row)])
        if row["entry"] in _PASSED_OVER:
            return iter([item_outcome(row, row["path"], _PASSED_OVER[row["entry"]], NOTHING)])
        return _file(row, context)

    files = [row for row in batch if row["entry"] not in PACS_ENTRIES]
    if len(files) < len(batch):
        yield from pacs_outcomes([row for row in batch if row["entry"] in PACS_ENTRIES], context)
    for row in files:
        for outcome in each_row([row], "item_key", work):
            # A file that could not be read is an item all the same.
            yield outcome if outcome.rows or row["entry"] == "manifest" else _unread(outcome, row)


def _unread(outcome: Outcome, row: Row) -> Outcome:
    found = Recognised(None, "other", outcome.outcome, outcome.reason)
    return replace(item_outcome(row, row["path"], found, Content(row["bytes"], None)), again=outcome.again)


def _missing(row: Row) -> Iterator[Outcome]:
    """The films a manifest lists beyond those received are items without a file."""
    yield Outcome(row["item_key"], row["item_key"], "done")
    found = Recognised(None, "film", "waiting", f"listed by {row['listed_by']}, not received")
    for number in range(row["received"] + 1, row["listed_films"] + 1):
        missing = item_outcome(row, f"{row['path']}/{number}", found, NOTHING)
        yield replace(missing, input_key=row["item_key"])


def _former(row: Row) -> Outcome:
    came = row["kind"] in ("film", "dicom") and row["sha256"] is None
    what = "the study" if row["listed_by"] == LISTED_BY else "the file"
    reason = "listed, and received since" if came else f"{what} it was found in has changed and holds it no more"
    found = Recognised(row["media_type"], row["kind"], "excluded", reason)
    return item_outcome(row, row["path"], found, Content(row["bytes"], row["sha256"]), row["page"], row["pages"])


def _file(row: Row, context: StageContext) -> Iterator[Outcome]:
    source = context.configuration.sources[row["source"]]
    assert not isinstance(source, PacsSource)
    path = file_path(source.path, row["path"])
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes no bytes)
            before = os.fstat(file.fileno())
            reading = read_through(file)
            outcomes = list(_items(row, file, reading, source, context))
            after = os.stat(path)  # noqa: PTH116
    except PermissionError as error:
        raise NextRunError("may not be read: mend its permissions, then run again") from error
    except FileNotFoundError as error:
        raise NextRunError("is gone since it was listed") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise RetryLaterError(f"cannot be read now ({errno.errorcode.get(error.errno or 0, 'input/output')})") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or reading.content.bytes != after.st_size:
        raise RetryLaterError("changed while it was read")
    if row["torn"] and isinstance(source, FilmSource):
        outcomes = [replace(o, outcome="review", reason=_TORN) if o.outcome == "done" else o for o in outcomes]
    yield from outcomes


def _items(
    row: Row, file: BinaryIO, reading: Reading, source: FilmSource | ArchiveSource, context: StageContext
) -> Iterator[Outcome]:
    path = file_path(source.path, row["path"])
    if container_type(reading.head):
        yield from archive_items(row, path, source, reading, context.workspace)
        return
    found = recognised(reading, row["path"], source)
    if found.media_type == "application/vnd.microsoft.portable-executable" and zipfile.is_zipfile(file):
        reason = "a program with an archive in it, which may hold images: unpack it into the source"
        found = replace(found, outcome="review", reason=reason)
    if row.get("directory") and (found.kind == "dicom" or found.media_type == MEDIA_TYPE):
        directory = directory_at(file_path(source.path, row["directory"]), row["directory"], row["directory_state"])
        row = noted(row, directory, row["path"], directory.path, reading.head) if found.kind == "dicom" else row
        if found.media_type == MEDIA_TYPE and directory.path == row["path"]:
            item = item_outcome(row, row["path"], found, reading.content)
            is_there = Disc(os.fsencode(source.path), directory).is_there
            yield from directory_items(row, directory, item, "", is_there)
            return
    yield from content_items(row, row["path"], reading, found, file)
