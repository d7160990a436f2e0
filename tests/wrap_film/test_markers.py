"""Lead markers: read in all eight ways a film may lie, told from words and bones, never read wrongly."""

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.wrap.film.letters import WAYS
from tasks.wrap.film.markers import Marker, read_markers
from tasks.wrap.film.turn import inverse, permuted


def film(text: str, *, scale: float = 2.0, kind: Any = np.uint8) -> NDArray[Any]:
    """A gray film of 700 x 600 with noise, a bright bone, and `text` of lead drawn by opencv at the upper right."""
    random = np.random.default_rng(4)
    pixels = cv2.GaussianBlur(random.normal(70, 30, (700, 600)), (0, 0), 2).astype(np.float32)
    cv2.line(pixels, (200, 0), (260, 700), 150, 60)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 6)
    lead = np.zeros(pixels.shape, np.uint8)
    cv2.putText(lead, text, (420, 120), cv2.FONT_HERSHEY_DUPLEX, scale, 255, round(3 * scale), cv2.LINE_AA)
    pixels += (235 - pixels) * (lead / 255)
    return np.asarray(np.clip(pixels * (np.iinfo(kind).max / 255), 0, np.iinfo(kind).max), kind)


def lying(upright: NDArray[Any], way: tuple[int, bool]) -> NDArray[Any]:
    """The film as it lies where `way` sets it upright."""
    return np.ascontiguousarray(permuted(upright, *inverse(*way)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("letter", ["L", "R"])
def test_a_letter_is_read_whichever_way_it_lies(letter: str, way: tuple[int, bool]) -> None:
    (marker,) = read_markers(lying(film(letter), way))
    assert (marker.text, marker.turn, marker.mirrored) == (letter, *way)


@pytest.mark.parametrize("way", WAYS)
def test_a_d_is_the_same_upside_down_and_mirrored(way: tuple[int, bool]) -> None:
    (marker,) = read_markers(lying(film("D"), way))
    assert marker.text == "D"
    assert set(marker.ways) == {way, ((180 - way[0]) % 360, not way[1])}
    assert (marker.mirrored, marker.side) == (None, "R")


@pytest.mark.parametrize("way", [(0, False), (270, True)])
def test_dx_is_the_right_side_and_not_a_d_in_a_word(way: tuple[int, bool]) -> None:
    (marker,) = read_markers(lying(film("DX"), way))
    assert (marker.text, marker.side) == ("DX", "R")
    assert way in marker.ways
    assert read_markers(lying(film("XD"), way)) == []


def test_the_box_is_in_pixels_of_the_scan() -> None:
    drawn = film("R")
    (marker,) = read_markers(drawn)
    rows, columns = np.nonzero(drawn[:, 350:] > 200)
    found = (marker.left, marker.top, marker.width, marker.height)
    box = (columns.min() + 350, rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert np.abs(np.subtract(found, box)).max() <= 3


def test_depth_and_colour_make_no_difference() -> None:
    expected = read_markers(film("L"))
    assert [marker.text for marker in expected] == ["L"]
    for pixels in (film("L", kind=np.uint16), film("L", kind=np.uint16) // 16, np.dstack([film("L")] * 3)):
        assert [(marker.text, marker.ways) for marker in read_markers(pixels)] == [("L", ((0, False),))]


@pytest.mark.parametrize("way", [(0, False), (90, True)])
@pytest.mark.parametrize("text", ["DOLL", "PORT", "RR", "A", "7", "B", "8", "O", "T", "V", "K", ""])
def test_words_and_other_signs_are_no_markers(text: str, way: tuple[int, bool]) -> None:
    assert read_markers(lying(film(text, scale=1.5), way)) == []


def test_dark_letters_are_no_lead() -> None:
    assert read_markers(255 - film("R")) == []


def read(file: Path, way: tuple[int, bool]) -> list[Marker]:
    return read_markers(lying(np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)), way))


# Real markers that the list leaves out, seen by eye: (file, text, way).
ALSO = {("figure1/COVID-00031.jpg", "R", (0, False)), ("torchxrayvision_tests/00000001_000.png", "L", (180, True))}


@pytest.mark.slow
def test_real_markers_are_read_and_none_wrongly(realdata: Path) -> None:
    """Each picture in one of the eight ways; `python -m benchmarks.orientation --all --no-labels` lays each in all."""
    folder = realdata / "radiographs"
    with (folder / "markers_truth.csv").open() as lines:
        truth = {row["file"]: row["marker"] for row in csv.DictReader(lines)}
    files = sorted(file for kind in ("*/*.jpg", "*/*.png") for file in folder.glob(kind))
    found, wrong = set(), []
    for number, file in enumerate(files):
        way = WAYS[number % len(WAYS)]
        name = file.relative_to(folder).as_posix()
        for marker in read(file, way):
            if marker.text == truth.get(name) and way in marker.ways:
                found.add(name)
            elif (name, marker.text) not in {(other, text) for other, text, _ in ALSO}:
                wrong.append((name, marker.text))
    assert wrong == []
    assert len(found) >= 0.8 * len(truth)
