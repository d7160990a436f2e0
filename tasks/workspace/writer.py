"""Putting rows down: a data file a table, and an audit event for every row. Nothing counts until a manifest names it."""

import hashlib
import io
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.canonical import table_hashes
from tasks.schemas import AUDIT, TABLES
from tasks.workspace.layout import Workspace
from tasks.workspace.manifest import DataFile

Row = Mapping[str, Any]
_SHARED = ("item_key", "study_instance_uid", "sop_instance_uid")


@dataclass(frozen=True)
class Uncommitted:
    """Data files that lie there and do not count yet, the audit file last, and the hashes of its events, 32 bytes each."""

    files: tuple[DataFile, ...]
    leaves: bytes


def to_table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table in the table's schema; columns a row leaves out are null."""
    schema = TABLES[name].schema
    columns = [pa.array([row.get(field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


class _Hashed(io.RawIOBase):
    """A file that is only appended to; knows the length and SHA-256 of what was written."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.bytes += len(data)
        return self.file.write(data)


def put_file(workspace: Workspace, name: str, parts: Iterable[pa.Table]) -> DataFile:
    """Writes a data file under a name of its own, durable, and describes it; each part becomes a row group."""
    folder = workspace.table(name)
    folder.mkdir(exist_ok=True)
    path = folder / f"{secrets.token_hex(12)}.parquet"
    rows = 0
    with path.open("wb") as file:
        hashed = _Hashed(file)
        writer: pq.ParquetWriter | None = None
        for part in parts:
            writer = writer or pq.ParquetWriter(pa.PythonFile(hashed), part.schema, compression="zstd")
            writer.write_table(part)
            rows += part.num_rows
        if writer:
            writer.close()
        file.flush()
        os.fsync(file.fileno())
    return DataFile(name, f"{name}/{path.name}", hashed.sha256.hexdigest(), rows, hashed.bytes)


def put_rows(
    workspace: Workspace,
    rows: Mapping[str, Sequence[Row]],
    *,
    action: str,
    actor: str = "filmroom",
    at: datetime,
    detail: str | None = None,
) -> Uncommitted:
    """Puts down rows by table, with one audit event for each; see `Uncommitted`."""
    files, events = [], []
    for name in sorted(rows):
        if not rows[name]:
            continue
        table = to_table(name, rows[name])
        files.append(put_file(workspace, name, [table]))
        events.append(_events(table, {"at": at, "actor": actor, "action": action, "table": name, "detail": detail}))
    if not events:
        return Uncommitted((), b"")
    audit = pa.concat_tables(events)
    files.append(put_file(workspace, AUDIT.name, [audit]))
    return Uncommitted(tuple(files), b"".join(bytes.fromhex(digest) for digest in table_hashes(audit)))


def _events(table: pa.Table, facts: Mapping[str, Any]) -> pa.Table:
    """The audit events of a table's rows: what they share, the keys that the rows have, and the rows' hashes."""
    known: dict[str, Any] = {name: table[name] for name in _SHARED if name in table.column_names}
    known["row_sha256"] = pa.array(table_hashes(table), pa.string())
    count = table.num_rows
    columns = [
        known[field.name] if field.name in known else pa.repeat(pa.scalar(facts.get(field.name), field.type), count)
        for field in AUDIT.schema
    ]
    return pa.Table.from_arrays(columns, schema=AUDIT.schema)


def merge_root_input(leaves: bytes) -> list[bytes]:
    """Splits joined leaves into a list."""
    return [leaves[i : i + 32] for i in range(0, len(leaves), hashlib.sha256().digest_size)]
