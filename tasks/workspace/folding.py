"""Outcomes folded to one row an item, beside the log, so that the balance need not read every outcome ever committed.

A fold is a folder `derived/outcomes-N` for all outcomes up to commit N: `items.parquet` (a row an item, see
`tasks.workspace.states`), `parts.parquet` (a row an object, of items that became several), `words.parquet` (what the hashes in
both stand for) and `found.parquet` (how many items were found). It is derived: whoever deletes it loses nothing, and one of
another history, or of another DuckDB (whose hashes may differ), is not used.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tasks.workspace.layout import Workspace
from tasks.workspace.manifest import manifest_path, sha256_of
from tasks.workspace.snapshot import Snapshot

LEAST_ROWS = 1_000_000  # below, reading the outcomes themselves is as quick
GROWTH = 40  # a new fold is worth it once a fortieth as much has come since the last one
KEPT = 2  # a reader that began with the fold before the newest still finds it


@dataclass(frozen=True)
class Fold:
    """A fold that holds for a snapshot: its folder, its commit, and the outcomes it was folded from."""

    folder: Path
    commit: int
    rows: int


def newest_fold(workspace: Workspace, snapshot: Snapshot) -> Fold | None:
    """The newest fold that belongs to the snapshot's history."""
    for folder in _folds(workspace):
        try:
            facts = json.loads((folder / "fold.json").read_text())
            is_ours = facts["head"] == sha256_of(manifest_path(workspace.log, facts["commit"]).read_bytes())
        except (OSError, ValueError, KeyError):
            continue
        if is_ours and facts["commit"] <= snapshot.number and facts["duckdb"] == duckdb.__version__:
            return Fold(folder, facts["commit"], facts["rows"])
    return None


def is_worth_folding(workspace: Workspace, snapshot: Snapshot) -> bool:
    """Whether enough outcomes have come since the last fold."""
    rows = _outcomes(snapshot)
    if rows < LEAST_ROWS:
        return False
    fold = newest_fold(workspace, snapshot)
    return fold is None or rows - fold.rows >= fold.rows // GROWTH


def write_fold(connection: duckdb.DuckDBPyConnection, workspace: Workspace, snapshot: Snapshot, sql: dict[str, str]) -> None:
    """Writes the fold of a snapshot, whose views are defined on the connection; `sql` has the query of each file."""
    temporary = workspace.derived / "new"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, query in sql.items():
        connection.execute(f"COPY ({query}) TO '{quoted(temporary / name)}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    facts = {"commit": snapshot.number, "head": snapshot.head, "rows": _outcomes(snapshot), "duckdb": duckdb.__version__}
    (temporary / "fold.json").write_text(json.dumps(facts) + "\n")
    final = workspace.derived / f"outcomes-{snapshot.number:010d}"
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    for folder in _folds(workspace)[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def _folds(workspace: Workspace) -> list[Path]:
    return sorted(workspace.derived.glob("outcomes-*"), reverse=True)


def _outcomes(snapshot: Snapshot) -> int:
    return sum(file.rows for file in snapshot.of_table("outcomes"))


def quoted(path: Path) -> str:
    """A path inside a quoted SQL text."""
    return str(path).replace("'", "''")
