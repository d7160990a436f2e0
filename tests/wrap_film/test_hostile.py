"""Hostile files, and pictures as large as a few bytes may make them, end as rows: in bounded time and memory, in a process of
their own that may die.
"""

import io
import multiprocessing
import resource
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pyarrow.parquet as pq
import pytest

from tasks.scan.listing import write_listing
from tasks.scan.stage import scan_batch
from tasks.stage import StageContext
from tasks.wrap.stage import wrap_batch
from tests.wrap_film.conftest import context_for
from tests.wrap_film.pdfs import Page, image, pdf
from tests.wrap_film.test_objects import pil, tiff

MOST_SECONDS = 10.0  # of processor time an item; the machine may have other things to do
MOST_MEMORY = 2**30  # bytes resident at the most, with all libraries
PATIENCE = 120.0  # seconds, for a process that waits instead of working

Ended = tuple[str, str, float]  # outcome, reason, seconds of processor time


def ended(file: Path, folder: Path) -> tuple[list[Ended], int]:
    """Scans and wraps one file; gives how each of its items ended, and the most bytes this process ever had."""
    scans, workspace = folder / "scans", folder / "workspace"
    scans.mkdir(parents=True)
    (scans / file.name).write_bytes(file.read_bytes())
    wrap = context_for(workspace, scans)
    (workspace / "spill").mkdir(parents=True)
    rows = pq.read_table(write_listing(wrap.configuration, workspace / "spill")).to_pylist()
    found: list[Ended] = []
    for outcome in scan_batch(rows, StageContext(wrap.configuration, workspace, "scan")):
        for item in outcome.rows.get("items", ()):
            began, last = time.process_time(), outcome
            if outcome.outcome == "done":
                (last,) = wrap_batch([{**item, "duplicate_of": None}], wrap)
                assert (last.outcome == "done") == ("objects" in last.rows)
            found.append((last.outcome, last.reason, time.process_time() - began))
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


Run = Callable[[Path], list[Ended]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Ends one file after another in the same other process, which must live and keep within the limits."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:

        def one(file: Path) -> list[Ended]:
            found, most = pool.submit(ended, file, tmp_path_factory.mktemp("file")).result(timeout=PATIENCE)
            assert found, "no item"
            for outcome, reason, seconds in found:
                assert outcome in ("done", "review", "quarantined", "excluded")
                assert reason or outcome == "done"
                assert seconds < MOST_SECONDS
            assert most < MOST_MEMORY
            return found

        yield one


@pytest.mark.slow
def test_public_hostile_files(realdata: Path, run: Run) -> None:
    files = sorted(file for file in (realdata / "hostile").rglob("*") if file.is_file())
    failed = []
    for file in files:
        try:
            run(file)
        except AssertionError as error:
            failed.append((file.name, str(error)))
    assert not failed
    assert len(files) > 100


def blanks() -> dict[str, Callable[[], bytes]]:
    """Blank pictures of at most 64 MiB, which are decoded however few bytes they come out of."""
    square, half = (8192, 8191), (8192, 4095)
    gray, word, colour = (lambda: np.zeros(square, np.uint8)), (lambda: np.zeros(half, np.uint16)), (4096, 5461, 3)
    return {
        "a.png": lambda: pil(gray(), "PNG", compress_level=1),
        "word.tif": lambda: tiff(word(), compression="zlib"),
        "lzw.tif": lambda: tiff(gray(), compression="lzw"),
        "fax.tif": lambda: pil(np.zeros(square, bool), "TIFF", compression="group4"),
        "a.jpg": lambda: pil(gray(), "JPEG"),
        "colour.jpg": lambda: pil(np.zeros(colour, np.uint8), "JPEG"),
        "a.jls": lambda: bytes(imagecodecs.jpegls_encode(word())),
        "a.jp2": lambda: bytes(imagecodecs.jpeg2k_encode(gray(), level=0, codecformat="jp2", reversible=True)),
        "a.jxl": lambda: bytes(imagecodecs.jpegxl_encode(word(), effort=3)),
        "a.webp": lambda: bytes(imagecodecs.webp_encode(np.zeros(colour, np.uint8), lossless=True, level=0)),
        "a.bmp": lambda: pil(gray(), "BMP"),
        "a.pgm": lambda: b"P2 8192 4096 9\n" + b"1 " * (8192 * 4096),
        "a.pdf": lambda: pdf(Page(zlib.compress(bytes(8192 * 8191), 1), image(8192, 8191, more="/Filter /FlateDecode"))),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", blanks())
def test_large_blank_pictures_of_few_bytes_keep_within_the_limits(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(blanks()[name]())
    ((outcome, reason, _),) = run(tmp_path / name)
    assert (outcome, reason) == ("done", "")


def png_bomb() -> bytes:
    """A picture of 21,000 x 21,000 in a PNG of the greatest ratio that Deflate has."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer, body = zlib.compressobj(9), io.BytesIO()
    for _ in range(21_000):
        body.write(packer.compress(bytes(21_001)))
    body.write(packer.flush())
    head = struct.pack(">IIBBBBB", 21_000, 21_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body.getvalue()) + chunk(b"IEND", b"")


def jpeg_2000_bomb() -> bytes:
    """A codestream whose header says 21,000 x 21,000."""
    data = bytearray(imagecodecs.jpeg2k_encode(np.zeros((16, 16), np.uint8), level=0, codecformat="j2k", reversible=True))
    for field in (8, 24):  # the size of the picture, and of its one tile (T.800 A.5.1)
        data[field : field + 8] = struct.pack(">II", 21_000, 21_000)
    return bytes(data)


BOMBS: dict[str, Callable[[], bytes]] = {"a.png": png_bomb, "a.j2k": jpeg_2000_bomb}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BOMBS[name]())
    ((outcome, reason, seconds),) = run(tmp_path / name)
    assert outcome == "quarantined" and "bomb" in reason
    assert seconds < 1
