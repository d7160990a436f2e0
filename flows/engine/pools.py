"""Where batches run: one pool for stages that need processors, one for those that wait on disks and networks.

Both are Prefect's own task runners. Worker processes die with the run, tools they started included (`flows.engine.watchdog`).
"""

import atexit
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import SyncClientContext
from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from flows.engine.prefect_task import batch_task
from flows.engine.watchdog import Watchdog


def initialize_worker() -> None:
    """Initializer of a worker process."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    # One client for all batches; each would make two of its own, and load all certificates for each.
    SyncClientContext().__enter__()
    # Prefect's threads are through by then; tearing modules down would only make extension modules count what they leak.
    atexit.register(os._exit, 0)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Worker processes that are started meanwhile never get a Ctrl-C, which is for the run."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Pool:
    """A Prefect task runner with a number of workers; `submit` calls `finished` with the batch number when it is done.

    There are places for twice as many batches as workers, so that none idles while the loop commits.
    """

    def __init__(self, processes: bool, workers: int, finished: Callable[[int], None]):
        self.processes = processes
        self.workers = workers
        self.places = 2 * workers
        self.busy = 0
        self._finished = finished
        self._runner: TaskRunner[Any] | None = None
        self._watchdog: Watchdog | None = None

    def submit(self, stage: str, number: int, path: str) -> None:
        """Hands a batch to the runner, which is started when it is first needed."""
        if self._runner is None:
            self._runner = self._start()
        with _interrupts_held():
            future: PrefectFuture[None] = self._runner.submit(batch_task, {"stage": stage, "number": number, "path": path})
        self.busy += 1

        # How it ended says the file that the worker leaves: a future's state would be asked of the server, batch by batch.
        future.add_done_callback(lambda _: self._finished(number))

    def abandon(self) -> None:
        """Ends worker processes at once, whatever they are at; threads end with the run."""
        if self.processes:
            for worker in multiprocessing.active_children():
                worker.kill()
            self.close()

    def close(self) -> None:
        """Ends the runner when its batches are through, or its workers have died; the next batch would start a new one."""
        if self._runner is not None:
            self._runner.__exit__(None, None, None)
            self._runner = None
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog = None

    def _start(self) -> TaskRunner[Any]:
        runner: TaskRunner[Any]
        if self.processes:
            self._watchdog = Watchdog()
            runner = ProcessPoolTaskRunner(max_workers=self.workers, initializer=initialize_worker)
        else:
            runner = ThreadPoolTaskRunner(max_workers=self.workers)
        runner.__enter__()
        return runner
