"""The review queue, and samples of automatic links, as sheets (CSV or XLSX) that a person fills in and sends back.

A row stands for a study (or an item in none), with what was read, the likeliest candidates, and the fingerprint that its
decision answers. Whoever decides writes `decision` (link, new patient, nobody; of a sample right or wrong), `value` (a Patient
ID), `decided_by` and `decision_reason`; rows without a decision stay as they are. A sheet holds patients: it is made for its
owner's eyes alone.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import duckdb
import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from flows.review.decisions import WITH_VALUE, WITHOUT_VALUE, Decision
from tasks.errors import ConfigurationError
from tasks.workspace.clerical import CHECKS

CANDIDATES = 3
_READ = ("patient_name", "patient_id", "birth_date", "sex", "study_date", "accession")
_ABOUT = ("key", "reason", "stage", "items", "path", "jacket", *(f"read_{name}" for name in _READ))
_CANDIDATE = ("patient_id", "name", "birth_date", "sex", "probability", "agreement")
TO_FILL_IN = ("decision", "value", "decided_by", "decision_reason")
COLUMNS = (
    *_ABOUT,
    *(f"candidate_{number}_{name}" for number in range(1, CANDIDATES + 1) for name in _CANDIDATE),
    *TO_FILL_IN,
    "answers",
)
_NEEDED = ("key", "answers", *TO_FILL_IN)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is run by spreadsheet programs
_DECISION = COLUMNS.index("decision")

_SAMPLE = """
    WITH automatic AS (
        SELECT l.study_instance_uid, any_value((i.source, l.reason)) AS stratum, sha256(l.study_instance_uid) AS drawn
        FROM links l JOIN studies s USING (study_instance_uid) JOIN items i USING (item_key)
        WHERE l.decision = 'auto' AND l.study_instance_uid NOT IN (SELECT study_instance_uid FROM clerical_checks) GROUP BY ALL
    )
    SELECT study_instance_uid FROM automatic
    QUALIFY row_number() OVER (PARTITION BY stratum ORDER BY drawn)
            <= ceil($1 * count(*) OVER (PARTITION BY stratum) / count(*) OVER ())
    ORDER BY study_instance_uid
