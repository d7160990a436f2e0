"""The loop: of all stages with a full batch the one furthest downstream goes first, as far as its pool has room.

Finished batches are gathered for a second and committed under one number; each commit makes rows of the next stages pending,
which are found by what the commit touched. When nothing is left, one look at the whole settles that nothing was overlooked.
"""

import pickle
import queue
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.engine.batch import BatchResult, write_batch
from flows.engine.merging import merge_small_files
from flows.engine.pending import Pending, Segment
from flows.engine.pools import Pool
from flows.engine.queue import StageQueue
from flows.engine.suspects import halves, quarantine
from flows.stages import Stage
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace
from tasks.workspace.snapshot import Snapshot
from tasks.workspace.views import fold

GATHER_SECONDS = 1.0
GATHER_ROWS = 10_000
ATTEMPTS = 5
LEAST_FREE = 2**20  # bytes; with less a worker cannot say why it failed
UPSTREAM_OF_STAGING = frozenset({"scan", "wrap"})


@dataclass
class Flight:
    """A batch under way."""

    stage: Stage
    path: Path
    rows: int
    alone: bool = False


@dataclass
class Retry:
    """Rows of a stage, by (key, fingerprint), that wait for their time."""

    due: float
    stage: Stage
    rows: tuple[tuple[str, str], ...]


@dataclass
class Progress:
    """What a run has done so far, for the progress bars: rows finished and rows known, by stage; lines that say what to
    mend.
    """

    finished: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)


