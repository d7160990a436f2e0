"""The patient index: persons by identifier, from CSV."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from tasks.configuration import Configuration, Patients
from tasks.errors import StageBlockedError

NEEDED = ("patient_id", "family_name", "given_name", "birth_date", "sex")


@dataclass(frozen=True)
class Person:
    """A person of the index; birth date as YYYYMMDD, sex as M, F or O."""

    patient_id: str
    family_name: str
    given_name: str
    birth_date: str
    sex: str
    issuer: str = ""

    @property
    def name(self) -> str:
        """The name as PN: FAMILY^GIVEN."""
        return f"{self.family_name}^{self.given_name}"


@dataclass(frozen=True)
class PatientIndex:
    """The index as an Arrow table with the columns of `Person`, and persons by identifier."""

    table: pa.Table

    def person(self, patient_id: str) -> Person | None:
        """The person with an identifier; `None` where nobody or more than one has it."""
        with duckdb.connect() as connection:
            connection.register("persons", self.table)
            rows = connection.execute("SELECT * FROM persons WHERE patient_id = ? LIMIT 2", [patient_id]).fetchall()
        return Person(*(value or "" for value in rows[0])) if len(rows) == 1 else None

    def with_identifiers(self, identifiers: list[str]) -> list[Person]:
        """Everybody who has one of the identifiers."""
        with duckdb.connect() as connection:
            connection.register("persons", self.table)
            sql = "SELECT * FROM persons WHERE patient_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL"
            return [Person(*(value or "" for value in row)) for row in connection.execute(sql, [identifiers]).fetchall()]


def read_index(patients: Patients | None) -> PatientIndex:
    """The configured index; raises `StageBlockedError` where there is none, or a needed column is missing."""
    if patients is None:
        raise StageBlockedError("no patient index: add [patients] index to the configuration")
    return _read(str(patients.index), patients.index.stat().st_mtime_ns, tuple(sorted(patients.columns.items())))


@lru_cache(maxsize=2)
def _read(path: str, changed: int, columns: tuple[tuple[str, str], ...]) -> PatientIndex:
    theirs = dict(columns)
    with duckdb.connect() as connection:
        try:
            connection.execute(f"CREATE VIEW raw AS SELECT * FROM read_csv('{path}', all_varchar = true, header = true)")
            names = [row[0] for row in connection.execute("DESCRIBE raw").fetchall()]
        except duckdb.Error as error:
            raise StageBlockedError(f"{path}: the patient index cannot be read as CSV: correct it") from error
        for ours in NEEDED:
            if theirs.get(ours, ours) not in names:
                raise StageBlockedError(
                    f"{path}: the patient index has no column {theirs.get(ours, ours)!r}: add it or map it in [patients] columns"
                )
        cells = [f'trim("{theirs.get(ours, ours)}") AS {ours}' for ours in NEEDED]
        issuer = theirs.get("issuer", "issuer")
        cells.append(f'trim("{issuer}") AS issuer' if issuer in names else "'' AS issuer")
        table = connection.execute(f"SELECT {', '.join(cells)} FROM raw").to_arrow_table()
    return PatientIndex(table)


def check_index(patients: Patients | None) -> None:
    """Raises `StageBlockedError` where the index cannot serve; for the checks before a run."""
    if patients is not None:
        read_index(patients)


def index_version(configuration: Configuration) -> str | None:
    """SHA-256 of the index file: what the links of a batch rest on."""
    path = configuration.patients.index if configuration.patients else None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else None
