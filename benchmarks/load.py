"""How fast objects get into an archive, and how fast they are proved to be there: Debian's Orthanc as it comes, on 2 cores.

usage: python -m benchmarks.load [ROUNDS]

Films of 0.5 MB and of 10 MB, uncompressed, go into an empty Orthanc each time: by `load` as a run does it (look, send; then
the same with every object read back and hashed, the receipt made), by storescu, dcmsend and pynetdicom at 1 and 4
associations, and by POST to Orthanc's REST interface, 4 at a time, which is the ceiling of the archive itself. `load` and the
ceiling take turns within a round, and what counts is the median over the rounds; the peers, which are far behind, have one.
`load` sends at least 400 and 50 objects a second, or 95% of the ceiling where that is lower, and proves at least 350 and 30;
it is ahead of each of its peers, and not behind the best of them where the archive is started with `TCP_NODELAY=1`, which
takes the 40 ms stall away that they suffer from. All lies in memory where the machine has room for it there, so that no disk
is measured.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.load.send import send
from tasks.load.shipment import parts, shipment_of
from tasks.load.stage import load_batch
from tasks.load.target import peer_of
from tests.load import rows
from tests.load.rows import Place
from tests.orthanc import Orthanc, start_orthanc

ASSOCIATIONS, ROUNDS = 4, 3
MEMORY, LEAST_MEMORY = Path("/dev/shm"), 4 * 10**9
BATCH_ROWS, BATCH_BYTES = 64, 64 * 10**6  # as the load stage cuts them
PYNETDICOM = """
import sys
from pathlib import Path
from pynetdicom import AE, build_context
association = AE("FILMROOM").associate("127.0.0.1", int(sys.argv[1]), ae_title="ORTHANC",
    contexts=[build_context("1.2.840.10008.5.1.4.1.1.7.3", ["1.2.840.10008.1.2.1"])])
for file in sorted(Path(sys.argv[2]).iterdir()):
    assert association.send_c_store(file).Status == 0
association.release()
"""


@dataclass(frozen=True)
class Size:
    """Films of one size: how many, and what has to be reached of them a second, sent and proved."""

    name: str
    shape: tuple[int, int]
    films: int
    sent: float
    proved: float


SIZES = (Size("0.5 MB", (512, 512), 400, 400, 350), Size("10 MB", (2500, 2000), 40, 50, 30))


@dataclass(frozen=True)
class Films:
    """The same films as rows of `LOAD_VIEW` and as files, in one folder and in four."""

    rows: list[dict[str, Any]]
    folder: Path
    place: Path

    def shares(self, associations: int) -> list[Path]:
        """Folders with the files, one for each association."""
        return [self.folder / "all"] if associations == 1 else sorted(self.folder.glob("share*"))


def make(size: Size, folder: Path) -> Films:
    """Puts the films down; each series has 100."""
    place = Place(folder / "place", 1)
    made = [rows.native(place, number, f"s{number // 100}", size.shape) for number in range(1, size.films + 1)]
    for name in ("all", *(f"share{share}" for share in range(ASSOCIATIONS))):
        (folder / name).mkdir()
    for number, row in enumerate(made):
        file = folder / "all" / f"{number:05d}.dcm"
        with file.open("wb") as out:
            out.write(b"\x00" * 128 + b"DICM")
            write_file_meta_info(out, file_meta(row))
            out.write(row["header"] + (place.context.staging / row["path"]).read_bytes())
        os.link(file, folder / f"share{number % ASSOCIATIONS}" / file.name)
    return Films(made, folder, folder / "place")


def file_meta(row: dict[str, Any]) -> FileMetaDataset:
    """File Meta Information (PS3.10 section 7.1) of a film's file."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(row["sop_class_uid"]), UID(row["sop_instance_uid"])
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, UID("2.25.1")
    return meta


