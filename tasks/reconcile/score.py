"""How probable it is that a record of the index and a question are of one person: Fellegi-Sunter, by Splink on DuckDB.

The model is `model.json`, versioned with the code: for each comparison its levels as SQL, with m, how often two records of one
person are at that level, and u, how often two strangers' are. What is missing is neutral. How rare a name is in this index
takes the place of u where names are the same.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.reconcile.compared import COMPARED

_PAIRS_AT_ONCE = 200_000


@lru_cache(maxsize=1)
def model() -> Mapping[str, Any]:
    """The model, as Splink's settings with a `version`."""
    loaded: dict[str, Any] = json.loads(resources.files("tasks.reconcile").joinpath("model.json").read_text("utf-8"))
    return loaded


def match_weights(
    known: pa.Table, asked: pa.Table, frequencies: Mapping[str, NDArray[np.float64]], prior: float
) -> NDArray[Any]:
    """Match weight (float64, in bits: log2 of the odds) of each row of `known` with the same row of `asked`, both `COMPARED`.

    `frequencies` gives the share of the index's records that have a row's name (float64, nan where that is not known), for
    `family`, `given` and `birth_date` of `asked`; `prior` is the probability that two random records
    are of one person.
    """
    found = [
        _weights(
            known.slice(start, _PAIRS_AT_ONCE),
            asked.slice(start, _PAIRS_AT_ONCE),
            {name: values[start : start + _PAIRS_AT_ONCE] for name, values in frequencies.items()},
            prior,
        )
        for start in range(0, known.num_rows, _PAIRS_AT_ONCE)
    ]
    return np.concatenate(found) if found else np.empty(0)


def _weights(known: pa.Table, asked: pa.Table, frequencies: Mapping[str, NDArray[np.float64]], prior: float) -> NDArray[Any]:
    # Imported here, for it takes a second that only a batch with something to score should pay.
    from splink import DuckDBAPI
    from splink.internals.realtime import compare_records

    settings = {name: value for name, value in model().items() if name != "version"}
    settings["probability_two_random_records_match"] = prior
    number = pa.array(np.arange(known.num_rows))
    shares = {f"tf_{name}": pa.array(values, from_pandas=True) for name, values in frequencies.items()}

    def side(table: pa.Table) -> pa.Table:
        columns: dict[str, Any] = {"unique_id": number, **{name: table[name] for name in COMPARED.names}, **shares}
        return pa.table(columns)

    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")  # DuckDB takes a worker process for an interactive one
        scored = compare_records(
            side(known), side(asked), settings, DuckDBAPI(connection), f"{prior}", join_condition="l.unique_id = r.unique_id"
        )
        sql = f"SELECT match_weight FROM {scored.physical_name} ORDER BY unique_id_l"
        values = connection.execute(sql).fetchnumpy()["match_weight"]
    # Rounded, so that the last bit of a sum does not reach a table.
    return np.round(np.asarray(values, np.float64), 6)
