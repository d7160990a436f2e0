"""What a run is before Prefect knows of it, and the loop that the flow runs: nothing of this passes through Prefect."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.artifacts import create_table_artifact

from flows.engine.loop import Loop, Progress
from flows.engine.pending import Pending, Segment
from flows.engine.pools import Pool
from flows.stages import Stage
from tasks.configuration import Configuration
from tasks.workspace.layout import Workspace
from tasks.workspace.reading import balance_of
from tasks.workspace.snapshot import Snapshot


@dataclass
class PreparedRun:
    """A run that is about to start: everything but Prefect, which gets none of it."""

    configuration_file: Path
    configuration: Configuration
    workspace: Workspace
    snapshot: Snapshot
    stages: tuple[Stage, ...]
    pending: Pending
    first: dict[str, Segment]
    staged: int
    limit: int | None
    show: Any
    wave: str = ""
    progress: Progress = field(default_factory=Progress)


PREPARED: dict[int, PreparedRun] = {}


def run_prepared(run: int) -> None:
    """Runs the stages of a prepared run over all that is pending, and leaves the balance as an artifact."""
    prepared = PREPARED[run]
    configuration = prepared.configuration
    workers = configuration.run.workers or 2
    loop = Loop(
        prepared.workspace,
        prepared.snapshot,
        prepared.stages,
        prepared.pending,
        lambda finished: {
            "processors": Pool(configuration.run.runner == "processes", workers, finished),
            "waiting": Pool(False, configuration.target.associations, finished),
        },
        {
            "configuration": str(prepared.configuration_file),
            "workspace": str(prepared.workspace.root),
            "wave": prepared.wave,
        },
        staged=prepared.staged,
        staging_bound=configuration.run.staging,
        limit=prepared.limit,
        progress=prepared.progress,
        show=prepared.show,
    )
    loop.run(prepared.first)
    record_balance(prepared.workspace, loop.snapshot)


def record_balance(workspace: Workspace, snapshot: Snapshot) -> None:
    """Leaves the balance as an artifact of the flow run: counts by state, stage and source, nothing else."""
    lines = balance_of(workspace, snapshot).lines
    rows = [{"state": state, "stage": stage, "source": source, "items": items} for state, stage, source, _, items in lines]
    create_table_artifact(rows, key="balance", description="Items by state, stage and source")
