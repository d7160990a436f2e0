"""All sources of the index, joined: one table of records, whatever they came from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.reconcile.registry.tables import heading, mapped_columns, read_table
from tasks.reconcile.stored import ORDERS, Gathered, joined

_TABLES = frozenset({".csv", ".tsv", ".parquet"})


def gather(paths: Sequence[Path], columns: Mapping[str, str]) -> Gathered:
    """What the sources know; raises `ConfigurationError` where a table cannot be read."""
    tables = [read_table(path, columns) for path in paths]
    return Gathered(joined(tables), ORDERS.empty_table(), {})


def check_sources(paths: Sequence[Path], columns: Mapping[str, str]) -> None:
    """Raises `ConfigurationError` where a table lacks a needed column; reads first lines only."""
    for path in paths:
        if not path.is_dir():
            mapped_columns(path, heading(path)[0], columns)
