"""Which records of the index are worth comparing with a question: those that share a key with it.

A key is a 64-bit hash of some fields; all keys of the index stand sorted in one array, so that a look-up costs the same
whether the index has a thousand records or ten million, and processes share the pages of one file. A key that thousands
share says little and is passed over. Counts of names, for term frequencies, come from the same array.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_COMMONEST = 1000  # records; a key that more share is not followed

_LOW, _HIGH = "least(family, given)", "greatest(family, given)"
_SOUNDS = ("least(family_sound, given_sound)", "greatest(family_sound, given_sound)")
_YEAR, _MONTH_DAY = "birth_date[1:4]", "birth_date[5:8]"
# The date with the smaller of month and day first, so that swapping them changes nothing.
_DATE = f"{_YEAR} || least(birth_date[5:6], birth_date[7:8]) || greatest(birth_date[5:6], birth_date[7:8])"
_HALF = "(length(patient_id) + 1) // 2"

# Name of a key: its alternatives, each a tuple of SQL expressions over a record's columns. A question finds the records that
# share any alternative; family and given name may stand in each other's place.
BLOCKING: dict[str, tuple[tuple[str, ...], ...]] = {
    "identifier": (("patient_id",),),
    "half of the identifier": (
        ("'first'", f"patient_id[1:{_HALF}]", "family_sound", "given[1]"),
        ("'last'", f"patient_id[{_HALF} + 1:]", "family[1]"),
    ),
    "name": ((_LOW, _HIGH),),
    "sound of the name, year": ((*_SOUNDS, _YEAR),),
    "sound of the name, day": ((*_SOUNDS, _MONTH_DAY),),
    "birth date, initial": ((_DATE, "family[1]"), (_DATE, "given[1]")),
    "one name, initial, year": (("family", "given[1]", _YEAR), ("given", "family[1]", _YEAR)),
    "sound of the family name, day": (("family_sound", "given[1]", _MONTH_DAY),),
    "address": (("street", "postcode"), ("street", "city")),
    "postcode, one name": (("postcode", "family"), ("postcode", "given")),
    "postcode, birth date": (("postcode", _DATE),),
    "telephone": (("phone",),),
    # Only for a question that does not say the whole name.
    "birth date": ((_DATE,),),
}
_NAMELESS = ("birth date", "family IS NULL OR given IS NULL")
COUNTED = ("family", "given", "birth_date")


@dataclass(frozen=True)
class Keys:
    """Sorted keys (uint64) and what has each (uint32), a record's number; arrays of one length, possibly mapped from files."""

    keys: NDArray[np.uint64]
    numbers: NDArray[np.uint32]

    def pairs(self, questions: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(question row, record) of all that share a blocking key, each pair once, sorted."""
        rows, _, keys = _hashed(questions, _blocking_sql(_NAMELESS))
        places, records = self._found(keys, _COMMONEST)
        pairs = np.unique(rows[places] << 32 | records)  # a record's number has 32 bits
        return pairs >> 32, pairs & 0xFFFFFFFF

    def with_identifiers(self, identifiers: Sequence[str | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(place in `identifiers`, record) of the records with an identifier, in normal form."""
        return self._having("identifier", "patient_id", identifiers)

    def with_values(self, values: Sequence[str | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(place in `values`, number that `keys_of_values` was given) of these values."""
        return self._having("value", "value", values)

    def _having(self, name: str, column: str, values: Sequence[str | None]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows, _, keys = _hashed(pa.table({column: pa.array(values, pa.string())}), [_key_sql(name, (column,))])
        places, records = self._found(keys)
        return rows[places], records

    def frequencies(self, questions: pa.Table) -> dict[str, NDArray[np.int64]]:
        """How many records of the index have each question's value (int64), by column of `COUNTED`."""
        rows, places, keys = _hashed(questions, [_count_sql(column) for column in COUNTED])
        first, last = self._span(keys)
        counts = np.zeros((len(COUNTED), questions.num_rows), np.int64)
        counts[places, rows] = last - first
        return dict(zip(COUNTED, counts, strict=True))

    def _found(self, keys: NDArray[np.uint64], most: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(place in `keys`, record) of all that have a key, those that more than `most` have left out."""
        first, last = self._span(keys)
        counts = last - first
        if most is not None:
            counts[counts > most] = 0
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(keys)), counts), self.numbers[np.repeat(first, counts) + within].astype(np.int64)

    def _span(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.searchsorted(self.keys, keys, "left"), np.searchsorted(self.keys, keys, "right")


def make_keys(records: pa.Table) -> Keys:
    """The keys of a table with the columns `COMPARED`."""
    rows, _, keys = _hashed(records, [*_blocking_sql(), *(_count_sql(column) for column in COUNTED)])
    order = np.argsort(keys, kind="stable")  # rows come in order
    return Keys(keys[order], rows[order].astype(np.uint32))


def keys_of_values(values: Sequence[str | None], numbers: NDArray[np.int64]) -> Keys:
    """Keys of single values (texts), each with a number below 2^32."""
    rows, _, keys = _hashed(pa.table({"value": pa.array(values, pa.string())}), [_key_sql("value", ("value",))])
    order = np.lexsort((numbers[rows], keys))
    return Keys(keys[order], numbers[rows][order].astype(np.uint32))


def _blocking_sql(limited: tuple[str, str] = ("", "")) -> list[str]:
    """SQL of all blocking keys, of a `limited` one (name, condition) only where its condition holds."""
    name, condition = limited
    return [
        f"CASE WHEN {condition} THEN {_key_sql(key, parts)} END" if key == name else _key_sql(key, parts)
        for key, alternatives in BLOCKING.items()
        for parts in alternatives
    ]


def _count_sql(column: str) -> str:
    return _key_sql(f"number of {column}", (column,))


def _key_sql(name: str, parts: tuple[str, ...]) -> str:
    """SQL of a key: a hash of its name and parts, null where a part is missing."""
    known = " AND ".join(f"nullif({part}, '') IS NOT NULL" for part in parts)
    return f"CASE WHEN {known} THEN hash('{name}', {', '.join(parts)}) END"


def _hashed(table: pa.Table, expressions: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """(row, place of the expression, key) of every key that SQL `expressions` give for a row of a table."""
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")  # DuckDB takes a worker process for an interactive one
        numbered = table.append_column("row", pa.array(np.arange(table.num_rows)))
        connection.register("numbered", numbered)
        each = f"unnest(range({len(expressions)})) AS place, unnest([{', '.join(expressions)}]) AS key"
        sql = f"SELECT row, place, key FROM (SELECT row, {each} FROM numbered) WHERE key IS NOT NULL"
        found = connection.execute(sql).fetchnumpy()
    rows, places = (np.asarray(found[name], np.int64) for name in ("row", "place"))
    return rows, places, np.asarray(found["key"], np.uint64)
