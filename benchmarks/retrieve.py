"""Emptying a legacy PACS against its own ceiling: scan's retrieval beside bare C-GETs of the same studies, in the same run.

usage: python -m benchmarks.retrieve [OBJECTS [ROUNDS]]

The PACS is Debian's Orthanc on 127.0.0.1. The contestants take turns; compared is the median over the rounds.

- wire: each study by one C-GET on our lean association, what comes is dropped; as many associations side by side as scan has.
- bare: the same, what comes is written into files.
- getscu, for orientation: one process of DCMTK's a study, into files.
- scan: retrieves, hashes, writes, counts, makes items; at least 80% of bare.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

from tasks.network import Received
from tasks.receiving import retriever_of
from tests.orthanc import Orthanc, start_orthanc
from tests.scan.pacs_objects import Emptying, as_file, instance

OBJECTS, ROUNDS, A_STUDY, ASSOCIATIONS = 2000, 5, 20, 2
SIDE = 512  # pixels: half a MB each


def fill(orthanc: Orthanc, objects: int) -> list[str]:
    """Puts the objects into the PACS; gives back their Study Instance UIDs."""
    studies = set()
    for number in range(objects):
        dataset = instance(1 + number // A_STUDY, 1 + number % 2, number, f"19{70 + number // A_STUDY % 30}0101")
        dataset.Rows = dataset.Columns = SIDE
        dataset.PixelData = dataset.PixelData * (SIDE * SIDE * 2 // len(dataset.PixelData))
        studies.add(str(dataset.StudyInstanceUID))
        orthanc.rest("/instances", "POST", as_file(dataset))
    return sorted(studies)


def bare(emptying: Emptying, studies: list[str], folder: Path | None = None) -> int:
    """Retrieves all studies, into files if there is a folder for them; gives back how many objects came."""

    def some(mine: list[str]) -> int:
        came: list[str] = []

        def receive(received: Received) -> None:
            came.append(received.sop_instance_uid)
            if folder:
                (folder / received.sop_instance_uid).write_bytes(received.data)

        with retriever_of(emptying.source, emptying.configuration) as retriever:
            for study in mine:
                retriever.study(study, receive)
        return len(came)

    with ThreadPoolExecutor(ASSOCIATIONS) as threads:
        return sum(threads.map(some, [studies[place::ASSOCIATIONS] for place in range(ASSOCIATIONS)]))


def scan(emptying: Emptying, rows: list[dict[str, Any]]) -> int:
    """Scans all studies anew; gives back how many items were received."""
    return sum(outcome == "done" for outcome, _ in emptying.items(rows).values())


def getscu(emptying: Emptying, studies: list[str], folder: Path) -> int:
    """Retrieves some studies with DCMTK's client; gives back how many files came."""
    for study in studies:
        identifier = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"]
        command = ["getscu", "-S", "-aec", "ORTHANC", "-od", str(folder), *identifier, "127.0.0.1", str(emptying.port)]
        subprocess.run(command, check=True, capture_output=True)
    return len(list(folder.iterdir()))


def measured(work: Callable[[], int], objects: int) -> float:
    """Objects a second; all of them have to come."""
    started = perf_counter()
    assert work() == objects
    return objects / (perf_counter() - started)


def main() -> None:
    """Prints a line a contestant, and the share that scan reaches of bare."""
    given = [int(argument) for argument in sys.argv[1:]]
    objects, rounds = [*given, *(OBJECTS, ROUNDS)[len(given) :]]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with start_orthanc(folder) as orthanc:
            studies = fill(orthanc, objects)
            emptying = Emptying(folder / "workspace", orthanc.dicom_port)
            rows = emptying.listing()
            files = folder / "files"
            speeds: dict[str, list[float]] = {"wire": [], "bare": [], "scan": []}
            for _ in range(1 + rounds):
                speeds["wire"].append(measured(lambda: bare(emptying, studies), objects))
                for name, work in (("bare", lambda: bare(emptying, studies, files)), ("scan", lambda: scan(emptying, rows))):
                    files.mkdir()
                    speeds[name].append(measured(work, objects))
                    shutil.rmtree(files)
                    shutil.rmtree(emptying.workspace / "received", ignore_errors=True)
            for found in speeds.values():
                del found[0]  # what had to be warmed up
            files.mkdir()
            some = studies[:5]
            speeds["getscu"] = [measured(lambda: getscu(emptying, some, files), len(some) * A_STUDY)]
    for name, found in speeds.items():
        print(f"{name:8}{statistics.median(found):8.0f} objects/s   ({', '.join(f'{speed:.0f}' for speed in found)})")
    print(f"scan reaches {statistics.median(speeds['scan']) / statistics.median(speeds['bare']):.0%} of bare")


if __name__ == "__main__":
    main()
