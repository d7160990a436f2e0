"""What `filmroom audit verify` costs: microseconds a row over N items with their outcomes and events, in a process of its own.

usage: python -m benchmarks.audit [ITEMS]

Each item has a row of `items` and two of `outcomes`, each with its event; rows are those three. The limit is 15 µs a row.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.migration import empty_migration
from flows.engine.merging import merge_small_files
from tasks.workspace.commit import commit
from tasks.workspace.writer import put_rows

LIMIT = 15.0
BATCH = 500
AT = datetime(2026, 1, 1, tzinfo=UTC)


def batch(first: int) -> dict[str, list[dict[str, Any]]]:
    """Rows of a batch of items that were scanned and wrapped."""
    tables: dict[str, list[dict[str, Any]]] = {"items": [], "outcomes": []}
    for number in range(first, first + BATCH):
        key, fingerprint = f"{number:032x}", f"{number:064x}"
        item = {"item_key": key, "fingerprint": fingerprint, "source": "scans", "source_order": 0, "page": 1, "pages": 1}
        item |= {"path": f"J{number // 3}/{number}.tif", "jacket": f"J{number // 3}", "group_key": key, "group_files": 3}
        item |= {"bytes": 10**7 + number, "sha256": fingerprint, "media_type": "image/tiff", "kind": "film"}
        tables["items"].append(item)
        for stage in ("scan", "wrap"):
            tables["outcomes"].append(
                {"stage": stage, "key": key, "item_key": key, "fingerprint": fingerprint, "source": "scans", "outcome": "done",
                 "reason": ""}
            )  # fmt: skip
    return tables


def commits(items: int) -> Iterator[list[int]]:
    """Numbers of the first items of batches, eight batches a commit."""
    firsts = list(range(0, items, BATCH))
    yield from (firsts[start : start + 8] for start in range(0, len(firsts), 8))


def main() -> None:
    """Runs the benchmark and prints its figure."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        file, workspace = empty_migration(Path(folder))
        for firsts in commits(items):
            pieces = [put_rows(workspace, batch(first), action="scan", at=AT) for first in firsts]
            merge_small_files(workspace, commit(workspace, pieces))
        began = time.monotonic()
        command = [Path(sys.executable).with_name("filmroom"), "audit", "verify", "-c", file]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds = time.monotonic() - began
    rows = int(said.split()[1])
    print(f"audit verify: {rows} rows in {seconds:.1f} s, {1e6 * seconds / rows:.1f} µs a row (limit {LIMIT:.0f})")


if __name__ == "__main__":
    main()
