"""Progress bars on standard error, one a stage."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class ProgressBars:
    """Shows what a run has done; where standard error is no terminal, one line a stage is written when it moved by a tenth."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._written: dict[str, int] = {}

    def __enter__(self) -> "ProgressBars":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, progress: Any) -> None:
        """Takes over the counts of a run's `Progress`."""
        for stage, known in progress.known.items():
            finished = progress.finished.get(stage, 0)
            if stage not in self._tasks:
                self._tasks[stage] = self._progress.add_task(stage, total=known)
            self._progress.update(self._tasks[stage], completed=finished, total=known)
            tenth = 10 * finished // max(known, 1)
            if not self._console.is_terminal and tenth > self._written.get(stage, -1) and finished:
                self._written[stage] = tenth
                print(f"{stage}: {finished} of {known}", file=sys.stderr)
