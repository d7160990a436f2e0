"""Overlays in unused bits of the pixels: moved where that loses nothing, as DCMTK shows them before and after."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tasks.wrap.dicom.read import read_object
from tasks.wrap.dicom.settle import settled
from tests.pixels.reference import reference_hash
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.objects import PICTURE, file_bytes, legacy, whole

ROWS, COLUMNS = PICTURE.shape[1:]
RING = np.zeros((ROWS, COLUMNS), np.uint16)
RING[2:9, 3:8] = 1
RING[3:8, 4:7] = 0
CROSS = np.eye(ROWS, COLUMNS, dtype=np.uint16)


def embedded(overlays: dict[int, tuple[int, np.ndarray]], words: np.ndarray = PICTURE, **changed: Any) -> Dataset:
    """A 12-bit picture with overlays by group: the bit that each stands in, and what it shows."""
    words = words.copy()
    for bit, shown in overlays.values():
        words |= shown << bit
    dataset = legacy(words, stored=12)
    for group, (bit, _) in overlays.items():
        dataset.add_new((group, 0x0010), "US", ROWS)
        dataset.add_new((group, 0x0011), "US", COLUMNS)
        dataset.add_new((group, 0x0040), "CS", "G")
        dataset.add_new((group, 0x0050), "SS", [1, 1])
        dataset.add_new((group, 0x0100), "US", 16)
        dataset.add_new((group, 0x0102), "US", bit)
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return dataset


def test_overlays_are_moved_and_look_as_before(take: Take, tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    data = file_bytes(embedded({0x6000: (12, RING), 0x6002: (15, CROSS)}))
    outcome, staging = take(data)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert row["pixel_sha256"] == reference_hash(PICTURE, stored=12)
    got = whole(row, staging)
    for group, shown in ((0x6000, RING), (0x6002, CROSS)):
        assert (got[group, 0x0100].value, got[group, 0x0102].value) == (1, 0)
        np.testing.assert_array_equal(got.overlay_array(group), shown)
    changed = [change["tag"] for change in json.loads(row["source_changes"])]
    assert changed == [f"{group}{element}" for group in ("6000", "6002") for element in ("0100", "0102", "3000")]
    (tmp_path / "before.dcm").write_bytes(data)
    got.save_as(tmp_path / "after.dcm", enforce_file_format=True)
    pictures = {}
    for name in ("before", "after"):
        for option in ("+O", "-O"):
            command = [debian_tool("dcm2pnm"), option, *(["0"] if option == "+O" else []), "--write-raw-pnm", "+Wm"]
            subprocess.run([*command, tmp_path / f"{name}.dcm", tmp_path / "shown.pgm"], check=True, capture_output=True)
            pictures[name, option] = (tmp_path / "shown.pgm").read_bytes()
    assert pictures["before", "+O"] == pictures["after", "+O"] != pictures["after", "-O"]
    assert pictures["before", "-O"] == pictures["after", "-O"]


@pytest.mark.parametrize(
    "dataset",
    [
        embedded({0x6000: (12, RING)}, PICTURE | CROSS << 13),  # bits that no overlay accounts for
        embedded({0x6000: (12, RING)}, PixelRepresentation=1),  # where the sign may fill them
        embedded({0x6000: (12, RING)}, HighBit=12),
        embedded({0x6000: (12, RING)}, BitsStored=13, HighBit=12),  # a bit of the pixels
    ],
)
def test_what_is_not_all_overlays_stays_as_it_is(dataset: Dataset, take: Take) -> None:
    outcome, staging = take(file_bytes(dataset))
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert (staging / row["path"]).read_bytes()[12:] == dataset.PixelData
    assert row["source_changes"] is None


def test_an_overlay_of_another_size_stays_where_it_is(take: Take) -> None:
    dataset = embedded({0x6000: (12, RING)})
    dataset[0x6000, 0x0010].value = ROWS - 1
    outcome, staging = take(file_bytes(dataset))
    assert (staging / outcome.rows["objects"][0]["path"]).read_bytes()[12:] == dataset.PixelData


@given(st.lists(st.integers(0, 65535), min_size=ROWS * COLUMNS, max_size=ROWS * COLUMNS))
def test_put_back_they_make_the_words_that_came(words: list[int]) -> None:
    picture = np.array(words, np.uint16).reshape(1, ROWS, COLUMNS)
    dataset = embedded({0x6000 + 2 * bit: (12 + bit, RING * 0) for bit in range(4)}, picture)
    read = read_object(file_bytes(dataset))
    assert read.pixels is not None
    moved = settled(read, read.pixels)
    assert moved.pixels is not None
    restored = np.frombuffer(moved.pixels.value, "<u2").reshape(ROWS, COLUMNS).copy()
    for bit in range(4):
        restored |= moved.dataset.overlay_array(0x6000 + 2 * bit).astype(np.uint16) << (12 + bit)
    np.testing.assert_array_equal(restored, picture[0])
