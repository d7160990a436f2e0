"""The real films: each becomes a valid object, a second time the same, with the pixels another reader finds in its scan."""

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.pixel_data import decoded_frames
from tasks.wrap.stage import wrap_batch
from tests.wrap_film.conftest import context_for, row_of
from tests.wrap_film.objects import save, whole_object


@pytest.mark.slow
def test_all_films_and_some_twice(realdata: Path, tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    scans = realdata / "films" / "scans"
    rows = [row_of(file) for file in sorted(scans.iterdir())]
    first, second = (context_for(tmp_path / name, scans) for name in ("first", "second"))
    outcomes, again = list(wrap_batch(rows, first)), list(wrap_batch(rows[::-6], second))
    assert outcomes[::-6] == again
    staged = {path.relative_to(first.staging): path.read_bytes() for path in first.staging.rglob("*.pixels")}
    assert (
        staged.items()
        >= {path.relative_to(second.staging): path.read_bytes() for path in second.staging.rglob("*.pixels")}.items()
    )
    assert Counter(outcome.outcome for outcome in outcomes) == {"done": 48}
    for row, outcome in zip(rows, outcomes, strict=True):
        made, *states = outcome.rows["objects"]
        pixels = cv2.imread(str(scans / row["path"]), cv2.IMREAD_UNCHANGED)
        to_turn = made["rotation"] is not None and bool(made["rotation"] or made["mirrored"])
        assert len(states) == (row["path"].endswith(".jpg") and to_turn)
        if made["rotation"] is not None and not row["path"].endswith(".jpg"):
            pixels = np.rot90(np.fliplr(pixels) if made["mirrored"] else pixels, -made["rotation"] // 90)
        np.testing.assert_array_equal(next(decoded_frames(whole_object(made, first.staging))), pixels)
        file = save(made, first.staging, tmp_path / "object.dcm")
        done = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
        assert not [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
