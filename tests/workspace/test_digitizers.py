"""The measures per digitizer and month, on a small table whose answers are plain to see."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tasks.schemas import TABLES
from tasks.workspace.digitizers import digitizers_sql

SCHEMA = TABLES["objects"].schema


def film(number: int, digitizer: str | None, scanned_at: str | None, **measures: Any) -> dict[str, Any]:
    empty = dict.fromkeys(SCHEMA.names)
    return {**empty, "item_key": f"i{number}", "kind": "film", "qc_digitizer": digitizer, "qc_scanned_at": scanned_at} | {
        f"qc_{name}": value for name, value in measures.items()
    }


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    films = [
        film(1, "A 1", "20260103120000", noise=0.004, column_defects=0, blank=False),
        film(2, "A 1", "20260117080000", noise=0.006, column_defects=0, blank=False, wedge_passed=True),
        film(3, "A 1", "20260120080000", noise=0.005, column_defects=2, blank=True),
        film(4, "A 1", "20260301080000", noise=0.009, column_defects=1, blank=False, wedge_passed=False, cut_off=True),
        film(5, "A 2", "20260301080000", noise=0.003),
        film(6, None, None, noise=0.002),
        {**film(7, "A 1", "20260301080000", noise=9.0), "kind": "dicom"},
    ]
    items = {"item_key": [f"i{number}" for number in range(1, 8)], "source": ["north"] * 4 + ["south"] * 3}
    with duckdb.connect() as connection:
        connection.register("objects", pa.Table.from_pylist(films, schema=SCHEMA))
        connection.register("items", pa.table(items))
        result = connection.sql(digitizers_sql())
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def test_a_row_for_each_digitizer_and_month(rows: list[dict[str, Any]]) -> None:
    found = [(row["source"], row["digitizer"], row["month"], row["films"]) for row in rows]
    assert found == [
        ("north", "A 1", "202601", 3),
        ("north", "A 1", "202603", 1),
        ("south", "A 2", "202603", 1),
        ("south", None, None, 1),
    ]


def test_medians_shares_and_changes(rows: list[dict[str, Any]]) -> None:
    first, later = rows[0], rows[1]
    assert first["noise"] == 0.005
    assert first["change_noise"] == 0
    assert later["change_noise"] == pytest.approx(0.004)
    assert first["share_column_defects"] == pytest.approx(1 / 3)
    assert (first["share_blank"], later["share_blank"]) == (pytest.approx(1 / 3), 0)
    assert (first["share_cut_off"], later["share_cut_off"]) == (None, 1)
    assert (first["wedges"], first["wedges_failed"], later["wedges"], later["wedges_failed"]) == (1, 0, 1, 1)
    assert rows[2]["noise"] == 0.003
