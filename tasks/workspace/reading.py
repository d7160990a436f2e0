"""The public way to read a workspace: a DuckDB connection with a view for each table, over one snapshot."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tasks.workspace.layout import Workspace
from tasks.workspace.snapshot import Snapshot, read_snapshot
from tasks.workspace.states import Balance, balance
from tasks.workspace.views import MEMORY, connect, define_views


@contextmanager
def open_views(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection over the newest snapshot; works beside a run and changes nothing."""
    with tempfile.TemporaryDirectory(prefix="filmroom-") as folder, connect(workspace, spill=Path(folder)) as connection:
        define_views(connection, workspace, read_snapshot(workspace.log))
        yield connection


def balance_of(workspace: Workspace, snapshot: Snapshot) -> Balance:
    """The balance of a snapshot, in as little memory as it takes."""
    for limit in MEMORY[:-1]:
        try:
            return _balance_within(workspace, snapshot, limit)
        except duckdb.OutOfMemoryException:
            continue
    return _balance_within(workspace, snapshot, MEMORY[-1])


def _balance_within(workspace: Workspace, snapshot: Snapshot, limit: int) -> Balance:
    with connect(workspace, memory=f"{limit}MiB") as connection:
        define_views(connection, workspace, snapshot)
        return balance(connection)
