"""Candidates for a study's owner, scored by Splink: a Fellegi-Sunter model over identifier, name, birth date and sex.

The model (m and u probabilities, comparison levels, blocking rules as SQL) is `model.json`, versioned with the code; u says how
often two strangers agree, m how often two records of one person do. What is missing is neutral. The blocking rules pick the
lines of the index worth comparing, so that a batch costs the same whether the index has a thousand lines or a million.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import duckdb
import pyarrow as pa

from tasks.reconcile.index import COMPARED, PatientIndex, Person
from tasks.reconcile.normalise import normal_date, normal_identifier, normal_name, normal_sex
from tasks.reconcile.readings import Reading

# A link wants a match among all lines of the index; below this size of an index the prior stays what it is for this one.
_SMALLEST_INDEX = 1000


@dataclass(frozen=True)
class Query:
    """What is asked of the index for one study; values as spelled, `None` where nothing is known."""

    study_instance_uid: str
    patient_id: str | None
    family_name: str | None
    given_name: str | None
    birth_date: str | None
    sex: str | None

    def compared(self) -> dict[str, str | None]:
        """The row Splink compares, columns `COMPARED`."""
        return {
            "unique_id": self.study_instance_uid,
            "patient_id": normal_identifier(self.patient_id),
            "family": normal_name(self.family_name),
            "given": normal_name(self.given_name),
            "birth_date": normal_date(self.birth_date),
            "sex": normal_sex(self.sex),
        }


@dataclass(frozen=True)
class Candidate:
    """A person who may be the owner, and the match probability, 0 to 1."""

    person: Person
    probability: float

    def agreement(self, reading: Reading) -> dict[str, str]:
        """How each field of a reading compares: `agrees`, `differs` or `missing`."""
        pairs: dict[str, tuple[object, object]] = {
            "patient_id": (normal_identifier(self.person.patient_id), reading.patient_id),
            "name": (self.person.words, reading.name),
            "birth_date": (self.person.birth_date, reading.birth_date),
            "sex": (self.person.sex, reading.sex),
        }
        return {
            field: "missing" if not ours or not theirs else "agrees" if ours == theirs else "differs"
            for field, (ours, theirs) in pairs.items()
        }


def find_candidates(queries: Sequence[Query], index: PatientIndex, least: float) -> dict[str, list[Candidate]]:
    """Candidates by study, the most probable first, those below the match probability `least` left out."""
    rows = [row for row in (query.compared() for query in queries) if row["patient_id"] or row["family"] or row["given"]]
    found: dict[str, list[Candidate]] = {query.study_instance_uid: [] for query in queries}
    if not rows or not index.size:
        return found
    new = pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in COMPARED]))
    known = index.blocked(new, _rules())
    pairs = _predict(known, new, 1 / max(index.size, _SMALLEST_INDEX)) if known.num_rows else []
    shown = [pair for pair in pairs if pair[2] >= least]
    persons = index.persons(line for line, _, _ in shown)
    for line, study, probability in sorted(shown, key=lambda pair: (-pair[2], persons[pair[0]].patient_id, pair[0])):
        found[study].append(Candidate(persons[line], probability))
    return found


@lru_cache(maxsize=1)
def _model() -> Mapping[str, Any]:
    loaded: dict[str, Any] = json.loads(resources.files("tasks.reconcile").joinpath("model.json").read_text("utf-8"))
    return loaded


def _rules() -> list[str]:
    return [rule["blocking_rule"] for rule in _model()["blocking_rules_to_generate_predictions"]]


def _predict(known: pa.Table, new: pa.Table, prior: float) -> list[tuple[str, str, float]]:
    """(line of the index, study, match probability) of every pair that a blocking rule brings together."""
    # Imported here, for it takes a second that only a batch with something to score should pay.
    from splink import DuckDBAPI, Linker

    settings = {name: value for name, value in _model().items() if name != "version"}
    settings["probability_two_random_records_match"] = prior
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET enable_progress_bar = false")  # DuckDB takes a worker process for an interactive one
        database = DuckDBAPI(connection)
        # Splink tells left from right by the names of the tables, in alphabetical order.
        tables = [database.register(table, table_name=name) for name, table in (("a_known", known), ("b_new", new))]
        linker = Linker(tables, settings, log_level=None, validate_settings=False)
        scored = linker.inference.predict(warning_mode="never")
        columns = "unique_id_l, unique_id_r, source_dataset_l, match_probability"
        rows = connection.execute(f"SELECT {columns} FROM {scored.physical_name}").fetchall()
    # Rounded, so that the last bit of a sum does not reach a table.
    return [
        (left, right, round(probability, 9)) if source == "a_known" else (right, left, round(probability, 9))
        for left, right, source, probability in rows
    ]
