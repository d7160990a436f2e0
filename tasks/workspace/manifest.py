"""A commit is a manifest: `log/N.parquet`, which names the data files it adds and takes away, and the manifest before it.

Every 256th manifest is a checkpoint and lists all live files as well, so that a reader needs no more than 256 of them.
Manifests are put down whole and only if no N exists (`place`); whoever loses the race takes the next number.
"""

import hashlib
import io
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import WorkspaceError
from tasks.workspace.layout import sync_folder

CHECKPOINT_EVERY = 256
NO_PREVIOUS = "0" * 64
_TEXT, _NUMBER = pa.string(), pa.int64()
_COLUMNS: dict[str, "pa.DataType"] = {
    "action": _TEXT,  # add, remove, live (checkpoints only)
    "table": _TEXT,
    "path": _TEXT,  # below the workspace
    "sha256": _TEXT,
    "rows": _NUMBER,
    "bytes": _NUMBER,
    "commit": _NUMBER,  # of the rows; null where the file holds it row by row (merged)
    "first_seq": _NUMBER,  # audit: sequence number of the first row; null where merged
}
_SCHEMA = pa.schema(_COLUMNS)


@dataclass(frozen=True)
class DataFile:
    """A data file as a manifest names it. `commit` and `first_seq` are `None` in merged files, which hold them row by row."""

    table: str
    path: str
    sha256: str
    rows: int
    bytes: int
    commit: int | None = None
    first_seq: int | None = None


@dataclass(frozen=True)
class Manifest:
    """One commit. `events` audit rows begin at sequence number `first_seq`; `merkle_root` is over their hashes."""

    number: int
    previous: str
    kind: Literal["rows", "merge"]
    committed_at: datetime
    merkle_root: str
    first_seq: int
    events: int
    add: tuple[DataFile, ...]
    remove: tuple[str, ...]
    live: tuple[DataFile, ...] | None = None

    @property
    def next_seq(self) -> int:
        """Sequence number of the next commit's first event."""
        return self.first_seq + self.events


def manifest_path(log: Path, number: int) -> Path:
    """Where manifest `number` lies."""
    return log / f"{number:010d}.parquet"


def encode(manifest: Manifest) -> bytes:
    """The manifest as Parquet bytes."""
    rows: list[dict[str, object]] = [{"action": "add", **vars(file)} for file in manifest.add]
    rows += [{"action": "remove", "path": path} for path in manifest.remove]
    rows += [{"action": "live", **vars(file)} for file in manifest.live or ()]
    facts = {
        "number": manifest.number,
        "previous": manifest.previous,
        "kind": manifest.kind,
        "committed_at": manifest.committed_at.isoformat(),
        "merkle_root": manifest.merkle_root,
        "first_seq": manifest.first_seq,
        "events": manifest.events,
        "checkpoint": manifest.live is not None,
    }
    table = pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata({b"filmroom": json.dumps(facts, sort_keys=True).encode()}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def decode(data: bytes, name: str) -> Manifest:
    """The manifest in Parquet bytes; raises `WorkspaceError` that names it where it is damaged."""
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()
        facts = json.loads((table.schema.metadata or {})[b"filmroom"])
        rows = table.to_pylist()
        files = [(row["action"], DataFile(**{k: v for k, v in row.items() if k != "action"})) for row in rows]
        return Manifest(
            number=facts["number"],
            previous=facts["previous"],
            kind=facts["kind"],
            committed_at=datetime.fromisoformat(facts["committed_at"]),
            merkle_root=facts["merkle_root"],
            first_seq=facts["first_seq"],
            events=facts["events"],
            add=tuple(file for action, file in files if action == "add"),
            remove=tuple(file.path for action, file in files if action == "remove"),
            live=tuple(file for action, file in files if action == "live") if facts["checkpoint"] else None,
        )
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise WorkspaceError(f"{name}: the manifest is damaged: see `filmroom audit verify`") from error


def sha256_of(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def place(path: Path, data: bytes) -> bool:
    """Puts a file down whole and durable, only if none of that name exists; says whether it did."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def write_head(log: Path, number: int, sha256: str) -> None:
    """Notes the newest manifest in `log/HEAD`, which runs print so that it can be kept elsewhere."""
    temporary = log / f".HEAD.{secrets.token_hex(8)}"
    temporary.write_text(f"{number} {sha256}\n")
    temporary.rename(log / "HEAD")


def read_head(log: Path) -> tuple[int, str] | None:
    """Number and SHA-256 in `log/HEAD`; `None` where nothing was committed yet."""
    try:
        number, sha256 = (log / "HEAD").read_text().split()
        return int(number), sha256
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise WorkspaceError(f"{log / 'HEAD'}: is damaged: see `filmroom audit verify`") from error
