"""A stage's queue: pending rows in spill files, cut into batches that keep groups whole. At most a batch is held in memory."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flows.engine.pending import Segment
from flows.stages import Stage


class StageQueue:
    """Rows of one stage that wait for a batch."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.rows = 0
        self.bytes = 0
        self._segments: deque[Segment] = deque()
        self._reader: Iterator[pa.RecordBatch] | None = None
        self._open: Path | None = None
        self._buffer: pa.Table | None = None

    def add(self, segment: Segment) -> None:
        """Appends a spill file."""
        self._segments.append(segment)
        self.rows += segment.rows
        self.bytes += segment.bytes

    def is_full(self) -> bool:
        """Whether there are rows for a full batch."""
        return self.rows >= self.stage.rows or (self.rows > 0 and self.bytes >= self.stage.size)

    def cut(self) -> pa.Table:
        """Takes the next batch off: at most the stage's rows and bytes, but one whole group at least."""
        while (self._buffer is None or self._buffer.num_rows <= self.stage.rows) and self._read():
            pass
        assert self._buffer is not None, "the queue is empty"
        count = self._fitting(self._buffer)
        if self.stage.group:
            count = self._whole_groups(count, self.stage.group)
        batch, self._buffer = self._buffer.slice(0, count), self._buffer.slice(count)
        if self._buffer.num_rows == 0:
            self._buffer = None
        self.rows -= batch.num_rows
        if "bytes" in batch.column_names:
            self.bytes -= sum(size or 0 for size in batch["bytes"].to_pylist())
        return batch

    def _read(self) -> bool:
        while True:
            if self._reader is None:
                if not self._segments:
                    return False
                self._open = self._segments.popleft().path
                self._reader = pq.ParquetFile(self._open).iter_batches(batch_size=2048)
            record_batch = next(self._reader, None)
            if record_batch is not None:
                more = pa.Table.from_batches([record_batch])
                self._buffer = (
                    more if self._buffer is None else pa.concat_tables([self._buffer, more], promote_options="permissive")
                )
                return True
            self._reader = None
            if self._open:
                self._open.unlink(missing_ok=True)

    def _fitting(self, buffer: pa.Table) -> int:
        count = min(self.stage.rows, buffer.num_rows)
        if "bytes" not in buffer.column_names:
            return count
        total = 0
        for index, size in enumerate(buffer["bytes"].slice(0, count).to_pylist()):
            total += size or 0
            if total > self.stage.size:
                return max(index, 1)
        return count

    def _whole_groups(self, count: int, group: str) -> int:
        """Grows a cut to the end of its last group, reading on as far as that takes."""
        assert self._buffer is not None
        while True:
            groups = self._buffer[group].to_pylist()
            while count < len(groups) and groups[count] == groups[count - 1]:
                count += 1
            if count < len(groups) or not self._read():
                return count
