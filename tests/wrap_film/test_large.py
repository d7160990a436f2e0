"""Large films wrap within three times their size in memory: label reading, measures, encoding and proof, the whole stage.

Peak memory is that of the process (VmHWM, proc(5)), which wraps a small film first, so that the engines that read labels are
loaded. They and the interpreter take some 200 MiB that have nothing to do with a film; of a mammogram they are left out.
"""

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tasks.wrap.stage import wrap_batch
from tests.pixels.reference import JPEG_LS
from tests.wrap_film.conftest import context_for, row_of

MEBIBYTE = 2**20
MAMMOGRAM, STRESS = (4784, 6064), (17300, 17340)  # 29 and 300 million pixels


@dataclass(frozen=True)
class Wrapped:
    """How a film was wrapped: memory in bytes before it and at its peak, and what its row says."""

    before: int
    peak: int
    outcome: str
    transfer_syntax: str
    pixel_sha256: str
    staged: int


def make_film(file: Path, rows: int, columns: int) -> str:
    """Writes an uncompressed TIFF of 12 bits in 16, soft shapes with grain, strip by strip; gives its pixel hash."""
    film = tifffile.memmap(
        file, shape=(rows, columns), dtype="<u2", photometric="minisblack", resolution=(508, 508), resolutionunit="INCH"
    )
    digest = hashlib.sha256(f"{rows}\\{columns}\\1\\16\\0\\MONOCHROME2\\1\n".encode())
    grain = np.random.default_rng(0).normal(2000, 14, (256, columns)).astype(np.float32)
    across = np.cos(np.arange(columns, dtype=np.float32) / 700)
    for start in range(0, rows, 256):
        down = np.sin(np.arange(start, min(start + 256, rows), dtype=np.float32) / 900)
        strip = (1500 * down[:, None] * across + np.roll(grain, start, axis=1)[: len(down)]).astype("<u2")
        film[start : start + 256] = strip
        digest.update(strip)
    film.flush()
    return digest.hexdigest()


def memory(of: str) -> int:
    """Bytes of this process that are (`VmRSS`) or were at most (`VmHWM`) in memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{of}:")[1].split()[0]) * 1024


def wrap(film: Path, small: Path, workspace: Path) -> Wrapped:
    """Wraps a film as a run does, after a small one, in a process of its own."""
    context = context_for(workspace, film.parent)
    list(wrap_batch([row_of(small)], context))
    row = row_of(film)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: row_of has read the file
    before = memory("VmRSS")
    (outcome,) = wrap_batch([row], context)
    written = outcome.rows["objects"][0]
    return Wrapped(
        before, memory("VmHWM"), outcome.outcome, written["transfer_syntax_uid"], written["pixel_sha256"], written["bytes"]
    )


def wrapped_apart(folder: Path, shape: tuple[int, int]) -> Wrapped:
    """Makes a film and wraps it in another process; nothing large stays on the disk."""
    film, small = folder / "film.tif", folder / "small.tif"
    pixel_sha256 = make_film(film, *shape)
    make_film(small, 600, 500)
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            wrapped = apart.submit(wrap, film, small, folder / "workspace").result()
    finally:
        film.unlink()
        for staged in (folder / "workspace").rglob("*.pixels"):
            staged.unlink()
    assert (wrapped.outcome, wrapped.transfer_syntax, wrapped.pixel_sha256) == ("done", JPEG_LS, pixel_sha256)
    assert wrapped.staged < shape[0] * shape[1] * 2
    return wrapped


@pytest.mark.slow
def test_a_mammogram_takes_three_times_its_size_beside_what_every_film_takes(tmp_path: Path) -> None:
    wrapped = wrapped_apart(tmp_path, MAMMOGRAM)
    size = MAMMOGRAM[0] * MAMMOGRAM[1] * 2
    assert wrapped.peak - wrapped.before <= 3 * size, f"{(wrapped.peak - wrapped.before) // MEBIBYTE} MiB"


@pytest.mark.slow
def test_three_hundred_million_pixels_take_three_times_their_size(tmp_path: Path) -> None:
    wrapped = wrapped_apart(tmp_path, STRESS)
    assert wrapped.peak <= 3 * STRESS[0] * STRESS[1] * 2, f"{wrapped.peak // MEBIBYTE} MiB"
