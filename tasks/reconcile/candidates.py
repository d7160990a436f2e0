"""Candidates for a study's owner: the persons of the index worth comparing with what is known, and how probable each is.

`keys` picks the records worth comparing, `score` compares them by the model; a person is as probable as the most probable of
the person's records, so that a maiden name or an old number finds whoever bore it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.reconcile.agreement import Agreement, agreement
from tasks.reconcile.compared import compared
from tasks.reconcile.index import PatientIndex
from tasks.reconcile.person import Person
from tasks.reconcile.readings import Reading
from tasks.reconcile.score import match_weights

# A link wants a match among all persons of the index; below this size of an index the prior stays what it is for this one.
_SMALLEST_INDEX = 1000
# Odds; who is less probable than this cannot explain a label as well as somebody who is to be linked.
_RIVAL = 1e-3
_NEVER = 1e-12
_DAYS = 36525  # birth dates in a century


@dataclass(frozen=True)
class Query:
    """What is asked of the index for one study; values as spelled, `None` where nothing is known."""

    study_instance_uid: str
    patient_id: str | None
    family_name: str | None
    given_name: str | None
    birth_date: str | None
    sex: str | None
    street: str | None = None
    city: str | None = None
    postcode: str | None = None
    phone: str | None = None
    accession: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A person who may be the owner, and the match weight: log2 of the odds that it is so.

    `strangers` is how many people, other than this one, an index of this size is expected to hold by chance with the name and
    the birth date asked for; `ordered`: an order with the accession number asked for was placed for the person; `address`: the
    one asked for, or the telephone, is the person's; `shared`: the person's number is, or was, somebody else's too.
    """

    person: Person
    weight: float
    strangers: float = 1.0
    ordered: bool = False
    address: bool = False
    shared: bool = False

    @property
    def probability(self) -> float:
        """The match probability, 0 to 1."""
        return round(1 / (1 + float(2**-self.weight)), 9)

    def agreement(self, reading: Reading) -> dict[str, Agreement]:
        """How each field of a reading compares with what the index has, or had, of the person."""
        return agreement(self.person, reading)


def find_candidates(queries: Sequence[Query], index: PatientIndex, least: float) -> dict[str, list[Candidate]]:
    """Candidates by study, the most probable first, those below the match probability `least` left out.

    Whoever has the identifier asked for, and whoever might explain as well what the most probable explains, are never left out.
    """
    found: dict[str, list[Candidate]] = {query.study_instance_uid: [] for query in queries}
    if not queries or not index.size:
        return found
    asked = compared(_spelled(queries))
    rows, records, persons = index.pairs(asked)
    beside = asked.take(rows)
    shares = index.shares(asked)
    # In a small index two may share a date by chance; what more do is a stand-in for an unknown date.
    shares["birth_date"] = np.maximum(shares["birth_date"] - 2 / index.size, 1 / _DAYS)
    frequencies = {column: values[rows] for column, values in shares.items()}
    weights = match_weights(records, beside, frequencies, 1 / max(index.size, _SMALLEST_INDEX))
    kept = (weights >= np.log2(max(min(least, _RIVAL), _NEVER))) | _same(records, beside, "patient_id")
    address = _same(records, beside, "street") & (_same(records, beside, "postcode") | _same(records, beside, "city"))
    address |= _same(records, beside, "phone")
    ordered = index.ordered([query.accession for query in queries])
    strangers = _strangers(asked, index, shares)
    facts = {"address": _pairs(rows[address], persons[address]), "ordered": _pairs(*ordered)}
    best = _best(rows[kept], persons[kept], weights[kept])
    known = {line: index.person(line) for line in np.unique(best[1]).tolist()}
    shared = index.sharing(known.values())
    for row, line, weight in zip(*(values.tolist() for values in best), strict=True):
        told = {name: (row, line) in pairs for name, pairs in facts.items()}
        candidate = Candidate(known[line], weight, round(float(strangers[row]), 12), **told, shared=line in shared)
        found[queries[row].study_instance_uid].append(candidate)
    return found


def _spelled(queries: Sequence[Query]) -> pa.Table:
    columns = ("patient_id", "family_name", "given_name", "birth_date", "sex", "street", "city", "postcode", "phone")
    return pa.table({name: pa.array([getattr(query, name) for query in queries], pa.string()) for name in columns})


def _strangers(asked: pa.Table, index: PatientIndex, shares: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """How many others an index of this size is expected to hold by chance with each name, in either order, and birth date."""
    turned = asked.select(["given", "family", "birth_date"]).rename_columns(["family", "given", "birth_date"])
    other = index.shares(turned)
    names = np.maximum(shares["family"] * shares["given"], other["family"] * other["given"])
    return np.asarray(index.size * names * shares["birth_date"], np.float64)


def _same(records: pa.Table, asked: pa.Table, column: str) -> NDArray[np.bool_]:
    same: Any = pc.equal(records[column], asked[column])
    return np.asarray(same.fill_null(False), np.bool_)


def _pairs(rows: NDArray[np.int64], persons: NDArray[np.int64]) -> set[tuple[int, int]]:
    return set(zip(rows.tolist(), persons.tolist(), strict=True))


def _best(
    rows: NDArray[np.int64], persons: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """(question row, person, weight), each person once a row with the highest, the most probable first."""
    order = np.lexsort((persons, -weights, rows))
    rows, persons, weights = rows[order], persons[order], weights[order]
    _, first = np.unique(rows << 32 | persons, return_index=True)
    first.sort()
    return rows[first], persons[first], weights[first]
