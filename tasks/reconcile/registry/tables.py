"""An index that is a table: CSV or Parquet with mapped columns, one line a person, read columnar by DuckDB.

Beside the needed columns a table may have those of `FIELDS`, and `former_patient_id` and `former_family_name`: other values
that the same person had, several parted by a semicolon.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import ConfigurationError
from tasks.reconcile.registry.spelled import FIELDS, NEEDED, SPELLED

FORMER = ("former_patient_id", "former_family_name")
COLUMNS = (*FIELDS, *FORMER)


def heading(path: Path) -> tuple[list[str], str]:
    """Column names, and the delimiter of a CSV file; raises `ConfigurationError` where there are none to be read."""
    try:
        if path.suffix == ".parquet":
            return list(pq.read_schema(path).names), ""
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
    except pa.ArrowInvalid as error:
        raise ConfigurationError(f"{path}: the patient index cannot be read as Parquet: correct the file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: the patient index cannot be read as CSV in UTF-8: correct the file") from error
    delimiter = max(",;\t|", key=line.count)
    return next(csv.reader(io.StringIO(line), delimiter=delimiter), []), delimiter


def mapped_columns(path: Path, names: list[str], mapped: Mapping[str, str]) -> dict[str, str]:
    """The table's column for each of ours that it has; raises `ConfigurationError` where a needed one is missing."""
    theirs = {ours: mapped.get(ours, ours) for ours in COLUMNS}
    for ours in NEEDED:
        if theirs[ours] not in names:
            raise ConfigurationError(
                f"{path}: the patient index has no column {theirs[ours]!r}: add it, or map {ours} in [patients] columns"
            )
    return {ours: name for ours, name in theirs.items() if name in names}


def read_table(path: Path, mapped: Mapping[str, str]) -> pa.Table:
    """Records in the form `SPELLED`, the first of each line what is true now; raises `ConfigurationError` where it cannot."""
    names, delimiter = heading(path)
    theirs = mapped_columns(path, names, mapped)
    spelled = {
        ours: f"coalesce(trim(CAST({_quoted(theirs[ours])} AS VARCHAR)), '')" if ours in theirs else "''" for ours in COLUMNS
    }
    # The current value comes first, then the former ones; a person has a record for each combination.
    varied = {
        current: f"[{spelled[current]}] || list_filter(string_split_regex({spelled[former]}, '\\s*;\\s*'), lambda x: x <> '')"
        for current, former in zip(("patient_id", "family_name"), FORMER, strict=True)
    }
    plain = ", ".join(f"{spelled[name]} AS {name}" for name in FIELDS if name not in varied)
    sql = f"""
        WITH lines AS (
            SELECT row_number() OVER () - 1 AS person, CAST(-1 AS BIGINT) AS linked, {plain},
                   {varied["patient_id"]} AS ids, {varied["family_name"]} AS names
            FROM {_lines(path, names, delimiter)}
        ), ids AS (SELECT *, unnest(ids) AS patient_id, generate_subscripts(ids, 1) AS id_at FROM lines)
        SELECT {", ".join(SPELLED.names)} FROM (
            SELECT *, unnest(names) AS family_name, generate_subscripts(names, 1) AS name_at FROM ids
        ) ORDER BY person, id_at, name_at"""
    try:
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")  # DuckDB takes a worker process for an interactive one
            found: pa.Table = connection.sql(sql).to_arrow_table()
    except duckdb.Error:
        # The message of the cause would show the line, which is a patient.
        kind = "Parquet" if path.suffix == ".parquet" else "CSV in UTF-8"
        raise ConfigurationError(f"{path}: the patient index cannot be read as {kind}: correct the file") from None
    return found.select(SPELLED.names).cast(SPELLED)


def _lines(path: Path, names: list[str], delimiter: str) -> str:
    """SQL of all lines of the file, every column a text."""
    if path.suffix == ".parquet":
        return f"read_parquet({_literal(str(path))})"
    types = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in names)
    layout = f"auto_detect = false, header = true, delim = {_literal(delimiter)}, quote = '\"', escape = '\"'"
    return f"read_csv({_literal(str(path))}, {layout}, columns = {{{types}}})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
