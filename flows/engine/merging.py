"""Keeps the files of a table few: small ones are merged in tiers, by a commit like any other, which drops no row."""

import math
from collections.abc import Iterator, Sequence

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
ROW_GROUP = 8_192  # rows, or the next line's bytes: the memory that a merge needs
ROW_GROUP_BYTES = 16 * 1024 * 1024


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


def _merged(workspace: Workspace, name: str, files: Sequence[DataFile]) -> Iterator[pa.Table]:
    """The rows of the files in order, each with the number of its commit (and, in the ledger, its sequence number)."""
    gathered: list[pa.Table] = []
    for file in files:
        row = 0
        for record_batch in pq.ParquetFile(workspace.root / file.path).iter_batches(batch_size=4096, use_threads=False):
            part = pa.Table.from_batches([record_batch])
            if file.commit is not None:
                part = part.append_column("commit", pa.repeat(pa.scalar(file.commit, pa.int64()), part.num_rows))
                if name == AUDIT.name and file.first_seq is not None:
                    first = file.first_seq + row
                    part = part.append_column("seq", pa.array(range(first, first + part.num_rows), pa.int64()))
            row += part.num_rows
            gathered.append(part)
            if sum(part.num_rows for part in gathered) >= ROW_GROUP or sum(part.nbytes for part in gathered) >= ROW_GROUP_BYTES:
                yield pa.concat_tables(gathered)
                gathered.clear()
    if gathered:
        yield pa.concat_tables(gathered)
