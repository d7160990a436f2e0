"""The canonical form of a table row and its hash, which the ledger's events carry.

A row is written as RFC 8785 JSON of an object that holds only strings, integers below 2**53 and booleans: nulls are left out,
floats are their shortest decimal string, bytes are their SHA-256, times are ISO 8601 in UTC with microseconds. It is written
column by column, a whole table at once, which costs a fifth of writing it row by row.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

# Stand beside a row in a file or a view, but are no part of what the row says: they follow from the manifest that names it.
PLACE_COLUMNS = frozenset({"commit", "seq", "hash"})
_JOIN: Any = pc.binary_join_element_wise  # its types know no text among columns
_ROWS = 20_000  # at a time, so that their text stays small
_ESCAPED = r'[\x00-\x1f"\\]'  # what JSON writes otherwise than as it is


def canonical_rows(table: pa.Table) -> Iterator[bytes]:
    """RFC 8785 JSON of every row of a table, in order; raises `TypeError` on a column that a table must not hold."""
    for start in range(0, table.num_rows, _ROWS):
        yield from _joined(table.slice(start, _ROWS).combine_chunks())


def table_hashes(table: pa.Table) -> list[str]:
    """SHA-256 of the canonical form of every row of a table, in order, hexadecimal."""
    return [hashlib.sha256(row).hexdigest() for row in canonical_rows(table)]


def _joined(table: pa.Table) -> Iterator[bytes]:
    pieces: list[Any] = []
    for name in sorted(set(table.column_names) - PLACE_COLUMNS):
        column: Any = pa.concat_arrays(table.column(name).chunks)
        if column.null_count < len(column):
            label, cells = f",{orjson.dumps(name).decode()}:", _json(column)
            # One join for all columns is quicker than one for each, where no cell is left out.
            pieces += [label, cells] if not column.null_count else [pc.fill_null(_JOIN(label, cells, ""), "")]
    if not pieces:
        return iter([b"{}"] * table.num_rows)
    texts = _JOIN(*pieces, "").cast(pa.binary()).to_pylist()
    return (b"{%b}" % text[1:] for text in texts)


def _json(column: Any) -> Any:
    """A column's cells as JSON texts, null where they are."""
    kind = column.type
    if pa.types.is_null(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind):
        text = column.cast(pa.string())
        small = pc.and_(pc.less(column, pa.scalar(2**53)), pc.greater(column, pa.scalar(-(2**53))))
        return pc.if_else(small, text, _quoted(text))
    if pa.types.is_string(kind):
        if not pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py():
            return _quoted(column)
        return _mapped(column, lambda text: orjson.dumps(text).decode())
    if pa.types.is_timestamp(kind):
        return _quoted(pc.strftime(column.cast(pa.timestamp("us", "UTC")), format="%Y-%m-%dT%H:%M:%SZ"))
    if pa.types.is_floating(kind):
        return _quoted(_mapped(column, repr))
    if pa.types.is_binary(kind):
        return _quoted(_mapped(column, lambda data: hashlib.sha256(data).hexdigest()))
    raise TypeError(f"a table cell of type {kind} has no canonical form")


def _quoted(texts: Any) -> Any:
    return _JOIN('"', texts, '"', "")


def _mapped(column: Any, text: Callable[[Any], str]) -> Any:
    return pa.array([None if cell is None else text(cell) for cell in column.to_pylist()], pa.string())


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow table as dictionaries, column-wise conversion first (several times quicker than `to_pylist`)."""
    names = table.column_names
    columns = [table.column(name).to_pylist() for name in names]
    return (dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True))


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Merkle tree hash of leaf hashes as RFC 6962 section 2.1 builds it (leaf prefix 0x00, node prefix 0x01), hexadecimal."""
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        paired = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return level[0].hex()
