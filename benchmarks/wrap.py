"""What wrapping a film costs beside the bare codec: encode, hashes, proof and a durable staged element, 10 MB films on 2 cores.

usage: python -m benchmarks.wrap [ROUNDS]

Two processes, as a run has them, do the same thing to films of 2,500 x 2,000 pixels in 16 bits; the contestants take turns
within each round, so that the machine's drift hits all of them. What is compared is the median over the rounds. `wrap` begins
with the decoded array and ends with the element under its name, synced. Its peers are

- for JPEG-LS and HTJ2K, imagecodecs' encode and decode of the same array, without a file: wrap reaches at least 85% of it;
- uncompressed, the same bytes written, synced and renamed as durably, and one SHA-256: at least 80% of it;
- for orientation pydicom (a native data set written; its RLE encoder), dcmcjpls, and img2dcm, which takes 8 bits from BMP
  and no more. They neither hash nor prove nor sync; the programs' own start is part of their time.

Films are those of ../shared/realdata scaled to that size, where it is there; else made up, with grain.
"""

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from tasks.configuration import Digitizer
from tasks.keys import key_of
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.encode import stage_film
from tasks.wrap.film.header import pixel_attributes, sop_class_of

ROWS, COLUMNS, FILMS, ROUNDS, PEER_ROUNDS = 2500, 2000, 4, 9, 2
PROCESSES = 2
SCANS = Path(__file__).resolve().parents[2] / "shared" / "realdata" / "films" / "scans"
Film = NDArray[np.uint16]

films: list[DecodedFilm] = []  # of a worker


def real_films() -> list[Film]:
    """The first 16-bit scans of the real data, at the benchmark's size."""
    scans = (tifffile.imread(file) for file in sorted(SCANS.glob("*.tif")))
    wide = [scan for scan in scans if scan.dtype == np.uint16 and scan.ndim == 2][:FILMS]
    scaled = [cv2.resize(scan, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC) for scan in wide]
    return [np.clip(film, 0, scan.max()) for film, scan in zip(scaled, wide, strict=True)]


