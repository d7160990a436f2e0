"""A run with worker processes over films of `tests.flows.fakes`, as a program: python -m tests.flows.dying FOLDER."""

import sys
from pathlib import Path

from flows.engine.pending import Pending
from flows.engine.server import prefect_server, settle_environment
from tasks.scan.listing import write_listing
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.views import connect


def main(folder: Path) -> None:
    """Runs what is pending in the migration in `folder`."""
    from tests.flows.fakes import Engine, stages

    engine = Engine(folder, stages(wrap={"rows": 8}))
    with engine.file.open("a") as file:
        file.write('[run]\nrunner = "processes"\nworkers = 2\n')
    workspace = engine.workspace
    with connect(workspace) as connection:
        from flows.migrate import migrate
        from flows.prepared import PREPARED, PreparedRun

        snapshot = read_snapshot(workspace.log)
        listing = write_listing(engine.configuration, workspace.spill)
        pending = Pending(connection, workspace, engine.configuration, engine.stages, listing)
        pending.look_at(snapshot)
        first = {stage.name: segment for stage in engine.stages if (segment := pending.find(stage))}
        PREPARED[1] = PreparedRun(
            engine.file,
            engine.configuration,
            workspace,
            snapshot,
            engine.stages,
            pending,
            first,
            0,
            None,
            lambda progress: None,
        )
        migrate(1)


if __name__ == "__main__":
    home = Path(sys.argv[1]) / "prefect"
    settle_environment(home)
    with prefect_server(home):
        main(Path(sys.argv[1]))
