"""The listing: one row a file of every source, and one a jacket of a vendor's manifest; nothing is read but names and sizes.

Rows stream into Parquet part files, ten thousand at a time, as the file system gives them; DuckDB then puts them in order,
joins the manifest to the films and counts the groups, so that memory does not grow with the listing. What is judged as a whole
later is named here: the jacket of a film, the medium (top folder or top container) of an archive's file.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.configuration import ArchiveSource, Configuration, FilmSource, PacsSource
from tasks.errors import StageBlockedError
from tasks.keys import item_key, key_of
from tasks.printable import printable_path
from tasks.scan.manifest import read_manifest
from tasks.scan.pacs.listing import study_rows

PART_ROWS = 10_000
_SEPARATOR = re.compile(r"[_\-. ]")

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("item_key", pa.string()),
    ("source", pa.string()),
    ("source_order", pa.int64()),
    # file, link, special (a pipe, a device), manifest (a jacket of it); of a PACS study, unlisted (what it does not list)
    ("entry", pa.string()),
    ("path", pa.string()),  # below the source, see tasks.sources; of a manifest's row FILE#JACKET
    ("bytes", pa.int64()),
    ("mtime_ns", pa.int64()),
    ("jacket", pa.string()),
    ("torn", pa.bool_()),  # its folder and its name are two jackets of the manifest
    ("group_key", pa.string()),
    ("listed_by", pa.string()),
    ("listing", pa.string()),
    ("listed_films", pa.int64()),
]
_PART: pa.Schema = pa.schema(_COLUMNS)
LISTING: pa.Schema = pa.schema(
    [
        *_PART,
        pa.field("group_files", pa.int64()),
        pa.field("directory", pa.string()),  # path of the DICOMDIR that lies deepest above an archive's file
        pa.field("directory_state", pa.string()),  # of that DICOMDIR; of a DICOMDIR itself, of all files below it
    ]
)


def _folder(path: str) -> str:
    return f"regexp_replace({path}, '[^/]*$', '')"


# The DICOMDIR of each folder of an archive: the one in it or, if there is none, in the next folder above that has one.
_DIRECTORIES = f"""
    discs AS (
        SELECT source, path, {_folder("path")} AS folder, bytes || ' ' || mtime_ns AS state FROM listed
        WHERE entry = 'file' AND jacket IS NULL AND regexp_full_match(lower(path), '(.*/)?dicomdir\\.?(;1)?')
        QUALIFY row_number() OVER (PARTITION BY source, folder ORDER BY path) = 1
    ), folders AS (
        SELECT DISTINCT source, {_folder("path")} AS folder FROM listed WHERE source IN (SELECT source FROM discs)
    ), above AS (
        SELECT f.source, f.folder, arg_max(d.path, length(d.folder)) AS directory, arg_max(d.state, length(d.folder)) AS state
        FROM (
            SELECT source, folder, unnest([''] || [
                array_to_string(string_split(folder, '/')[1:depth], '/') || '/'
                FOR depth IN range(1, len(string_split(folder, '/')))]) AS ancestor
            FROM folders
        ) f JOIN discs d ON d.source = f.source AND d.folder = f.ancestor GROUP BY ALL
    ), below AS (
        SELECT a.source, a.directory,
               bit_xor(md5_number(l.path || ' ' || coalesce(l.bytes, 0) || ' ' || coalesce(l.mtime_ns, 0)))::VARCHAR AS files
        FROM listed l JOIN above a ON a.source = l.source AND a.folder = {_folder("l.path")} GROUP BY ALL
    ), directories AS (SELECT * FROM above JOIN below USING (source, directory))"""


def write_listing(configuration: Configuration, folder: Path, *, ask: bool = True) -> Path:
    """Lists all sources into a Parquet file (`LISTING`) below `folder`; gives back its path. `ask`: legacy PACSs too.

    Raises `StageBlockedError` where a source cannot be listed, `ConfigurationError` where a manifest cannot be used.
    """
    parts = [folder / "listing-none.parquet"]
    pq.write_table(_PART.empty_table(), parts[0])
    for order, (name, source) in enumerate(configuration.sources.items()):
        if isinstance(source, PacsSource):
            rows = study_rows(name, order, source, configuration) if ask else iter(())
        else:
            rows = _rows(name, order, source, configuration.project.workspace)
        for number, chunk in enumerate(_chunks(rows)):
            part = folder / f"listing-{order:03d}-{number:06d}.parquet"
            pq.write_table(pa.Table.from_pylist(chunk, schema=_PART), part)
            parts.append(part)
    return _completed(parts, folder)


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == PART_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _completed(parts: list[Path], folder: Path) -> Path:
    """Puts the rows in order, gives each film its jacket's line and each row the files of its group."""
    target = folder / "listing.parquet"
    files = ", ".join(_literal(part) for part in parts)
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder)}) as connection:
        connection.execute(f"""
            COPY (
                WITH listed AS (SELECT * FROM read_parquet([{files}])),
                lines AS (SELECT group_key, listed_by, listing FROM listed WHERE entry = 'manifest'),
                groups AS (
                    SELECT group_key, count(*) AS group_files FROM listed WHERE entry <> 'manifest' GROUP BY group_key
                ), {_DIRECTORIES}
                SELECT l.* REPLACE (coalesce(l.listed_by, m.listed_by) AS listed_by, coalesce(l.listing, m.listing) AS listing),
                       coalesce(g.group_files, 0) AS group_files, d.directory,
                       CASE WHEN l.path = d.directory THEN d.files ELSE d.state END AS directory_state
                FROM listed l LEFT JOIN groups g USING (group_key) LEFT JOIN lines m USING (group_key)
                LEFT JOIN directories d ON d.source = l.source AND d.folder = {_folder("l.path")} AND l.jacket IS NULL
                ORDER BY source_order, path, entry
            ) TO {_literal(target)} (FORMAT parquet)""")
    for part in parts:
        part.unlink()
    return target


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _rows(name: str, order: int, source: FilmSource | ArchiveSource, workspace: Path) -> Iterator[dict[str, Any]]:
    base = {"source": name, "source_order": order}
    jackets: set[str] = set()
    manifest = source.manifest if isinstance(source, FilmSource) else None
    for line in read_manifest(source) if isinstance(source, FilmSource) else ():
        assert manifest is not None
        jackets.add(line.jacket)
        path = f"{printable_path(os.fsencode(manifest.name))}#{line.jacket}"
        yield base | {
            "item_key": item_key(name, path),
            "entry": "manifest",
            "path": path,
            "jacket": line.jacket,
            "group_key": key_of("group", name, line.jacket),
            "listed_by": manifest.name,
            "listing": line.listing,
            "listed_films": line.films,
        }
    for found in _walk(source.path, name, {os.fsencode(path) for path in (workspace, manifest) if path}):
        path = printable_path(found.path)
        named = jacket_of(path, jackets) if isinstance(source, FilmSource) else NamedJacket(None)
        yield base | {
            "item_key": item_key(name, path),
            "entry": found.entry,
            "path": path,
            "bytes": found.bytes,
            "mtime_ns": found.mtime_ns,
            "jacket": named.jacket,
            "torn": named.torn,
            "group_key": key_of("group", name, named.jacket or path.split("/")[0]),
        }


