"""What a worker does with a batch: runs the stage's function on its rows and puts down what came of it, uncounted.

A batch is a Parquet file in the spill folder; its name and the stage are all that passes through Prefect. Beside it the worker
leaves `*.done` (the data files and event hashes to commit) or `*.blocked` (the line that says what to mend).
"""

import importlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from flows.engine.pending import FINGERPRINT_COLUMN
from flows.engine.quiet import silence
from tasks.canonical import rows_of
from tasks.configuration import Configuration, read_configuration
from tasks.errors import StageBlockedError
from tasks.stage import Outcome, StageContext, StageFunction
from tasks.workspace.layout import Workspace
from tasks.workspace.writer import Uncommitted, put_rows


@dataclass(frozen=True)
class BatchResult:
    """What the engine needs to know of a finished batch. `settled` are its rows, by (key, fingerprint), that do not wait,
    `retry` those that are tried again in this run; `staged` is the bytes of pixels put on disk, `spent` the staged files (path,
    bytes) that are not needed any more, `spent_files` other files.
    """

    uncommitted: Uncommitted
    settled: tuple[tuple[str, str], ...]
    item_keys: tuple[str, ...]
    retry: tuple[tuple[str, str], ...]
    staged: int
    spent: tuple[tuple[str, int], ...] = ()
    spent_files: tuple[Path, ...] = ()


@lru_cache(maxsize=4)
def _configuration(file: str, changed: int) -> Configuration:
    return read_configuration(Path(file))


@lru_cache(maxsize=16)
def _function(name: str) -> StageFunction:
    module, _, attribute = name.partition(":")
    function = cast(StageFunction, getattr(importlib.import_module(module), attribute))
    silence()  # the libraries that came with it
    return function


def _loaded(name: str) -> StageFunction:
    try:
        return _function(name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise StageBlockedError(f"{name} cannot be loaded ({error}): install Filmroom again") from error


def write_batch(path: Path, batch: pa.Table, facts: Mapping[str, str]) -> None:
    """Puts a batch down for a worker; `facts` are stage, function, key, configuration, workspace and wave."""
    metadata = {name.encode(): value.encode() for name, value in facts.items()}
    pq.write_table(batch.replace_schema_metadata(metadata), path, compression="none")


def process(path: Path) -> None:
    """Works on the batch at `path`; see the module's text. Raises only what is a fault of the stage itself."""
    table = pq.ParquetFile(path).read()
    facts = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
    configuration = _configuration(facts["configuration"], Path(facts["configuration"]).stat().st_mtime_ns)
    workspace = Workspace(Path(facts["workspace"]))
    context = StageContext(configuration, workspace.root, facts["stage"], facts["wave"])
    rows = list(rows_of(table))
    try:
        function = _loaded(facts["function"])
        outcomes = list(function(rows, context))
        result = put_down(workspace, facts["stage"], facts["key"], rows, outcomes)
        if facts["frees"] == "True":
            done = {outcome.key for outcome in outcomes if outcome.outcome == "done"}
            spent = tuple((row["path"], row["bytes"]) for row in rows if row[facts["key"]] in done and row["path"])
            result = replace(result, spent=spent)
    except StageBlockedError as blocked:
        leave(path.with_suffix(".blocked"), str(blocked).encode())
        return
    leave(path.with_suffix(".done"), pickle.dumps(result))


def leave(path: Path, data: bytes) -> None:
    """Writes a file whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(data)
    temporary.rename(path)


def put_down(
    workspace: Workspace, stage: str, key: str, rows: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome]
) -> BatchResult:
    """Puts down the rows of a batch's outcomes, checks that every input row has one, and says what to commit."""
    inputs = {row[key]: row for row in rows}
    answered = {outcome.key for outcome in outcomes}
    if missing := inputs.keys() - answered:
        raise RuntimeError(f"stage {stage} gave no outcome for {len(missing)} rows, the first is {min(missing)}")
    waiting = {outcome.key for outcome in outcomes if outcome.outcome == "waiting"}
    at = datetime.now(UTC)
    tables: dict[str, list[Mapping[str, Any]]] = {"outcomes": list(_outcome_rows(stage, inputs, outcomes, at))}
    for outcome in outcomes:
        fingerprint = inputs[outcome.input_key or outcome.key][FINGERPRINT_COLUMN]
        for name, produced in outcome.rows.items():
            tables.setdefault(name, []).extend({**row, "fingerprint": fingerprint} for row in produced)
    return BatchResult(
        uncommitted=put_rows(workspace, tables, action=stage, at=at),
        settled=tuple((name, row[FINGERPRINT_COLUMN]) for name, row in inputs.items() if name not in waiting),
        item_keys=tuple(sorted({outcome.item_key for outcome in outcomes if outcome.item_key})),
        retry=tuple((o.key, inputs[o.key][FINGERPRINT_COLUMN]) for o in outcomes if o.again),
        staged=sum(row.get("bytes") or 0 for row in tables.get("objects", ())),
        spent_files=tuple(path for outcome in outcomes for path in outcome.spent),
    )


def _outcome_rows(
    stage: str, inputs: Mapping[str, Mapping[str, Any]], outcomes: Sequence[Outcome], at: datetime
) -> Iterator[dict[str, Any]]:
    for outcome in outcomes:
        row = inputs[outcome.input_key or outcome.key]
        is_item = stage != "scan" or "items" in outcome.rows  # a manifest's line is an input of scan, but no item
        yield {
            "stage": stage,
            "key": outcome.key,
            "item_key": outcome.item_key if is_item else None,
            "fingerprint": row[FINGERPRINT_COLUMN],
            "input_key": outcome.input_key,
            "source": row.get("source"),
            "outcome": outcome.outcome,
            "reason": outcome.reason,
            "not_before": at + timedelta(seconds=1) if outcome.again else None,
        }
