"""One run: the lock, what is pending, the embedded PACS and the Prefect server for as long as they are needed, then the
balance.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from expectations.data_docs import build_data_docs
from flows.embedded import embedded_pacs
from flows.engine.pending import Pending, Segment
from flows.engine.server import prefect_server, settle_environment
from flows.stages import STAGES, Stage
from tasks.configuration import Configuration, read_configuration
from tasks.errors import StageBlockedError
from tasks.scan.listing import write_listing
from tasks.sources import unpacked_folder
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.lock import run_lock
from tasks.workspace.reading import balance_of
from tasks.workspace.snapshot import Snapshot, read_snapshot
from tasks.workspace.states import Balance
from tasks.workspace.views import connect, define_views

KEEP_REPLACED_SECONDS = 24 * 3600
_PATHS = pa.schema([("path", pa.string())])


@dataclass(frozen=True)
class RunResult:
    """How a run ended: the balance, the head of the log, and for each stage that could not go on the line that says what to
    mend.
    """

    balance: Balance
    head: str
    number: int
    blocked: dict[str, str]
    report: Path | None


def run(
    configuration_file: Path,
    stage_names: tuple[str, ...] = (),
    limit: int | None = None,
    show: Callable[[Any], None] = lambda progress: None,
    wave: str = "",
) -> RunResult:
    """Runs what is still to do; receipts say that it was sent in `wave`.

    Raises `ConfigurationError`, `WorkspaceError`, `RunActiveError`.
    """
    configuration_file = configuration_file.resolve()
    configuration = read_configuration(configuration_file)
    workspace = open_workspace(configuration.project.workspace, configuration.project.name, create=True)
    with run_lock(workspace):
        _tidy(workspace)
        snapshot = read_snapshot(workspace.log)
        stages = tuple(stage for stage in STAGES if not stage_names or stage.name in stage_names)
        stages, listing, blocked = _listed(configuration, workspace, stages)
        with connect(workspace) as connection:
            pending = Pending(connection, workspace, configuration, stages, listing)
            pending.look_at(snapshot)
            staged = _staged(pending, workspace)
            found = {stage.name: segment for stage in stages if (segment := pending.find(stage))}
            if found:
                with _servers(configuration, workspace):
                    blocked |= _flow(
                        configuration_file,
                        configuration,
                        workspace,
                        snapshot,
                        stages,
                        pending,
                        found,
                        staged,
                        limit,
                        show,
                        wave,
                    )
        shutil.rmtree(unpacked_folder(workspace.root), ignore_errors=True)
        snapshot = read_snapshot(workspace.log, snapshot)
        counted = balance_of(workspace, snapshot)
        with connect(workspace) as connection:
            define_views(connection, workspace, snapshot)
            report = _report(connection, configuration, workspace, counted)
        return RunResult(counted, snapshot.head, snapshot.number, blocked, report)


def _listed(
    configuration: Configuration, workspace: Workspace, stages: tuple[Stage, ...]
) -> tuple[tuple[Stage, ...], Path | None, dict[str, str]]:
    """Lists the sources, where `scan` is to run; where they cannot be listed, the other stages run without it."""
    if not any(stage.name == "scan" for stage in stages):
        return stages, None, {}
    try:
        return stages, write_listing(configuration, workspace.spill), {}
    except StageBlockedError as blocked:
        return tuple(stage for stage in stages if stage.name != "scan"), None, {"scan": str(blocked)}


def _report(connection: Any, configuration: Configuration, workspace: Workspace, counted: Balance) -> Path:
    findings = connection.execute("""
        SELECT suite, expectation, count(DISTINCT object_key)::BIGINT FROM findings WHERE severity <> 'passed'
        GROUP BY ALL ORDER BY ALL""").fetchall()
    validated = connection.execute("SELECT count(*) FROM outcomes WHERE stage = 'validate'").fetchone()
    states: dict[tuple[str, str, str], int] = {}
    for state, stage, _, reason, items in counted.lines:
        states[state, stage, reason] = states.get((state, stage, reason), 0) + items
    lines = [(*key, items) for key, items in sorted(states.items())]
    suites = configuration.validate_.suites
    return build_data_docs(configuration.project.name, lines, findings, validated[0], suites, workspace.report)


def _flow(
    configuration_file: Path,
    configuration: Configuration,
    workspace: Workspace,
    snapshot: Snapshot,
    stages: Any,
    pending: Pending,
    found: dict[str, Segment],
    staged: int,
    limit: int | None,
    show: Callable[[Any], None],
    wave: str,
) -> dict[str, str]:
    from flows.migrate import migrate  # Prefect reads its environment when it is imported
    from flows.prepared import PREPARED, PreparedRun

    prepared = PreparedRun(
        configuration_file, configuration, workspace, snapshot, stages, pending, found, staged, limit, show, wave
    )
    number = snapshot.number + 1
    PREPARED[number] = prepared
    try:
        migrate(number)
    finally:
        del PREPARED[number]
    return prepared.progress.blocked


@contextmanager
def _servers(configuration: Configuration, workspace: Workspace) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(embedded_pacs(configuration, workspace))
        settle_environment(workspace.root / "prefect")
        stack.enter_context(prefect_server(workspace.root / "prefect"))
        yield


def _tidy(workspace: Workspace) -> None:
    """Removes what earlier runs left and nobody needs: spill files, and data files that have not counted for a day."""
    shutil.rmtree(workspace.spill, ignore_errors=True)
    workspace.spill.mkdir()
    live = read_snapshot(workspace.log).files
    before = time.time() - KEEP_REPLACED_SECONDS
    for entry in os.scandir(workspace.root):
        if entry.is_dir() and entry.name not in ("log", "staging", "spill", "report", "pacs", "prefect"):
            for file in Path(entry.path).glob("*.parquet"):
                if f"{entry.name}/{file.name}" not in live and file.stat().st_mtime < before:
                    file.unlink()


def _staged(pending: Pending, workspace: Workspace) -> int:
    """Bytes of staged pixels; what an interrupted run left there and nothing needs is removed."""
    files = pa.table({"path": [str(file.relative_to(workspace.staging)) for file in workspace.staging.glob("*/*")]}, _PATHS)
    pending.connection.register("staged_files", files)
    needed = "SELECT path FROM objects WHERE state NOT IN ('verified', 'withdrawn') AND path IS NOT NULL"
    for (path,) in pending.execute(f"SELECT path FROM staged_files WHERE path NOT IN ({needed})"):
        (workspace.staging / path).unlink()
    pending.connection.unregister("staged_files")
    waiting = "SELECT coalesce(sum(bytes), 0)::BIGINT FROM objects WHERE state NOT IN ('verified', 'withdrawn')"
    return int(pending.execute(waiting)[0][0])
