"""Damaged DICOM files by the thousand: what becomes of them, how long the slowest takes, how much memory it needs.

usage: python -m benchmarks.fuzz [COUNT]

COUNT mutations (20,000) of the real odd objects, 500 a process; one that dies or stands still is told with its first seed.
What is taken over is compared with pydicom's reading of the same damaged file: attributes that describe the pixels, and bytes.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tasks.configuration import Configuration
from tasks.keys import item_key
from tasks.scan.recognise import media_type
from tasks.stage import StageContext
from tasks.wrap.stage import wrap_batch
from tests.wrap_dicom.mutations import mutated, verdict

REALDATA = Path(__file__).resolve().parent.parent.parent / "shared" / "realdata" / "dicom"
AT_ONCE = 500
LARGEST = 4 * 2**20  # bytes of a file; larger ones are the same faults, slower


def sources() -> list[bytes]:
    """The files that scan takes for DICOM objects, in the order of their names."""
    contents = (file.read_bytes() for file in sorted(REALDATA.rglob("*")) if file.is_file() and file.stat().st_size < LARGEST)
    return [data for data in contents if media_type(data[: 36 * 1024]) == "application/dicom"]


def work(first: int, count: int) -> dict[str, Any]:
    """Takes mutations over, one after the other; gives what came of it, the slowest (seconds, seed), peak memory (MiB)."""
    outcomes: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    wrong: list[int] = []
    slowest = (0.0, first)
    originals = sources()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        media = Path(folder)
        archive = {"kind": "archive", "name": "cd", "path": media}
        settings = {"project": {"name": "fuzz", "workspace": media}, "source": [archive]}
        context = StageContext(Configuration.model_validate(settings), media, "wrap")
        for seed in range(first, first + count):
            whole = originals[seed % len(originals)]
            data = mutated(whole, seed)
            (media / "IMG").write_bytes(data)
            row = {"item_key": item_key("cd", str(seed)), "source": "cd", "path": "IMG", "group_key": "cd", "kind": "dicom"}
            row |= {"sha256": hashlib.sha256(data).hexdigest(), "duplicate_of": None}
            started = time.monotonic()
            (outcome,) = wrap_batch([row], context)
            slowest = max(slowest, (time.monotonic() - started, seed))
            outcomes["unexpected" if "unexpected" in outcome.reason else outcome.outcome] += 1
            for taken in outcome.rows.get("objects", ()):
                staged = context.staging / taken["path"] if taken.get("path") else None
                found = verdict(data, whole, taken, staged.read_bytes() if staged else None)
                verdicts[found] += 1
                wrong += [seed] * (found == "other pixels")
                if staged:
                    staged.unlink()
            if "unexpected" in outcome.reason:
                wrong.append(seed)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"outcomes": outcomes, "verdicts": verdicts, "wrong": wrong, "slowest": slowest, "peak": peak}


def main() -> None:
    """Runs all in processes of their own."""
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    outcomes: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    wrong: list[int] = []
    slowest, peak, died = (0.0, 0), 0.0, []
    for first in range(0, total, AT_ONCE):
        command = [sys.executable, "-m", "benchmarks.fuzz", "--work", str(first), str(min(AT_ONCE, total - first))]
        run = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if run.returncode:
            died.append(first)
            continue
        told = json.loads(run.stdout)
        outcomes.update(told["outcomes"])
        verdicts.update(told["verdicts"])
        wrong += told["wrong"]
        slowest, peak = max(slowest, tuple(told["slowest"])), max(peak, told["peak"])
    print("outcomes:", dict(outcomes))
    print("of what was taken over:", dict(verdicts))
    print(f"slowest: {slowest[0]:.2f} s (seed {slowest[1]}); memory: {peak:.0f} MiB; processes that died: {died}")
    print("seeds to look at:", wrong)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        print(json.dumps(work(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