def made_up_films() -> list[Film]:
    """Soft shapes of 12 bits with grain; JPEG-LS makes them about as small as it makes the real ones."""
    found = []
    for seed in range(FILMS):
        rng = np.random.default_rng(seed)
        shapes = cv2.resize(rng.uniform(400, 3600, (25, 20)), (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)
        found.append(np.clip(shapes + rng.normal(0, 14, (ROWS, COLUMNS)), 0, 4095).astype(np.uint16))
    return found


def load() -> None:
    """Gives a worker its films."""
    cv2.setNumThreads(1)
    films.extend(DecodedFilm(film, 16, "MONOCHROME2", (300.0, 300.0)) for film in real_films() or made_up_films())


def wrap(codec: str, folder: Path, number: int) -> None:
    """Filmroom's own."""
    film = films[number]
    attributes = pixel_attributes(film, sop_class_of(film, Digitizer()))
    stage_film(film, attributes, codec, folder, key_of("bench", str(os.getpid()), str(number)))


def bare(codec: str, folder: Path, number: int) -> None:
    """The bare codec, encode and decode; no file."""
    pixels = films[number].pixels
    if codec == "jpeg-ls":
        imagecodecs.jpegls_decode(imagecodecs.jpegls_encode(pixels))
    else:
        imagecodecs.htj2k_decode(imagecodecs.htj2k_encode(pixels, reversible=True))


def write_and_hash(folder: Path, number: int, *, durable: bool) -> None:
    """One file and one SHA-256; durable as a staged element is: synced, renamed, its folder synced."""
    pixels = films[number].pixels.data.cast("B")
    hashlib.sha256(pixels).hexdigest()
    file = folder / f"{os.getpid()}-{number}.new"
    with file.open("wb", buffering=0) as out:
        out.write(pixels)
        if durable:
            os.fsync(out.fileno())
    file.rename(file.with_suffix(".raw"))
    if durable:
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def native_object(pixels: NDArray[np.unsignedinteger]) -> Dataset:
    """A data set that pydicom and DCMTK take."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.3", "2.25.1"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_pixel_data(pixels, "MONOCHROME2", 8 * pixels.dtype.itemsize, generate_instance_uid=False)
    return dataset


def pydicom_native(folder: Path, number: int) -> None:
    """pydicom, uncompressed."""
    native_object(films[number].pixels).save_as(folder / f"{os.getpid()}.dcm", enforce_file_format=True)


def pydicom_rle(folder: Path, number: int) -> None:
    """pydicom's own encoder; it has none for JPEG-LS or HTJ2K."""
    dataset = native_object(films[number].pixels)
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(folder / f"{os.getpid()}.dcm", enforce_file_format=True)


def program(name: str, source: str, folder: Path, number: int) -> None:
    """A DCMTK program on files that `peer_files` has put down."""
    target = folder / f"{number}.out"
    options = ["-i", "BMP"] if name == "img2dcm" else []
    subprocess.run([name, *options, folder.parent / f"{number}.{source}", target], check=True, capture_output=True)


def peer_files(folder: Path) -> None:
    """What the programs read: an uncompressed object, and for img2dcm a BMP of the upper 8 bits."""
    for number, film in enumerate(films):
        native_object(film.pixels).save_as(folder / f"{number}.dcm", enforce_file_format=True)
        (folder / f"{number}.bmp").write_bytes(imagecodecs.bmp_encode((film.pixels >> 4).astype(np.uint8)))


CONTESTANTS: dict[str, Callable[[Path, int], None]] = {
    **{f"wrap {codec}": partial(wrap, codec) for codec in ("jpeg-ls", "htj2k", "none", "rle")},
    "imagecodecs jpeg-ls": partial(bare, "jpeg-ls"),
    "imagecodecs htj2k": partial(bare, "htj2k"),
    "durable write and SHA-256": partial(write_and_hash, durable=True),
    "write and SHA-256": partial(write_and_hash, durable=False),
    "pydicom native": pydicom_native,
    "pydicom rle": pydicom_rle,
    "dcmcjpls": partial(program, "dcmcjpls", "dcm"),
    "img2dcm 8 bits": partial(program, "img2dcm", "bmp"),
}
PAIRS = (
    ("wrap jpeg-ls", "imagecodecs jpeg-ls", 0.85),
    ("wrap htj2k", "imagecodecs htj2k", 0.85),
    ("wrap none", "durable write and SHA-256", 0.80),
)
BESIDE = ("write and SHA-256", "pydicom native", "wrap rle", "pydicom rle", "dcmcjpls", "img2dcm 8 bits")
TOOLS = {"dcmcjpls": "dcmcjpls", "img2dcm 8 bits": "img2dcm"}


def turn(contestant: str, folder: Path) -> tuple[float, float]:
    """Seconds, and seconds of processor time, that a contestant takes for a worker's films; what it wrote is removed."""
    place = folder / str(os.getpid())
    place.mkdir()
    began, worked = perf_counter(), process_time()
    for number in range(len(films)):
        CONTESTANTS[contestant](place, number)
    seconds = perf_counter() - began, process_time() - worked
    shutil.rmtree(place)
    return seconds


def round_of(workers: list[ProcessPoolExecutor], contestants: Iterable[str], folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds, and seconds of processor time, a film by contestant, all workers at the same time."""
    taken = {}
    for contestant in contestants:
        running = [worker.submit(turn, contestant, folder) for worker in workers]
        seconds = np.array([done.result() for done in running]).mean(axis=0) / FILMS
        taken[contestant] = float(seconds[0]), float(seconds[1])
    return taken


def speed(seconds: float) -> str:
    """Seconds of each film as MB/s of both processes."""
    return f"{PROCESSES * 2 * ROWS * COLUMNS / seconds / 1e6:6.0f} MB/s"


def main() -> None:
    """Runs the benchmark and prints its figures; exits with 1 where a limit is not reached."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    paired = [name for wrapped, peer, _ in PAIRS for name in (wrapped, peer)]
    beside = [name for name in BESIDE if name not in TOOLS or shutil.which(TOOLS[name])]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        start = partial(ProcessPoolExecutor, 1, get_context("spawn"), load)
        workers = [stack.enter_context(start()) for _ in range(PROCESSES)]
        for worker in workers:
            worker.submit(peer_files, folder).result()
        round_of(workers, paired, folder)  # a first one, that warms up
        measured = [round_of(workers, paired, folder) for _ in range(rounds)]
        others = [round_of(workers, beside, folder) for _ in range(PEER_ROUNDS)]
    taken = {name: statistics.median(one[name][0] for one in them) for them in (measured, others) for name in them[0]}
    missed = False
    for wrapped, peer, limit in PAIRS:
        ratio, of_work = (statistics.median(one[peer][by] / one[wrapped][by] for one in measured) for by in (0, 1))
        missed |= ratio < limit
        print(f"{wrapped:12} {speed(taken[wrapped])}, {peer:25} {speed(taken[peer])}: {ratio:4.0%} of it (limit {limit:.0%}); "
              f"of its processor time {of_work:4.0%}")  # fmt: skip
    for name in beside:
        print(f"beside it: {name:20} {speed(taken[name])}")
    sys.exit(missed)


if __name__ == "__main__":
    main()
