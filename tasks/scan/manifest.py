"""The vendor's manifest: a CSV with a line a jacket, or several, of which only what they agree on is believed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tasks.configuration import FilmSource
from tasks.errors import ConfigurationError

MANIFEST_COLUMNS = (
    "jacket", "patient_id", "name", "accession", "study_date", "films", "box", "modality", "body_part", "view", "laterality",
)  # fmt: skip
MOST_FILMS = 10_000  # in one jacket; a number above it stands in the wrong column
_ENCODINGS = ("utf-8", "latin-1")
_STEP = 10_000


@dataclass(frozen=True)
class Listed:
    """What the manifest says of one jacket: a JSON object of our column names, and how many films it lists."""

    jacket: str
    listing: str
    films: int


def read_manifest(source: FilmSource) -> Iterator[Listed]:
    """The manifest's jackets in order, streamed.

    Lines that repeat each other count once. Where lines of a jacket differ, their films are added up and what they do not agree
    on is left out, so that no film gets the identifiers of another line.

    Raises `ConfigurationError` where the file cannot be read, lacks a column it needs, or does not say how many films it means.
    """
    if source.manifest is None:
        return
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        encoding, names = _open(connection, source.manifest)
        theirs = _mapped(source, source.manifest, names)
        read = "read_csv($file, all_varchar = true, header = true, encoding = $encoding)"
        cells = ", ".join(
            f"nullif(trim({_quoted(theirs[ours])}), '') AS {ours}" if ours in theirs else f"NULL::VARCHAR AS {ours}"
            for ours in MANIFEST_COLUMNS
        )
        films = "try_cast(films AS DOUBLE)"
        file = {"file": str(source.manifest), "encoding": encoding}
        connection.execute(f"CREATE TEMP TABLE lines AS SELECT {cells} FROM {read}", file)
        bad = connection.execute(f"""
            SELECT count(*) FILTER (WHERE jacket IS NULL),
                   count(*) FILTER (WHERE films IS NOT NULL AND NOT coalesce(
                       {films} = floor({films}) AND {films} BETWEEN 0 AND {MOST_FILMS}, false))
            FROM lines WHERE coalesce({", ".join(MANIFEST_COLUMNS)}) IS NOT NULL""").fetchone()
        _refuse(source.manifest, theirs, bad or (0, 0))
        agreed = ", ".join(
            f"CASE WHEN count(DISTINCT {c}) = 1 THEN min({c}) END AS {c}"
            for c in MANIFEST_COLUMNS
            if c not in ("jacket", "films")
        )
        cursor = connection.execute(f"""
            SELECT jacket, {agreed}, sum({films})::BIGINT::VARCHAR AS films FROM (SELECT DISTINCT * FROM lines)
            WHERE jacket IS NOT NULL GROUP BY jacket ORDER BY jacket""")
        columns = [column[0] for column in cursor.description or ()]
        while rows := cursor.fetchmany(_STEP):
            for row in rows:
                line = {name: cell for name, cell in zip(columns, row, strict=True) if cell is not None}
                yield Listed(line["jacket"], json.dumps(line, sort_keys=True), int(line.get("films", 0)))


def _open(connection: duckdb.DuckDBPyConnection, manifest: Path) -> tuple[str, list[str]]:
    """The encoding in which the whole file can be read, and the names of its columns."""
    for encoding in _ENCODINGS:
        try:
            cursor = connection.execute(
                "SELECT * FROM read_csv($file, all_varchar = true, header = true, encoding = $encoding)",
                {"file": str(manifest), "encoding": encoding},
            )
            names = [column[0] for column in cursor.description or ()]
            while cursor.fetchmany(_STEP):
                pass
            return encoding, names
        except duckdb.Error:
            continue  # its text may carry a line of the file
    raise ConfigurationError(f"{manifest}: cannot be read as CSV: correct the file or [[source]] manifest")


def _mapped(source: FilmSource, manifest: Path, names: list[str]) -> dict[str, str]:
    """Our columns that the manifest has, with its names for them."""
    for ours, named in sorted(source.columns.items()):
        if ours not in MANIFEST_COLUMNS:
            raise ConfigurationError(
                f"[[source]] columns: {ours!r} is no column of ours: use one of {', '.join(MANIFEST_COLUMNS)}"
            )
        if named not in names:
            raise ConfigurationError(f"{manifest}: has no column {named!r}, which [[source]] columns names: correct it")
    theirs = {ours: source.columns.get(ours, ours) for ours in MANIFEST_COLUMNS}
    if theirs["jacket"] not in names:
        raise ConfigurationError(
            f"{manifest}: has no column {theirs['jacket']!r}: name the jacket's column in [[source]] columns"
        )
    return {ours: named for ours, named in theirs.items() if named in names}


def _refuse(manifest: Path, theirs: dict[str, str], bad: tuple[int, int]) -> None:
    for count, ours, what in ((bad[0], "jacket", "is empty"), (bad[1], "films", f"is no number from 0 to {MOST_FILMS}")):
        if count:
            raise ConfigurationError(f"{manifest}: column {theirs[ours]!r} {what} in {count} lines: correct them")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
