"""Candidates for a study's owner: everybody who has the identifier read on it, and whom Splink finds by name and birth date.

The model (Fellegi-Sunter m and u probabilities) is `model.json`, versioned with the code. Missing values are neutral.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import pandas as pd

from tasks.reconcile.index import PatientIndex, Person
from tasks.reconcile.normalise import da, digits, name_words


@dataclass(frozen=True)
class Reading:
    """What a study says of its patient; empty where nothing was read. `origins` by field."""

    study_instance_uid: str
    patient_id: str
    name: str
    birth_date: str
    sex: str


@dataclass(frozen=True)
class Candidate:
    """A person who may be the owner, with the match probability and how each field compares (`agrees`, `differs`, `missing`)."""

    person: Person
    probability: float
    fields: dict[str, str]


def find_candidates(readings: Sequence[Reading], index: PatientIndex, least: float) -> dict[str, list[Candidate]]:
    """Candidates by study, the most probable first; `least` is the match probability below which none is shown."""
    scores = _score(readings, index) if readings else {}
    found: dict[str, list[Candidate]] = {}
    for reading in readings:
        with_id = index.with_identifiers([reading.patient_id]) if reading.patient_id else []
        persons = {person.patient_id: person for person in with_id}
        scored = scores.get(reading.study_instance_uid, {})
        persons |= {p.patient_id: p for p in index.with_identifiers(sorted(scored))}
        candidates = [Candidate(p, _probability(p, reading, scored), compare(p, reading)) for p in persons.values()]
        shown = [c for c in candidates if c.probability >= least]
        found[reading.study_instance_uid] = sorted(shown, key=lambda c: (-c.probability, c.person.patient_id))
    return found


def compare(person: Person, reading: Reading) -> dict[str, str]:
    """Agreement by field, on normalised values."""
    pairs = {
        "patient_id": (digits(person.patient_id), digits(reading.patient_id)),
        "name": (name_words(person.name), name_words(reading.name)),
        "birth_date": (da(person.birth_date), da(reading.birth_date)),
        "sex": (person.sex[:1].upper(), reading.sex[:1].upper()),
    }
    return {
        field: "missing" if not theirs or not ours else "agrees" if ours == theirs else "differs"
        for field, (ours, theirs) in pairs.items()
    }


def _probability(person: Person, reading: Reading, scored: dict[str, float]) -> float:
    """Splink's match probability, with the identifier's Bayes factor on top where one was read."""
    odds_of = lambda p: p / max(1 - p, 1e-12)  # noqa: E731
    prior = scored.get(person.patient_id, _model()["probability_two_random_records_match"])
    identifier = compare(person, reading)["patient_id"]
    factor = _model()["identifier"].get(identifier, 1.0)
    odds = odds_of(prior) * factor
    return float(odds / (1 + odds))


def _model() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resources.files("tasks.reconcile").joinpath("model.json").read_text())
    return loaded


def _score(readings: Sequence[Reading], index: PatientIndex) -> dict[str, dict[str, float]]:
    """Splink's match probability by study and patient, for all readings at once."""
    new = [
        {"unique_id": r.study_instance_uid, "name": name_words(r.name) or None, "birth_date": da(r.birth_date) or None,
         "sex": r.sex or None}
        for r in readings if r.name or r.birth_date
    ]  # fmt: skip
    if not new:
        return {}
    known = index.table.to_pandas()
    frame = pd.DataFrame(
        {
            "unique_id": known["patient_id"],
            "name": [name_words(f"{f}^{g}") or None for f, g in zip(known["family_name"], known["given_name"], strict=True)],
            "birth_date": [da(value) or None for value in known["birth_date"]],
            "sex": [str(value)[:1].upper() or None for value in known["sex"]],
        }
    )
    pairs = _predict(frame, pd.DataFrame(new, columns=["unique_id", "name", "birth_date", "sex"]))
    scores: dict[str, dict[str, float]] = {}
    for left, right, probability in pairs:
        scores.setdefault(right, {})[left] = probability
    return scores


def _predict(index: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str, float]]:
    """(index id, new id, match probability) of every pair that the blocking rules bring together."""
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.CRITICAL)
    settings = {k: v for k, v in _model().items() if k != "identifier"}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        database = DuckDBAPI()
        tables = [database.register(index, "known"), database.register(new, "new")]
        linker = Linker(tables, settings)
        frame = linker.inference.predict().as_pandas_dataframe()
    rows = []
    for row in frame.to_dict("records"):
        left, right = str(row["unique_id_l"]), str(row["unique_id_r"])
        if "new" in str(row.get("source_dataset_l", "")):
            left, right = right, left
        rows.append((left, right, float(row["match_probability"])))
    return rows


def evidence(candidates: Sequence[Candidate], conflict: str | None) -> str:
    """Candidates as the JSON that a reviewer is shown."""
    shown = [{"probability": round(c.probability, 6), "fields": c.fields, **asdict(c.person)} for c in candidates[:10]]
    return json.dumps({"candidates": shown, "conflict": conflict}, sort_keys=True)