class Loop:
    """One run over the stages; `run` returns when nothing more can be done."""

    def __init__(
        self,
        workspace: Workspace,
        snapshot: Snapshot,
        stages: Sequence[Stage],
        pending: Pending,
        pools: Callable[[Callable[[int], None]], dict[str, Pool]],
        facts: dict[str, str],
        *,
        staged: int = 0,
        staging_bound: int = 0,
        limit: int | None = None,
        progress: Progress | None = None,
        show: Callable[[Progress], None] = lambda progress: None,
    ):
        self.workspace, self.snapshot, self.stages, self.pending, self.facts = workspace, snapshot, stages, pending, facts
        self.queues = {stage.name: StageQueue(stage) for stage in stages}
        self.events: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.pools = pools(self.events.put)
        self.flights: dict[int, Flight] = {}
        self.suspects: list[Flight] = []
        self.gathered: list[tuple[Stage, BatchResult]] = []
        self.gathered_rows = 0
        self.gathered_since = 0.0
        self.retries: list[Retry] = []
        self.attempts: dict[tuple[str, str], int] = {}
        self.staged, self.staging_bound, self.limit = staged, staging_bound, limit
        self.progress = progress or Progress()
        self.show = show
        self.number = 0

    def run(self, first: Mapping[str, Segment]) -> Progress:
        """Works until nothing is pending that can be done now; `first` is what was pending when the run began."""
        try:
            for stage in self.stages:
                if stage.name in first:
                    self._queue(stage, first[stage.name])
            while True:
                self._submit()
                if not self.flights:
                    if self.gathered:
                        self._commit()
                        continue
                    if self._wait_for_retry() or (not self.limit and self._look(None)):
                        continue
                    break
                self._gather()
        except BaseException:
            for pool in self.pools.values():
                pool.abandon()
            raise
        for pool in self.pools.values():
            pool.close()
        return self.progress

    def _queue(self, stage: Stage, segment: Segment) -> None:
        self.queues[stage.name].add(segment)
        self.progress.known[stage.name] = self.progress.known.get(stage.name, 0) + segment.rows

    def _look(self, touched: set[str] | None, above: int = -1) -> bool:
        """Queues what is pending downstream of stage number `above`; says whether there was anything that is not blocked."""
        stages = [stage for stage in self.stages[above + 1 :] if stage.name not in self.progress.blocked]
        if not stages:
            return False
        self.pending.look_at(self.snapshot, touched)
        found = False
        for stage in stages:
            segment = self.pending.find(stage)
            if segment:
                found = True
                self._queue(stage, segment)
        return found

    def _submit(self) -> None:
        while self.suspects and not self.flights:
            self._launch(self.suspects.pop(0))
            return
        if self.suspects:
            return
        while stage := self._next_stage():
            batch = self.queues[stage.name].cut()
            if self.limit is not None:
                batch = batch if stage.group else batch.slice(0, self.limit)  # groups are never cut
                self.limit -= batch.num_rows
            self.number += 1
            path = self.workspace.spill / f"batch-{self.number:08d}.parquet"
            write_batch(
                path,
                batch,
                {**self.facts, "stage": stage.name, "function": stage.function, "key": stage.key, "frees": str(stage.frees)},
            )
            self._launch(Flight(stage, path, batch.num_rows))

    def _launch(self, flight: Flight) -> None:
        number = int(flight.path.stem.rpartition("-")[2])
        self.flights[number] = flight
        self.pools[flight.stage.pool].submit(flight.stage.name, number, str(flight.path))

    def _next_stage(self) -> Stage | None:
        if self.limit is not None and self.limit <= 0:
            return None
        ready = [stage for stage in reversed(self.stages) if self._may_start(stage)]
        full = [stage for stage in ready if self.queues[stage.name].is_full()]
        return next(iter(full), None) or next((stage for stage in ready if self._nothing_upstream(stage)), None)

    def _may_start(self, stage: Stage) -> bool:
        pool = self.pools[stage.pool]
        if not self.queues[stage.name].rows or stage.name in self.progress.blocked or pool.busy >= pool.places:
            return False
        return not (stage.name in UPSTREAM_OF_STAGING and self.staging_bound and self.staged >= self.staging_bound)

    def _nothing_upstream(self, stage: Stage) -> bool:
        """Whether a partial batch is the last one: nothing that feeds this stage is queued, under way or uncommitted."""
        above = {s.name for s in self.stages[: self.stages.index(stage)]}
        under_way = {flight.stage.name for flight in self.flights.values()} | {s.name for s, _ in self.gathered}
        queued = {name for name in above if self.queues[name].rows and name not in self.progress.blocked}
        if self.staging_bound and self.staged >= self.staging_bound:
            queued -= UPSTREAM_OF_STAGING
        return not (above & under_way) and not queued

    def _gather(self) -> None:
        """Waits for a finished batch or for the time to commit."""
        wait = max(0.0, self.gathered_since + GATHER_SECONDS - time.monotonic()) if self.gathered else 1.0
        with suppress(queue.Empty):
            self._finish(self.events.get(timeout=wait))
        late = self.gathered and time.monotonic() - self.gathered_since >= GATHER_SECONDS
        if late or self.gathered_rows >= GATHER_ROWS or (self.gathered and not self.flights):
            self._commit()
        self.show(self.progress)

    def _finish(self, number: int) -> None:
        flight = self.flights.pop(number)
        self.pools[flight.stage.pool].busy -= 1
        done, blocked = flight.path.with_suffix(".done"), flight.path.with_suffix(".blocked")
        if blocked.exists():
            self.progress.blocked[flight.stage.name] = blocked.read_text()
        elif done.exists():
            result: BatchResult = pickle.loads(done.read_bytes())
            self._put_by(flight, result)
            self.staged += result.staged
            done.unlink()
            self.progress.finished[flight.stage.name] = self.progress.finished.get(flight.stage.name, 0) + flight.rows
        elif shutil.disk_usage(self.workspace.root).free < LEAST_FREE:
            self.progress.blocked[flight.stage.name] = "no space left on the device: free some, then run again"
        else:
            self._suspect(flight)
            return
        flight.path.unlink(missing_ok=True)

    def _suspect(self, flight: Flight) -> None:
        """A batch failed as a whole: it is tried again alone, then halved down to the row that brings the worker down."""
        if not flight.path.with_suffix(".failed").exists() and self.pools[flight.stage.pool].processes:
            self.pools[flight.stage.pool].close()
        reason = flight.path.with_suffix(".failed")
        name = reason.read_text() if reason.exists() else "the worker died"
        reason.unlink(missing_ok=True)
        if not flight.alone and name == "the worker died":
            self.suspects.append(Flight(flight.stage, flight.path, flight.rows, alone=True))
            return
        batch = pq.ParquetFile(flight.path).read()
        if batch.num_rows == 1 or (flight.stage.group and len(set(batch[flight.stage.group].to_pylist())) == 1):
            self._quarantine(flight, batch, name)
            return
        for part in halves(batch, flight.stage.group):
            self.number += 1
            path = self.workspace.spill / f"batch-{self.number:08d}.parquet"
            write_batch(path, part, {k.decode(): v.decode() for k, v in (batch.schema.metadata or {}).items()})
            self.suspects.append(Flight(flight.stage, path, part.num_rows, alone=True))
        flight.path.unlink()

    def _quarantine(self, flight: Flight, batch: pa.Table, name: str) -> None:
        self._put_by(flight, quarantine(self.workspace, flight.stage, batch, name))
        flight.path.unlink()

    def _put_by(self, flight: Flight, result: BatchResult) -> None:
        if not self.gathered:
            self.gathered_since = time.monotonic()
        self.gathered.append((flight.stage, result))
        self.gathered_rows += flight.rows

    def _commit(self) -> None:
        gathered, self.gathered, self.gathered_rows = self.gathered, [], 0
        self.snapshot = commit(self.workspace, [result.uncommitted for _, result in gathered], known=self.snapshot)
        touched: set[str] = set()
        settled: dict[str, list[tuple[str, str]]] = {}
        for stage, result in gathered:
            settled.setdefault(stage.name, []).extend(result.settled)
            touched.update(result.item_keys)
            self.staged -= self._free(result.spent)
            for path in result.spent_files:
                path.unlink(missing_ok=True)
                with suppress(OSError):  # as long as there are others in it
                    path.parent.rmdir()
            self._plan_retry(stage, result)
        for name, rows in settled.items():
            self.pending.forget(name, rows)
        self.snapshot = merge_small_files(self.workspace, self.snapshot)
        fold(self.workspace, self.snapshot)
        if not (self.limit is not None and self.limit <= 0):
            self._look(touched, min(self.stages.index(stage) for stage, _ in gathered))

    def _free(self, spent: Sequence[tuple[str, int]]) -> int:
        """Removes staged pixels that are in the PACS and were read back."""
        for path, _ in spent:
            (self.workspace.staging / path).unlink(missing_ok=True)
        return sum(size for _, size in spent)

    def _plan_retry(self, stage: Stage, result: BatchResult) -> None:
        """Rows that wait are queued again later, each time twice as late; after some attempts the next run takes them up."""
        again: dict[int, list[tuple[str, str]]] = {}
        for key, fingerprint in result.retry:
            attempt = self.attempts[stage.name, key] = self.attempts.get((stage.name, key), 0) + 1
            if attempt < ATTEMPTS:
                again.setdefault(attempt, []).append((key, fingerprint))
        for attempt, rows in again.items():
            self.retries.append(Retry(time.monotonic() + 2.0**attempt, stage, tuple(rows)))

    def _wait_for_retry(self) -> bool:
        if not self.retries:
            return False
        self.retries.sort(key=lambda retry: retry.due)
        time.sleep(max(0.0, self.retries[0].due - time.monotonic()))
        while self.retries and self.retries[0].due <= time.monotonic():
            retry = self.retries.pop(0)
            self.pending.forget(retry.stage.name, retry.rows)
        return self._look(None) or self._wait_for_retry()