def batches(films: Films) -> list[Sequence[dict[str, Any]]]:
    """The rows as the engine cuts them."""
    count = max(1, min(BATCH_ROWS, BATCH_BYTES // films.rows[0]["bytes"]))
    return [films.rows[first : first + count] for first in range(0, len(films.rows), count)]


def side_by_side(work: Callable[[Any], None], pieces: Sequence[Any], places: int = ASSOCIATIONS) -> None:
    """Does the work on every piece, in as many threads as the run's pool has."""
    with ThreadPoolExecutor(places) as pool:
        list(pool.map(work, pieces))


def filmroom_sends(films: Films, orthanc: Orthanc) -> None:
    """Look and send, without reading back."""
    context = Place(films.place, orthanc.dicom_port).context

    def work(batch: Sequence[dict[str, Any]]) -> None:
        for part in parts([shipment_of(row) for row in batch]):
            send(peer_of(context), part, context.staging)
            assert all(shipment.sent_syntax and shipment.error is None for shipment in part)

    side_by_side(work, batches(films))


def filmroom_proves(films: Films, orthanc: Orthanc) -> None:
    """The whole of `load`: every object has its receipt."""
    context = Place(films.place, orthanc.dicom_port).context

    def work(batch: Sequence[dict[str, Any]]) -> None:
        outcomes = list(load_batch(batch, context))
        assert [outcome.outcome for outcome in outcomes] == ["done"] * len(batch), outcomes[0].reason

    side_by_side(work, batches(films))


def command(name: str, associations: int, films: Films, orthanc: Orthanc) -> None:
    """storescu, dcmsend or pynetdicom, a process an association; their start is part of their time."""
    port = str(orthanc.dicom_port)
    program = {
        "storescu": ["storescu", "-aec", "ORTHANC", "127.0.0.1", port, "+sd"],
        "dcmsend": ["dcmsend", "-aec", "ORTHANC", "127.0.0.1", port, "+sd"],
        "pynetdicom": [sys.executable, "-c", PYNETDICOM, port],
    }[name]
    side_by_side(lambda share: subprocess.run([*program, share], check=True, capture_output=True), films.shares(associations))


def post(films: Films, orthanc: Orthanc) -> None:
    """POST to /instances, 4 connections."""

    def work(share: Path) -> None:
        connection = HTTPConnection("127.0.0.1", orthanc.http_port)
        for file in sorted(share.iterdir()):
            connection.request("POST", "/instances", body=file.read_bytes(), headers={"Expect": ""})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200

    side_by_side(work, films.shares(ASSOCIATIONS))


PEERS = {
    f"{name} x{associations}": partial(command, name, associations)
    for name in ("storescu", "dcmsend", "pynetdicom")
    for associations in (1, ASSOCIATIONS)
}
CEILING = f"REST POST x{ASSOCIATIONS}"
OURS = {"filmroom sent": filmroom_sends, "filmroom proved": filmroom_proves}


def speed(work: Callable[[Films, Orthanc], None], films: Films, folder: Path) -> float:
    """Objects a second into an empty Orthanc, which holds all of them afterwards."""
    place = folder / "orthanc"
    place.mkdir()
    with start_orthanc(place) as orthanc:
        began = perf_counter()
        work(films, orthanc)
        seconds = perf_counter() - began
        assert orthanc.rest("/statistics")["CountInstances"] == len(films.rows)
    shutil.rmtree(place)
    return len(films.rows) / seconds


def measured(
    contestants: dict[str, Callable[[Films, Orthanc], None]], films: Films, folder: Path, rounds: int
) -> dict[str, float]:
    """Median objects a second by contestant."""
    taken = [{name: speed(work, films, folder) for name, work in contestants.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in taken) for name in contestants}


def judge(size: Size, found: dict[str, float]) -> bool:
    """Prints the figures and says whether all limits are reached."""
    for name, speed in found.items():
        print(f"{size.name:>7}  {name:16} {speed:7.1f} objects/s", flush=True)
    sent, proved, ceiling = found["filmroom sent"], found["filmroom proved"], found[CEILING]
    reached = {
        f"sent {sent:.0f}/s: at least {size.sent:.0f} or 95% of the ceiling": sent >= min(size.sent, 0.95 * ceiling),
        f"proved {proved:.0f}/s: at least {size.proved:.0f}": proved >= size.proved,
        "ahead of each peer": sent > max(found[name] for name in PEERS),
    }
    for what, fine in reached.items():
        print(f"{size.name:>7}  {'ok  ' if fine else 'MISS'} {what}", flush=True)
    return all(reached.values())


def without_stall(size: Size, films: Films, folder: Path, rounds: int) -> bool:
    """Whether `load` still sends no slower than the best peer once the archive has no stall."""
    os.environ["TCP_NODELAY"] = "1"  # of DCMTK, which Orthanc inherits; ours sets its own
    try:
        found = measured({"filmroom sent": filmroom_sends, **PEERS}, films, folder, rounds)
    finally:
        del os.environ["TCP_NODELAY"]
    ours, (name, best) = found.pop("filmroom sent"), max(found.items(), key=lambda entry: entry[1])
    print(f"{size.name:>7}  {'ok  ' if ours >= best else 'MISS'} with TCP_NODELAY=1: {ours:.0f}/s, {name} {best:.0f}/s")
    return ours >= best


def main() -> None:
    """Runs the benchmark and prints its figures; exits with 1 where a limit is not reached."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    fine = True
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=MEMORY if shutil.disk_usage(MEMORY).free > LEAST_MEMORY else None) as name:
            folder = Path(name)
            films = make(size, folder)
            found = measured({**OURS, CEILING: post}, films, folder, rounds)
            fine &= judge(size, found | measured(PEERS, films, folder, 1))
            fine &= without_stall(size, films, folder, rounds)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
