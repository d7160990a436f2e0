"""The canonical form against the reference implementation of RFC 8785, and the Merkle tree against RFC 6962's own
definition.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tasks.canonical import canonical_rows, merkle_root, table_hashes


def canonical_bytes(row: Mapping[str, object]) -> bytes:
    """The canonical form of a table's only row."""
    table = pa.table({name: [value] for name, value in row.items()} or {"none": pa.nulls(1)})
    (text,) = canonical_rows(table)
    return text


def row_hash(row: Mapping[str, object]) -> str:
    """Its hash."""
    (digest,) = table_hashes(pa.table({name: [value] for name, value in row.items()}))
    return digest


NAMES = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=12)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CELLS = st.one_of(TEXT, st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.none())


@given(st.dictionaries(NAMES, CELLS, max_size=12))
def test_same_bytes_as_the_reference(row: dict[str, object]) -> None:
    wanted = {name: value for name, value in row.items() if value is not None and name not in ("commit", "seq", "hash")}
    assert canonical_bytes(row) == rfc8785.dumps(wanted)


@given(
    st.lists(st.fixed_dictionaries({"text": TEXT | st.none(), "number": st.integers(-(2**63), 2**63 - 1), "b": st.booleans()}))
)
def test_many_rows_are_each_as_if_alone(rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([("text", pa.string()), ("number", pa.int64()), ("b", pa.bool_())])
    wanted = [row | {"number": row["number"] if abs(row["number"]) < 2**53 else str(row["number"])} for row in rows]
    wanted = [{name: value for name, value in row.items() if value is not None} for row in wanted]
    assert list(canonical_rows(pa.Table.from_pylist(rows, schema))) == [rfc8785.dumps(row) for row in wanted]


def test_other_types_have_one_spelling() -> None:
    row = {"at": datetime(2026, 1, 2, 3, 4, 5, 678, UTC), "share": 0.1, "pixels": b"\x00\x01", "commit": 7, "none": None}
    assert canonical_bytes(row) == (
        b'{"at":"2026-01-02T03:04:05.000678Z","pixels":"%s","share":"0.1"}' % hashlib.sha256(b"\x00\x01").hexdigest().encode()
    )


@given(st.dictionaries(NAMES, TEXT, min_size=1, max_size=6), st.data())
def test_any_changed_cell_changes_the_hash(row: dict[str, str], data: st.DataObject) -> None:
    row = {name: value for name, value in row.items() if name not in ("commit", "seq", "hash")} or {"a": ""}
    name = data.draw(st.sampled_from(sorted(row)))
    assert row_hash({**row, name: row[name] + "x"}) != row_hash(row)


def mth(leaves: list[bytes]) -> bytes:
    """Merkle Tree Hash, RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 13, 100])
def test_merkle_root_is_rfc_6962s(count: int) -> None:
    leaves = [hashlib.sha256(bytes([i])).digest() for i in range(count)]
    assert merkle_root(leaves) == mth(leaves).hex()