@dataclass(frozen=True)
class NamedJacket:
    """The jacket that a path names; `torn` where its folder and its name are two jackets of the manifest."""

    jacket: str | None
    torn: bool = False


def jacket_of(path: str, known: Iterable[str]) -> NamedJacket:
    """The jacket a film belongs to.

    That of the manifest's (`known`) which is the innermost folder it lies in, or with which, up to a separator, its name begins
    (the longest); else the folder it lies in; else its name up to the first separator.
    """
    known = known if isinstance(known, set) else set(known)
    *folders, name = path.split("/")
    ends = [match.start() for match in _SEPARATOR.finditer(name)] + [len(name)]
    by_name = next((name[:end] for end in reversed(ends) if name[:end] in known), None)
    by_folder = next((folder for folder in reversed(folders) if folder in known), None)
    if by_folder or by_name:
        return NamedJacket(by_folder or by_name, bool(by_folder and by_name and by_folder != by_name))
    return NamedJacket(folders[-1] if folders else name[: next((end for end in ends if end), len(name))])


@dataclass(frozen=True)
class _Found:
    path: bytes
    entry: str
    bytes: int
    mtime_ns: int


def _walk(root: Path, name: str, leave_out: set[bytes]) -> Iterator[_Found]:
    """Everything below `root` that is not a folder, in no order; links are listed and not followed."""
    base = os.fsencode(root)
    folders = [base]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.path in leave_out:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield _found(entry, entry.path[len(base) :].lstrip(b"/"))
    except OSError as error:
        raise StageBlockedError(
            f"source {name!r} cannot be listed ({error.strerror}): mount it or mend its permissions"
        ) from error


def _found(entry: os.DirEntry[bytes], path: bytes) -> _Found:
    if entry.is_symlink():
        return _Found(path, "link", 0, 0)
    if not entry.is_file(follow_symlinks=False):
        return _Found(path, "special", 0, 0)
    status = entry.stat(follow_symlinks=False)
    return _Found(path, "file", status.st_size, status.st_mtime_ns)