"""


def write_queue(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """Writes what waits for review into a new file, `.csv` or `.xlsx`, readable by its owner; gives back the number of rows.

    Raises `ConfigurationError` where the file is there already or is of another kind.
    """
    return _write(file, _rows(connection, "t.state = 'review'", []), WITH_VALUE + WITHOUT_VALUE)


def write_sample(connection: duckdb.DuckDBPyConnection, file: Path, size: int) -> int:
    """Writes about `size` studies that were linked automatically and not checked yet, for people to say whether that is right.

    From every stratum (source and reason of the link) as much as its share, and one at the least, in the order of a hash: the
    same workspace gives the same sample, and the next one goes on. Raises `ConfigurationError` as `write_queue` does.
    """
    sample = connection.execute(_SAMPLE, [size]).fetchall()
    return _write(file, _rows(connection, "key IN (SELECT unnest($1))", [[uid for (uid,) in sample]]), CHECKS)


def _write(file: Path, found: Iterator[list[str]], choices: tuple[str, ...]) -> int:
    write, rows = _kind(file, {".csv": _write_csv, ".xlsx": _write_xlsx}), list(found)
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise ConfigurationError(f"{file} is there already, maybe with decisions in it: name another file") from error
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written ({error.strerror}): name a place that can be") from error
    try:
        write(file, rows, choices)
    except BaseException:
        file.unlink()
        raise
    return len(rows)


def read_sheet(file: Path, by: str) -> list[tuple[int, Decision]]:
    """The decisions in a sheet, each with its line (the heading is line 1); `by` decides where a row does not say who.

    Raises `ConfigurationError` where the file cannot be read or lacks a column.
    """
    read = _kind(file, {".csv": _read_csv, ".xlsx": _read_xlsx})
    try:
        rows = [(line, row) for line, row in enumerate(read(file), 2) if row.get("decision")]
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}): name the sheet that was filled in") from error
    except (ValueError, KeyError, csv.Error, BadZipFile, InvalidFileException):
        # The message of the cause could show a cell, which may be a patient.
        raise ConfigurationError(f"{file} cannot be read as a sheet: save it as CSV in UTF-8 or as XLSX") from None
    return [(line, _decision(row, by)) for line, row in rows]


def _decision(row: dict[str, str], by: str) -> Decision:
    kind, who = " ".join(row["decision"].lower().split()), row["decided_by"] or by
    return Decision(row["key"], kind, row["value"], who, row["decision_reason"], row["answers"])


def _kind(file: Path, kinds: dict[str, Any]) -> Any:
    if file.suffix.lower() not in kinds:
        raise ConfigurationError(f"{file} is neither .csv nor .xlsx: name it so")
    return kinds[file.suffix.lower()]


def _rows(connection: duckdb.DuckDBPyConnection, condition: str, parameters: list[object]) -> Iterator[list[str]]:
    """The rows of the sheet, as text, in the order of `filmroom review list`."""
    read = ", ".join(f"string_agg(DISTINCT o.label_{name}, '; ' ORDER BY o.label_{name}) AS {name}" for name in _READ)
    cursor = connection.execute(
        f"""
        SELECT coalesce(s.study_instance_uid, i.item_key) AS key, min(t.reason), any_value(t.stage) AS stage,
               count(DISTINCT i.item_key), min(i.path) AS path, min(i.jacket), {read}, any_value(l.evidence) AS evidence,
               any_value(l.fingerprint) AS answers
        FROM items i JOIN item_states t USING (item_key) LEFT JOIN objects o USING (item_key)
             LEFT JOIN studies s USING (object_key) LEFT JOIN links l ON l.study_instance_uid = s.study_instance_uid
        WHERE {condition} GROUP BY ALL ORDER BY stage, path, key""",
        parameters,
    )
    while row := cursor.fetchone():
        *about, evidence, answers = row
        candidates = json.loads(evidence or "{}").get("candidates", [])[:CANDIDATES]
        shown = [text for candidate in candidates for text in _candidate(candidate)]
        blank = [""] * (len(_CANDIDATE) * (CANDIDATES - len(candidates)) + len(TO_FILL_IN))
        yield [*("" if value is None else str(value) for value in about), *shown, *blank, answers or ""]


def _candidate(candidate: dict[str, Any]) -> list[str]:
    agreement = [", ".join(f"{name} {answer}" for name, answer in sorted(fields.items())) for fields in candidate["agreement"]]
    name = f"{candidate['family_name']}, {candidate['given_name']}"
    known = [candidate["patient_id"], name, candidate["birth_date"], candidate["sex"]]
    return [*(value or "" for value in known), f"{candidate['probability']:.6f}", " | ".join(agreement)]


def _write_csv(file: Path, rows: Iterable[list[str]], choices: tuple[str, ...]) -> None:
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        writer.writerows([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row] for row in rows)


def _write_xlsx(file: Path, rows: Iterable[list[str]], choices: tuple[str, ...]) -> None:
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet("review")
    page.freeze_panes = "B2"
    for number, name in enumerate(COLUMNS, 1):
        page.column_dimensions[get_column_letter(number)].width = max(12, len(name) + 2)
    choice = DataValidation(type="list", formula1=f'"{",".join(choices)}"', allow_blank=True)
    letter = get_column_letter(_DECISION + 1)
    choice.add(f"{letter}2:{letter}1048576")
    page.data_validations.append(choice)
    page.append([_text(page, name, bold=True) for name in COLUMNS])
    for row in rows:
        page.append([_text(page, cell) for cell in row])
    book.save(file)


def _text(page: Any, text: str, *, bold: bool = False) -> Any:
    """A cell that is text whatever it looks like: numbers keep their zeros, and nothing is a formula."""
    cell = WriteOnlyCell(page, value=openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", text))
    cell.data_type, cell.number_format, cell.font = "s", "@", Font(bold=bold)
    return cell


def _read_csv(file: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file in UTF-8, parted by commas, or by semicolons or tabs, as spreadsheet programs save them."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        delimiter = max(",;\t", key=lines.readline().count)
        lines.seek(0)
        reader = csv.DictReader(lines, delimiter=delimiter)
        _require(file, reader.fieldnames or ())
        for row in reader:
            yield {name: (row[name] or "").strip() for name in _NEEDED}


def _read_xlsx(file: Path) -> Iterator[dict[str, str]]:
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        heading = [str(name) for name in next(rows, ())]
        _require(file, heading)
        for row in rows:
            by_name = dict(zip(heading, row, strict=False))
            yield {name: _plain(by_name.get(name)) for name in _NEEDED}
    finally:
        book.close()


def _plain(value: object) -> str:
    """A cell as text; a Patient ID that was typed as a number is one without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _require(file: Path, heading: Iterable[str]) -> None:
    missing = [name for name in _NEEDED if name not in set(heading)]
    if missing:
        raise ConfigurationError(f"{file} has no column {missing[0]!r}: send back the sheet that was exported")
