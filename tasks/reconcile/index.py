"""The patient index: a CSV file, held once a process in DuckDB, with names and dates in the form in which they are compared."""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling

from tasks.configuration import Configuration, Patients
from tasks.errors import ConfigurationError
from tasks.reconcile.normalise import name_words, normal_date, normal_identifier, normal_name, normal_sex

NEEDED = ("patient_id", "family_name", "given_name", "birth_date", "sex")

# What Splink compares; `unique_id` is the line of the index, so that two lines with one identifier stay two.
COMPARED = ("unique_id", "patient_id", "family", "given", "birth_date", "sex")


@dataclass(frozen=True)
class Person:
    """A line of the index as it is spelled there; birth date as YYYYMMDD, sex as M, F or O, empty where unknown."""

    patient_id: str
    family_name: str
    given_name: str
    birth_date: str
    sex: str
    issuer: str = ""

    @property
    def name(self) -> str:
        """The name as PN, FAMILY^GIVEN (PS3.5 section 6.2.1.1), without what is not allowed in a component."""
        family, given = (
            " ".join("".join(" " if c in "^=\\" or not c.isprintable() else c for c in part).split())[:64]
            for part in (self.family_name, self.given_name)
        )
        return f"{family}^{given}".rstrip("^")

    @property
    def words(self) -> tuple[str, ...]:
        """The name as it is compared."""
        return name_words(self.family_name, self.given_name)


@dataclass(frozen=True)
class PatientIndex:
    """The index in a DuckDB table `persons`: the columns of `Person` and, in normal form, those of `COMPARED`.

    A cursor is taken for each question, so that threads may ask at the same time.
    """

    connection: duckdb.DuckDBPyConnection | None
    size: int

    def with_identifier(self, patient_id: str) -> list[Person]:
        """The lines with an identifier (compared in normal form); more than one is an index at odds with itself."""
        wanted = normal_identifier(patient_id)
        if self.connection is None or wanted is None:
            return []
        rows = self.connection.cursor().execute(f"{_PERSONS} WHERE patient_id = ? ORDER BY unique_id", [wanted]).fetchall()
        return [Person(*row[1:]) for row in rows]

    def persons(self, lines: Iterable[str]) -> dict[str, Person]:
        """Lines of the index by their `unique_id`."""
        wanted = sorted(set(lines))
        if self.connection is None or not wanted:
            return {}
        sql = f"{_PERSONS} WHERE unique_id IN (SELECT unnest(?::VARCHAR[]))"
        return {row[0]: Person(*row[1:]) for row in self.connection.cursor().execute(sql, [wanted]).fetchall()}

    def blocked(self, new: pa.Table, rules: Iterable[str]) -> pa.Table:
        """The lines, columns `COMPARED`, that a blocking rule (SQL over `l` and `r`) pairs with a row of `new`."""
        if self.connection is None:
            return new.slice(0, 0)
        cursor = self.connection.cursor()
        cursor.register("new_rows", new)
        pairs = " UNION ".join(f"SELECT l.unique_id FROM persons l JOIN new_rows r ON {rule}" for rule in rules)
        columns = ", ".join(COMPARED)
        found: pa.Table = cursor.sql(
            f"SELECT {columns} FROM persons WHERE unique_id IN ({pairs}) ORDER BY unique_id"
        ).to_arrow_table()
        cursor.unregister("new_rows")
        return found


_PERSONS = (
    "SELECT unique_id, spelled_id, family_name, given_name, coalesce(birth_date, ''), coalesce(sex, ''), issuer FROM persons"
)


def read_index(patients: Patients | None) -> PatientIndex:
    """The configured index, from memory where the file has not changed; an empty one where none is configured.

    Raises `ConfigurationError` where it cannot be read or lacks a needed column.
    """
    if patients is None:
        return PatientIndex(None, 0)
    try:
        changed = patients.index.stat().st_mtime_ns
    except OSError as error:
        raise ConfigurationError(f"{patients.index}: the patient index cannot be read: correct [patients] index") from error
    return _read(patients.index, changed, tuple(sorted(patients.columns.items())))


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, columns: tuple[tuple[str, str], ...]) -> PatientIndex:
    names, delimiter = _heading(path)
    theirs = _columns(path, names, dict(columns))
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET enable_progress_bar = false")  # DuckDB takes a worker process for an interactive one
    for name, function in (
        ("name", normal_name),
        ("identifier", normal_identifier),
        ("date", normal_date),
        ("sex", normal_sex),
    ):
        connection.create_function(
            f"normal_{name}", function, ["VARCHAR"], "VARCHAR", null_handling=FunctionNullHandling.SPECIAL
        )
    spelled = {ours: f"""coalesce(trim("{name.replace('"', '""')}"), '')""" for ours, name in theirs.items()}
    types = "{" + ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in names) + "}"
    try:
        connection.execute(f"""
            CREATE TABLE persons AS
            SELECT CAST(row_number() OVER () AS VARCHAR) AS unique_id, {spelled["patient_id"]} AS spelled_id,
                   {spelled["family_name"]} AS family_name, {spelled["given_name"]} AS given_name,
                   {spelled.get("issuer", "''")} AS issuer, normal_identifier({spelled["patient_id"]}) AS patient_id,
                   normal_name({spelled["family_name"]}) AS family, normal_name({spelled["given_name"]}) AS given,
                   normal_date({spelled["birth_date"]}) AS birth_date, normal_sex({spelled["sex"]}) AS sex
            FROM read_csv({_literal(str(path))}, auto_detect = false, header = true, delim = {_literal(delimiter)},
                          quote = '"', escape = '"', columns = {types})""")
    except duckdb.Error:
        # The message of the cause would show the line, which is a patient.
        raise ConfigurationError(f"{path}: the patient index cannot be read as CSV in UTF-8: correct the file") from None
    for name in ("name", "identifier", "date", "sex"):
        connection.remove_function(f"normal_{name}")
    size = connection.execute("SELECT count(*) FROM persons").fetchall()[0][0]
    return PatientIndex(connection, size)


def _heading(path: Path) -> tuple[list[str], str]:
    """Column names and delimiter from the first line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: the patient index cannot be read as CSV in UTF-8: correct the file") from error
    delimiter = max(",;\t|", key=line.count)
    return next(csv.reader(io.StringIO(line), delimiter=delimiter), []), delimiter


def _columns(path: Path, names: list[str], mapped: dict[str, str]) -> dict[str, str]:
    """The index's column for each of ours that it has; raises `ConfigurationError` where a needed one is missing."""
    theirs = {ours: mapped.get(ours, ours) for ours in (*NEEDED, "issuer")}
    for ours in NEEDED:
        if theirs[ours] not in names:
            raise ConfigurationError(
                f"{path}: the patient index has no column {theirs[ours]!r}: add it, or map {ours} in [patients] columns"
            )
    return {ours: name for ours, name in theirs.items() if name in names}


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def check_index(patients: Patients | None) -> None:
    """Raises `ConfigurationError` where the index lacks a needed column; reads no more than its first line."""
    if patients is not None:
        names, _ = _heading(patients.index)
        _columns(patients.index, names, patients.columns)


def index_version(configuration: Configuration) -> str | None:
    """SHA-256 of the index file and of how its columns are mapped: what the links rest on; `None` where there is no index."""
    if configuration.patients is None:
        return None
    check_index(configuration.patients)
    with configuration.patients.index.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(repr(sorted(configuration.patients.columns.items())).encode())
    return digest.hexdigest()
