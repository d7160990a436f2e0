"""The canonical form of a table row and its hash, which the ledger's events carry.

A row is written as RFC 8785 JSON of an object that holds only strings, integers below 2**53 and booleans, for which `orjson`
with sorted keys gives the same bytes as the reference implementation at a twentieth of the cost: nulls are left out, floats are
their shortest decimal string, bytes are their SHA-256, times are ISO 8601 in UTC with microseconds.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pyarrow as pa

# Stand beside a row in a file or a view, but are no part of what the row says: they follow from the manifest that names it.
PLACE_COLUMNS = frozenset({"commit", "seq", "hash"})


def canonical_value(value: Any) -> str | int | bool:
    """One cell in canonical form; raises `TypeError` on what a table must not hold."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a table cell of type {type(value).__name__} has no canonical form")


def canonical_bytes(row: Mapping[str, Any]) -> bytes:
    """RFC 8785 JSON of a row; null cells and the place columns are left out."""
    return orjson.dumps(
        {
            name: value if type(value) is str else canonical_value(value)
            for name, value in row.items()
            if value is not None and name not in PLACE_COLUMNS
        },
        option=orjson.OPT_SORT_KEYS,
    )


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of `canonical_bytes(row)`, hexadecimal."""
    return hashlib.sha256(canonical_bytes(row)).hexdigest()


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow table as dictionaries, column-wise conversion first (several times quicker than `to_pylist`)."""
    names = table.column_names
    columns = [table.column(name).to_pylist() for name in names]
    return (dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True))


def table_hashes(table: pa.Table) -> list[str]:
    """`row_hash` of every row of a table, in order."""
    return [row_hash(row) for row in rows_of(table)]


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Merkle tree hash of leaf hashes as RFC 6962 section 2.1 builds it (leaf prefix 0x00, node prefix 0x01), hexadecimal."""
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        paired = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0].hex()
