"""What `status` costs: the balance over N items in 300 files, cold, in a process of its own; then right at each of 100 reads
beside a writer that commits.

usage: python -m benchmarks.status [ITEMS]

Prints seconds and peak memory (MiB) of `filmroom status`, against the limits of 3 s and 2048 MiB, and how many of 100 reads
beside commits were right.
"""

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.migration import empty_migration
from tasks.schemas import TABLES
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.manifest import DataFile, sha256_of
from tasks.workspace.reading import open_views
from tasks.workspace.states import balance
from tasks.workspace.views import fold
from tasks.workspace.writer import Uncommitted, put_rows

FILES = 300
SECONDS, MEBIBYTES, READS = 3.0, 2048, 100
AT = datetime(2026, 1, 1, tzinfo=UTC)

# Every item is scanned; of ten, eight are verified, one is in review, one waits. What is later in the way is committed later.
_OUTCOMES = """
    SELECT i.item_key, s.stage, CASE WHEN s.stage = 'scan' THEN i.item_key ELSE md5(i.item_key) END AS key, 'bench' AS source,
           sha256(i.item_key || s.stage) AS fingerprint,
           CASE WHEN s.stage = 'reconcile' AND n % 10 = 8 THEN 'review' ELSE 'done' END AS outcome,
           CASE WHEN s.stage = 'reconcile' AND n % 10 = 8 THEN 'nobody in the index matches' ELSE '' END AS reason
    FROM part i, (SELECT unnest({stages}) AS stage) s
    WHERE s.stage = 'scan' OR n % 10 < 8 OR (n % 10 = 8 AND s.stage IN ('wrap', 'assemble', 'reconcile'))
"""
EARLY, LATE = ["scan", "wrap", "assemble"], ["reconcile", "validate", "load"]


def put_table(workspace: Workspace, name: str, table: pa.Table) -> Uncommitted:
    """Puts rows down in the table's schema, without their events: the ledger is no part of what is measured."""
    schema = TABLES[name].schema
    columns = [table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(len(table), f.type) for f in schema]
    folder = workspace.table(name)
    folder.mkdir(exist_ok=True)
    path = folder / f"{sha256_of(str(table.slice(0, 1)).encode())[:24]}.parquet"
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path, compression="zstd")
    return Uncommitted((DataFile(name, f"{name}/{path.name}", "0" * 64, len(table), path.stat().st_size),), b"")


def fill(workspace: Workspace, items: int) -> dict[str, int]:
    """Commits `items` items and their outcomes in 300 files; gives back the states they are in."""
    rows = items // (FILES // 3)
    with duckdb.connect() as connection:
        for part in range(FILES // 3):
            connection.execute(f"""
                CREATE OR REPLACE TEMP TABLE part AS
                SELECT md5(range::VARCHAR) AS item_key, range AS n FROM range({part * rows}, {(part + 1) * rows})""")
            listed = connection.sql("""
                SELECT item_key, sha256(item_key || 'scan') AS fingerprint, 'bench' AS source, 0 AS source_order,
                       'box/' || n || '.tif' AS path, 1 AS page, 1 AS pages, n // 3 || '' AS jacket, n AS bytes,
                       sha256(item_key) AS sha256, 'image/tiff' AS media_type, 'film' AS kind FROM part""")
            early, late = (connection.sql(_OUTCOMES.format(stages=stages)).to_arrow_table() for stages in (EARLY, LATE))
            commit(workspace, [put_table(workspace, "items", listed.to_arrow_table()), put_table(workspace, "outcomes", early)])
            snapshot = commit(workspace, [put_table(workspace, "outcomes", late)])
            if part == FILES // 3 * 40 // 41 - 1:
                fold(workspace, snapshot)  # as a run leaves it at worst: a fortieth as much has come since
    found = rows * (FILES // 3)
    tenth = [sum(1 for n in range(found % 10) if n == digit) + found // 10 for digit in (8, 9)]
    return {"verified": found - sum(tenth), "review": tenth[0], "waiting": tenth[1]}


def cold_status(file: Path) -> tuple[float, int, str]:
    """Seconds, peak MiB and output of `filmroom status` in a process of its own."""
    began = time.monotonic()
    with subprocess.Popen(
        [Path(sys.executable).with_name("filmroom"), "status", "-c", file], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - began, usage.ru_maxrss // 1024, said


def right_reads(workspace: Workspace, reads: int) -> int:
    """How many of some reads beside a writer that commits one item after another balance, and never go back."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            key = f"{number:032x}"
            row: Mapping[str, Any] = {"item_key": key, "fingerprint": key, "source": "bench", "kind": "film", "page": 1}
            done = {"stage": "scan", "key": key, "item_key": key, "source": "bench", "fingerprint": key, "outcome": "done"}
            commit(workspace, [put_rows(workspace, {"items": [row], "outcomes": [done]}, action="scan", at=AT)])

    writer = threading.Thread(target=write)
    writer.start()
    right, before = 0, 0
    try:
        for _ in range(reads):
            with open_views(workspace) as connection:
                counted = balance(connection)
            right += counted.balanced and sum(counted.states.values()) == counted.found >= before
            before = counted.found
    finally:
        stop.set()
        writer.join()
    return right


def main() -> None:
    """Runs the benchmark and prints its figures."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        file, workspace = empty_migration(Path(folder))
        # In a process of its own: the peak of a child counts what its parent held when it was started.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            states = apart.submit(fill, workspace, items).result()
        for how in ("as a run leaves it", "with derived/ deleted"):
            seconds, peak, said = cold_status(file)
            wrong = [state for state, count in states.items() if f"{state} {count}" not in " ".join(said.split())]
            assert not wrong, f"status shows the wrong number of {wrong}"
            print(f"status over {sum(states.values())} items in {FILES} files, {how}: {seconds:.1f} s "
                  f"(limit {SECONDS:.0f}), peak {peak} MiB (limit {MEBIBYTES})", flush=True)  # fmt: skip
            shutil.rmtree(workspace.derived, ignore_errors=True)
        small = open_workspace(Path(folder) / "small", "bench", create=True)
        print(f"beside a writer: {right_reads(small, READS)} of {READS} reads right")


if __name__ == "__main__":
    main()
