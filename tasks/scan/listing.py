"""The listing: one row a file of every source, and one a jacket of a vendor's manifest; nothing is read but names and sizes.

Rows stream into Parquet part files, ten thousand at a time, in sorted order. What is judged as a whole later is named here: the
jacket of a film, the medium (top folder or top container) of an archive's file, with the number of files listed in it.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.configuration import ArchiveSource, Configuration, FilmSource
from tasks.errors import ConfigurationError, StageBlockedError
from tasks.keys import item_key, key_of

PART_ROWS = 10_000
MANIFEST_COLUMNS = ("jacket", "patient_id", "name", "accession", "study_date", "films", "box", "modality")

LISTING = pa.schema(
    [
        ("item_key", pa.string()),
        ("source", pa.string()),
        ("source_order", pa.int64()),
        ("entry", pa.string()),  # file, manifest
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("jacket", pa.string()),
        ("group_key", pa.string()),
        ("listed_by", pa.string()),
        ("listing", pa.string()),
        ("listed_films", pa.int64()),
    ]
)


def write_listing(configuration: Configuration, folder: Path) -> list[Path]:
    """Lists all sources into Parquet files below `folder`; gives back their paths.

    Raises `StageBlockedError` where a source cannot be listed, `ConfigurationError` where a manifest lacks a needed column.
    """
    parts: list[Path] = []
    for order, (name, source) in enumerate(configuration.sources.items()):
        manifest = read_manifest(source) if isinstance(source, FilmSource) else {}
        rows = _rows(name, order, source, manifest, configuration.project.workspace)
        for number, chunk in enumerate(_chunks(rows)):
            part = folder / f"listing-{order:03d}-{number:06d}.parquet"
            pq.write_table(pa.Table.from_pylist(chunk, schema=LISTING), part)
            parts.append(part)
    return [_counted(parts, folder)] if parts else []


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == PART_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _counted(parts: list[Path], folder: Path) -> Path:
    """Adds how many files each group and jacket has; done by DuckDB, so that memory does not grow with the listing."""
    target = folder / "listing.parquet"
    files = ", ".join(f"'{part}'" for part in parts)
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (
                WITH listed AS (SELECT * FROM read_parquet([{files}])),
                groups AS (SELECT group_key, count(*) AS group_files FROM listed WHERE entry = 'file' GROUP BY group_key)
                SELECT l.*, g.group_files,
                       CASE WHEN entry = 'manifest' THEN coalesce(g.group_files, 0) END AS received
                FROM listed l LEFT JOIN groups g USING (group_key)
            ) TO '{target}' (FORMAT parquet)""")
    for part in parts:
        part.unlink()
    return target


def read_manifest(source: FilmSource) -> dict[str, dict[str, str]]:
    """The vendor's manifest by jacket, under our column names, without empty cells.

    Raises `ConfigurationError` where it cannot be read or has no column for the jacket.
    """
    if source.manifest is None:
        return {}
    try:
        with duckdb.connect() as connection:
            cursor = connection.execute("SELECT * FROM read_csv(?, all_varchar = true, header = true)", [str(source.manifest)])
            names = [column[0] for column in cursor.description or ()]
            cells = cursor.fetchall()
    except duckdb.Error as error:
        raise ConfigurationError(
            f"{source.manifest}: cannot be read as CSV: correct the file or [[source]] manifest"
        ) from error
    theirs = {ours: source.columns.get(ours, ours) for ours in MANIFEST_COLUMNS}
    if theirs["jacket"] not in names:
        raise ConfigurationError(
            f"{source.manifest}: has no column {theirs['jacket']!r}: name the jacket's column in [[source]] columns"
        )
    manifest = {}
    for row in cells:
        line = dict(zip(names, row, strict=True))
        ours = {our: line[their].strip() for our, their in theirs.items() if line.get(their)}
        if "jacket" in ours:
            manifest[ours["jacket"]] = ours
    return manifest


def jacket_of(path: str, known: dict[str, dict[str, str]]) -> str:
    """The jacket a film belongs to: one the manifest knows, else the folder it lies in, else the file name's first token."""
    parts = Path(path).parts
    token = re.split(r"[_\-. ]", parts[-1], maxsplit=1)[0]
    for candidate in (*parts[:-1], token):
        if candidate in known:
            return candidate
    return parts[-2] if len(parts) > 1 else token


def _rows(
    name: str, order: int, source: FilmSource | ArchiveSource, manifest: dict[str, dict[str, str]], workspace: Path
) -> Iterator[dict[str, Any]]:
    base = {"source": name, "source_order": order}
    is_film = isinstance(source, FilmSource)
    manifest_file = source.manifest if isinstance(source, FilmSource) else None
    for path, size, changed in _walk(source.path, name, {workspace, manifest_file}):
        jacket = jacket_of(path, manifest) if is_film else None
        line = manifest.get(jacket or "")
        yield base | {
            "item_key": item_key(name, path),
            "entry": "file",
            "path": path,
            "bytes": size,
            "mtime_ns": changed,
            "jacket": jacket,
            "group_key": key_of("group", name, jacket or path.split("/")[0]),
            "listed_by": manifest_file.name if line and manifest_file else None,
            "listing": json.dumps(line, sort_keys=True) if line else None,
        }
    for jacket, line in sorted(manifest.items()):
        assert manifest_file is not None
        yield base | {
            "item_key": item_key(name, f"{manifest_file.name}#{jacket}"),
            "entry": "manifest",
            "path": f"{manifest_file.name}#{jacket}",
            "jacket": jacket,
            "group_key": key_of("group", name, jacket),
            "listed_by": manifest_file.name,
            "listing": json.dumps(line, sort_keys=True),
            "listed_films": int(line["films"]) if line.get("films", "").isdigit() else 0,
        }


def _walk(root: Path, name: str, leave_out: set[Path | None]) -> Iterator[tuple[str, int, int]]:
    """(path below root, bytes, mtime in ns) of every regular file, sorted; links are not followed."""

    def visit(folder: Path) -> Iterator[tuple[str, int, int]]:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            path = Path(entry.path)
            if path in leave_out or entry.is_symlink():
                continue
            if entry.is_dir():
                yield from visit(path)
            elif entry.is_file():
                status = entry.stat()
                relative = (
                    path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
                )
                yield relative, status.st_size, status.st_mtime_ns

    try:
        yield from visit(root)
    except OSError as error:
        raise StageBlockedError(
            f"source {name!r} cannot be listed ({error.strerror}): mount it or mend its permissions"
        ) from error
