"""Splink's tutorial model and ours over FEBRL 3 and 4 (Christen 2008), at the same threshold.

usage: python -m benchmarks.linkage [FOLDER]

FOLDER holds `dataset3.csv`, `dataset4a.csv` and `dataset4b.csv`; default: ../shared/realdata/linkage/febrl. FEBRL 4: every
record of B is asked of an index of A. FEBRL 3: every record is asked of an index of all; pairs of a record with itself do not
count. Counted are pairs with a match probability of at least 0.5, whatever else is linked (no one-to-one assignment). Public
benchmarks are regression checks, not proof: their truth is known to everyone.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.tutorial import tutorial_pairs
from tasks.configuration import Patients
from tasks.reconcile.candidates import Query, find_candidates
from tasks.reconcile.index import read_index

FEBRL = Path("../shared/realdata/linkage/febrl")
THRESHOLD = 0.5

# Ours, as the production index has them, of FEBRL's; its state and second line of address have no place there.
_INDEX = """
    SELECT rec_id AS patient_id, soc_sec_id AS number, surname AS family_name, given_name, date_of_birth AS birth_date,
           '' AS sex, trim(concat_ws(' ', street_number, address_1)) AS street, suburb AS city, postcode
    FROM febrl
"""


def read_febrl(path: Path) -> pd.DataFrame:
    """A FEBRL file as texts, empty where there is nothing; `rec_id` is the truth."""
    return pd.read_csv(path, dtype=str, skipinitialspace=True).fillna("")


def our_pairs(tables: list[pd.DataFrame]) -> set[tuple[str, str]]:
    """Pairs of `rec_id` at least as probable as the threshold, by the production model and index; of one table within it."""
    known, asked = tables[0], tables[-1]
    with tempfile.TemporaryDirectory() as scratch:
        febrl = known  # noqa: F841  # read by DuckDB
        index = duckdb.sql(_INDEX).df()
        path = Path(scratch, "index.parquet")
        index.drop(columns="patient_id").rename(columns={"number": "patient_id"}).to_parquet(path)
        patients = read_index(Patients(index=path), Path(scratch))
        found = find_candidates([_query(record) for record in asked.to_dict("records")], patients, THRESHOLD)
    names = index["patient_id"].to_numpy()
    pairs = {
        (study, str(names[candidate.person.line]))
        for study, candidates in found.items()
        for candidate in candidates
        if candidate.probability >= THRESHOLD
    }
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}


def _query(record: dict[str, str]) -> Query:
    return Query(
        study_instance_uid=record["rec_id"],
        patient_id=record["soc_sec_id"] or None,
        family_name=record["surname"] or None,
        given_name=record["given_name"] or None,
        birth_date=record["date_of_birth"] or None,
        sex=None,
        street=f"{record['street_number']} {record['address_1']}".strip() or None,
        city=record["suburb"] or None,
        postcode=record["postcode"] or None,
    )


def person_of(rec_id: str) -> str:
    """The person that a record is of."""
    return rec_id.split("-")[1]


def measure(pairs: set[tuple[str, str]], true: int) -> tuple[float, int, int]:
    """F1, wrong pairs and missed pairs, of so many true ones."""
    right = sum(person_of(one) == person_of(other) for one, other in pairs)
    return 2 * right / (len(pairs) + true), len(pairs) - right, true - right


def febrl4(folder: Path, find: Callable[[list[pd.DataFrame]], set[tuple[str, str]]]) -> tuple[float, int, int]:
    """F1, wrong and missed pairs over FEBRL 4 of what `find` finds in tables of known and asked records."""
    tables = [read_febrl(folder / f"dataset4{part}.csv") for part in "ab"]
    return measure(find(tables), len(tables[1]))


def febrl3(folder: Path, find: Callable[[list[pd.DataFrame]], set[tuple[str, str]]]) -> tuple[float, int, int]:
    """F1, wrong and missed pairs over FEBRL 3 of what `find` finds in one table."""
    records = read_febrl(folder / "dataset3.csv")
    sizes = records["rec_id"].map(person_of).value_counts().to_numpy()
    return measure(find([records]), int(np.sum(sizes * (sizes - 1) // 2)))


def main() -> None:
    """Prints both benchmarks."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FEBRL
    models = (("", our_pairs), (" by Splink's tutorial model", lambda tables: tutorial_pairs(tables, THRESHOLD)))
    for name, run in (("FEBRL4", febrl4), ("FEBRL3", febrl3)):
        for model, find in models:
            score, wrong, missed = run(folder, find)
            print(f"{name}{model} F1 {score:.4f} (p >= {THRESHOLD}; {wrong} wrong, {missed} missed)", flush=True)


if __name__ == "__main__":
    main()
