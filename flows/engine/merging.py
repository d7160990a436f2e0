"""Keeps the files of a table few: small ones are merged in tiers, by a commit like any other, which drops no row."""

import io
import math

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.schemas import AUDIT, TABLES
from tasks.workspace.commit import ReplacedMeanwhileError, commit
from tasks.workspace.layout import Workspace
from tasks.workspace.manifest import DataFile
from tasks.workspace.snapshot import Snapshot
from tasks.workspace.writer import Uncommitted, put_file

FILES_A_TIER = 16
LARGEST_MERGE = 64 * 1024 * 1024


def merge_small_files(workspace: Workspace, snapshot: Snapshot) -> Snapshot:
    """Merges the first full tier of every table; gives back the snapshot after it."""
    for table in TABLES:
        files = _full_tier(snapshot.of_table(table))
        if not files:
            continue
        merged = put_file(workspace, table, _merged(workspace, table, files))
        try:
            piece = Uncommitted((merged,), b"")
            snapshot = commit(workspace, [piece], known=snapshot, remove=[f.path for f in files], kind="merge")
        except ReplacedMeanwhileError:
            (workspace.root / merged.path).unlink()
    return snapshot


def _full_tier(files: list[DataFile]) -> list[DataFile]:
    tiers: dict[int, list[DataFile]] = {}
    for file in files:
        tiers.setdefault(int(math.log(max(file.rows, 1), FILES_A_TIER)), []).append(file)
    for _, tier in sorted(tiers.items()):
        if len(tier) >= FILES_A_TIER and sum(file.bytes for file in tier) <= LARGEST_MERGE:
            return tier
    return []


def _merged(workspace: Workspace, name: str, files: list[DataFile]) -> pa.Table:
    """The rows of the files in order, each with the number of its commit (and, in the ledger, its sequence number)."""
    parts = []
    for file in files:
        table = pq.read_table(io.BytesIO((workspace.root / file.path).read_bytes()))
        if file.commit is not None:
            table = table.append_column("commit", pa.array([file.commit] * table.num_rows, pa.int64()))
            if name == AUDIT.name and file.first_seq is not None:
                table = table.append_column("seq", pa.array(range(file.first_seq, file.first_seq + table.num_rows), pa.int64()))
        parts.append(table)
    return pa.concat_tables(parts)
