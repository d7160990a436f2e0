"""What the engine costs: a no-op stage over N rows in batches of 500, commit and audit included, server start apart.

usage: python -m benchmarks.engine [ROWS] [threads|processes]

Prints milliseconds a row and the peak memory of the process (MiB), against the limits of 0.1 ms (threads) and 0.2 ms
(processes).
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.migration import empty_migration
from flows.engine.pending import Pending
from flows.engine.server import prefect_server, settle_environment
from flows.stages import Stage
from tasks.configuration import read_configuration
from tasks.stage import Outcome, Row, StageContext
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.views import connect

LIMITS = {"threads": 0.1, "processes": 0.2}


def do_nothing(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """A stage that is done with every row at once."""
    for row in batch:
        yield Outcome(row["item_key"], row["item_key"])


def measure(rows: int, runner: str, folder: Path) -> tuple[float, float, int]:
    """(seconds for the loop, seconds for the server's start, peak MiB)."""
    file, workspace = empty_migration(folder, f'[run]\nrunner="{runner}"\nworkers=2\n')
    configuration = read_configuration(file)
    stage = Stage(
        "noop", "benchmarks.engine:do_nothing", "item_key",
        f"SELECT sha256(range::VARCHAR)[1:32] AS item_key, 'bench' AS source FROM range({rows})",
        (), 500, 10**9, "processors", 1, lambda c: None,
    )  # fmt: skip
    settle_environment(workspace.root / "prefect")
    began = time.monotonic()
    with prefect_server(workspace.root / "prefect"):
        from flows.migrate import migrate
        from flows.prepared import PREPARED, PreparedRun

        up = time.monotonic()
        with connect(workspace) as connection:
            snapshot = read_snapshot(workspace.log)
            pending = Pending(connection, workspace, configuration, [stage], None)
            pending.look_at(snapshot)
            segment = pending.find(stage)
            assert segment is not None
            PREPARED[1] = PreparedRun(
                file, configuration, workspace, snapshot, (stage,), pending, {"noop": segment}, 0, None, lambda p: None
            )
            migrate(1)
        done = time.monotonic()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return done - up, up - began, peak


def main() -> None:
    """Runs the benchmark and prints its figures."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    runner = sys.argv[2] if len(sys.argv) > 2 else "threads"
    with tempfile.TemporaryDirectory() as folder:
        seconds, start, peak = measure(rows, runner, Path(folder))
    print(f"{runner}: {rows} rows, {1000 * seconds / rows:.3f} ms a row (limit {LIMITS[runner]}), "
          f"server start {start:.1f} s, peak {peak} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
