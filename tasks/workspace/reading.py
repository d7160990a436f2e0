"""The public way to read a workspace: a DuckDB connection with a view for each table, over one snapshot."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tasks.workspace.layout import Workspace
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.views import connect, define_views


@contextmanager
def open_views(workspace: Workspace) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection over the newest snapshot; works beside a run and changes nothing."""
    with tempfile.TemporaryDirectory(prefix="filmroom-") as folder, connect(workspace, spill=Path(folder)) as connection:
        define_views(connection, workspace, read_snapshot(workspace.log))
        yield connection
