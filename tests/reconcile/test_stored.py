"""The index as processes share it: made once, derived, and made anew when its sources change."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from tasks.configuration import Patients
from tasks.reconcile.index import PatientIndex, read_index

from .rows import INDEX_HEAD, PERSON


def read(folder: Path, *sources: Path) -> PatientIndex:
    return read_index(Patients(index=sources or (folder / "mpi.csv",)), folder / "workspace")


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "workspace" / "derived" / "patients").iterdir() if path.is_dir())


def test_it_is_made_once_and_anew_where_the_file_changed(tmp_path: Path) -> None:
    (tmp_path / "mpi.csv").write_text(INDEX_HEAD + PERSON)
    assert read(tmp_path).size == 1
    first = made(tmp_path)
    assert read(tmp_path).with_identifier("1001")[0].line == 0
    assert made(tmp_path) == first
    (tmp_path / "mpi.csv").write_text(INDEX_HEAD + PERSON + "1002,SMITH,ANN,,,STE\n")
    assert read(tmp_path).size == 2
    assert len(made(tmp_path)) == 1 and made(tmp_path) != first


def test_deleting_it_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "mpi.csv").write_text(INDEX_HEAD + PERSON)
    before = read(tmp_path).with_identifier("1001")
    shutil.rmtree(tmp_path / "workspace" / "derived")
    (tmp_path / "other.csv").write_text(INDEX_HEAD)
    read(tmp_path, tmp_path / "other.csv")
    read(tmp_path, tmp_path / "mpi.csv", tmp_path / "other.csv")  # the process's memory of the first is gone
    assert read(tmp_path).with_identifier("1001") == before


def test_threads_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    (tmp_path / "mpi.csv").write_text(INDEX_HEAD + PERSON)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: read(tmp_path).with_identifier("1001"), range(16)))
    assert all(persons == found[0] for persons in found) and found[0][0].name == "O'NEIL^MARY ANN"


def test_several_tables_and_a_parquet_file_are_one_index(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.csv").write_text(INDEX_HEAD + PERSON)
    one = "SELECT '7' AS patient_id, 'X' AS family_name, 'Y' AS given_name, DATE '1950-01-02' AS birth_date, 'M' AS sex"
    duckdb.sql(one).write_parquet(str(tmp_path / "two.parquet"))
    index = read(tmp_path, tmp_path / "a", tmp_path / "two.parquet")
    assert index.size == 2
    assert index.with_identifier("7")[0].birth_date == "19500102"
