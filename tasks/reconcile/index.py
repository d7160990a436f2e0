"""The patient index: what is configured of it, made ready once, and asked by stages.

It is read from its sources (`registry`) into files below the workspace (`stored`), which every process maps into memory: a
batch costs the same whatever the size of the index, and a process that starts has nothing to load.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.configuration import Configuration, Patients
from tasks.errors import ConfigurationError
from tasks.reconcile.check_digits import scheme_of
from tasks.reconcile.compared import COMPARED
from tasks.reconcile.normalise import normal_date, normal_identifier, normal_sex
from tasks.reconcile.person import Person
from tasks.reconcile.registry.gather import check_sources, gather
from tasks.reconcile.stored import Stored, stored_index

__all__ = ["PatientIndex", "Person", "check_index", "index_version", "read_index"]

_SAMPLED = 2000  # numbers, to find out how they are checked


@dataclass(frozen=True)
class PatientIndex:
    """The index, ready for questions; `size` in persons. Threads and processes may ask at the same time."""

    stored: Stored | None

    @property
    def size(self) -> int:
        """Persons in the index."""
        return len(self.stored.first) if self.stored else 0

    def with_identifier(self, patient_id: str) -> list[Person]:
        """The persons who have, or had, an identifier (compared in normal form)."""
        wanted = normal_identifier(patient_id)
        if self.stored is None or wanted is None:
            return []
        _, records = self.stored.keys.with_identifiers([wanted])
        return [self.person(int(line)) for line in np.unique(self._column("person", records))]

    @cached_property
    def scheme(self) -> str | None:
        """How the hospital's numbers are checked, from a sample of them; `None` where they are not."""
        if self.stored is None:
            return None
        step = max(1, self.size // _SAMPLED)
        return scheme_of(list(dict.fromkeys(filter(None, self._current(self.stored.first[::step])))))

    def _current(self, records: NDArray[np.int64]) -> list[str | None]:
        assert self.stored is not None
        return self.stored.records["patient_id"].take(records).to_pylist()

    def ordered(self, accessions: Sequence[str | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(place in `accessions`, person) of the orders with these numbers (compared in normal form)."""
        if self.stored is None:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return self.stored.orders.with_values([normal_identifier(accession) for accession in accessions])

    def sharing(self, persons: Iterable[Person]) -> frozenset[int]:
        """The lines of those persons whose current number is, or was, another's of the same (or of an unknown) issuer."""
        asked = list(persons)
        if self.stored is None or not asked:
            return frozenset()
        rows, records = self.stored.keys.with_identifiers([normal_identifier(person.patient_id) for person in asked])
        issuers = self.stored.spelled["issuer"].take(records).to_pylist()
        lines = self._column("person", records).tolist()
        return frozenset(
            asked[row].line
            for row, line, issuer in zip(rows.tolist(), lines, issuers, strict=True)
            if line != asked[row].line and (not issuer or not asked[row].issuer or issuer == asked[row].issuer)
        )

    def person(self, line: int) -> Person:
        """A person by the place in the index."""
        assert self.stored is not None
        first = self.stored.first
        end = first[line + 1] if line + 1 < len(first) else self.stored.spelled.num_rows
        records = self.stored.spelled.slice(first[line], end - first[line]).to_pylist()
        now = records[0]
        names = dict.fromkeys((record["family_name"], record["given_name"]) for record in records)
        identifiers = dict.fromkeys((record["patient_id"], record["issuer"]) for record in records if record["patient_id"])
        births = dict.fromkeys(normal_date(record["birth_date"]) for record in records)
        return Person(
            patient_id=now["patient_id"],
            family_name=now["family_name"],
            given_name=now["given_name"],
            birth_date=normal_date(now["birth_date"]) or "",
            sex=normal_sex(now["sex"]) or "",
            issuer=now["issuer"],
            death_date=normal_date(now["death_date"]) or "",
            former_ids=tuple(pair for pair in identifiers if pair != (now["patient_id"], now["issuer"])),
            former_names=tuple(list(names)[1:]),
            former_birth_dates=tuple(date for date in list(births)[1:] if date),
            line=line,
            linked=now["linked"],
        )

    def shares(self, questions: pa.Table) -> dict[str, NDArray[np.float64]]:
        """The share of records that have each question's value (float64), one record where nobody has it, by column."""
        assert self.stored is not None
        records = max(self.stored.records.num_rows, 1)
        return {column: np.maximum(counts, 1) / records for column, counts in self.stored.keys.frequencies(questions).items()}

    def pairs(self, questions: pa.Table) -> tuple[NDArray[np.int64], pa.Table, NDArray[np.int64]]:
        """What is worth comparing: question row, record of the index (columns `COMPARED`) and person, of each pair."""
        assert self.stored is not None
        rows, records = self.stored.keys.pairs(questions)
        return rows, self.stored.records.select(COMPARED.names).take(records), self._column("person", records)

    def _column(self, name: str, records: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self.stored is not None
        return np.asarray(self.stored.records[name].chunk(0))[records]


def read_index(patients: Patients | None, workspace: Path) -> PatientIndex:
    """The configured index, made ready below the workspace where it is not yet; an empty one where none is configured.

    Raises `ConfigurationError` where it cannot be read or lacks a needed column.
    """
    if patients is None:
        return PatientIndex(None)
    try:
        stamps = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in patients.index)
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: the patient index cannot be read: correct [patients] index") from error
    return _read(patients.index, tuple(sorted(patients.columns.items())), workspace / "derived" / "patients", stamps)


@lru_cache(maxsize=2)
def _read(
    paths: tuple[Path, ...], columns: tuple[tuple[str, str], ...], folder: Path, stamps: tuple[tuple[str, int, int], ...]
) -> PatientIndex:
    stamp = repr((columns, [(str(path), *_changed(path)) for path in _files(paths)]))
    return PatientIndex(stored_index(folder, stamp, lambda: gather(paths, dict(columns))))


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            for folder, names, files in os.walk(path):
                names.sort()
                yield from (Path(folder, name) for name in sorted(files))
        else:
            yield path


def _changed(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def check_index(patients: Patients | None) -> None:
    """Raises `ConfigurationError` where a table lacks a needed column; reads no more than first lines."""
    if patients is not None:
        check_sources(patients.index, patients.columns)


def index_version(configuration: Configuration) -> str | None:
    """SHA-256 of the index's files and of how columns are mapped: what the links rest on; `None` where there is no index."""
    patients = configuration.patients
    if patients is None:
        return None
    check_index(patients)
    digest = hashlib.sha256(repr(sorted(patients.columns.items())).encode())
    for path in _files(patients.index):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
