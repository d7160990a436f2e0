"""A batch that failed as a whole is halved down to the row, or group, that fails; that one is quarantined."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from flows.engine.batch import BatchResult, put_down
from flows.stages import Stage
from tasks.canonical import rows_of
from tasks.schemas import TABLES
from tasks.stage import Outcome
from tasks.workspace.layout import Workspace


def halves(batch: pa.Table, group: str | None) -> list[pa.Table]:
    """A batch of two rows or groups at least, in two; groups stay whole."""
    middle = batch.num_rows // 2
    if group:
        names = batch[group].to_pylist()
        while middle < len(names) and names[middle] == names[middle - 1]:
            middle += 1
        if middle == len(names):
            middle = names.index(names[-1])
    return [batch.slice(0, middle), batch.slice(middle)]


def quarantine(workspace: Workspace, stage: Stage, batch: pa.Table, failure: str) -> BatchResult:
    """Puts down outcomes that quarantine the rows of `batch`; `failure` is a class name or what became of the worker."""
    reason = f"{stage.name} failed on this item ({failure}): report it with the item's key"
    rows = list(rows_of(batch))
    outcomes = [
        # What scan fails on is an item all the same.
        Outcome(row[stage.key], row["item_key"], "quarantined", reason, _bare_item(row) if stage.name == "scan" else {})
        for row in rows
    ]
    return put_down(workspace, stage.name, stage.key, rows, outcomes)


def _bare_item(row: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    known = {name: row[name] for name in TABLES["items"].schema.names if name in row}
    return {"items": [{**known, "page": 1, "pages": 1, "kind": "other"}]}
