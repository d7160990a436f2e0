"""Orientation: decided from evidence that agrees, never mirrored by anatomy, and left open in doubt."""

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from tasks.wrap.film.anatomy import chest_turn
from tasks.wrap.film.letters import WAYS
from tasks.wrap.film.markers import Marker
from tasks.wrap.film.orientation import decide_orientation
from tasks.wrap.film.text import LabelText, TextLine
from tasks.wrap.film.turn import inverse, permuted

NO_CHEST = np.random.default_rng(3).integers(0, 256, (300, 200), np.uint8)


def label(text: str, turn: int = 0, mirrored: bool = False, confidence: float = 0.95) -> LabelText:
    line = TextLine(tuple((word, confidence) for word in text.split()))
    return LabelText((line,), (line,), mirrored, turn)


def marker(text: str, turn: int = 0, mirrored: bool = False, left: int = 150, top: int = 20) -> Marker:
    ways = ((turn, mirrored), ((180 - turn) % 360, not mirrored)) if text == "D" else ((turn, mirrored),)
    return Marker(text, left, top, 12, 16, ways, 0.99)


def lying(upright: NDArray[Any], way: tuple[int, bool]) -> NDArray[Any]:
    return np.ascontiguousarray(permuted(upright, *inverse(*way)))


@pytest.mark.parametrize("way", WAYS)
def test_a_label_and_a_marker_that_stand_alike_decide(way: tuple[int, bool]) -> None:
    found = decide_orientation(NO_CHEST, [label("KEELER GEORGE", *way)], [marker("R", *way)], None, None)
    assert (found.turn, found.mirrored, found.patient_orientation) == (*way, "")


def test_a_label_alone_says_which_way_letters_run_and_nothing_of_the_film() -> None:
    found = decide_orientation(NO_CHEST, [label("KEELER GEORGE", 90, True)], [], None, None)
    assert (found.turn, found.mirrored) == (None, True)
    assert "any way" in found.evidence


@pytest.mark.parametrize(
    ("labels", "markers"),
    [
        ([label("KEELER GEORGE", 90)], [marker("R", 0)]),
        ([label("KEELER GEORGE", 0, True)], [marker("R", 0, False)]),
        ([label("KEELER GEORGE"), label("GENERAL PRESBYTERIAN", 180)], [marker("L")]),
        ([], [marker("L", 90)]),
        ([], []),
    ],
)
def test_evidence_that_is_too_little_or_contradicts_itself_turns_nothing(
    labels: list[LabelText], markers: list[Marker]
) -> None:
    found = decide_orientation(NO_CHEST, labels, markers, None, None)
    assert found.turn is None
    assert found.evidence.startswith("turn not decided")


def test_letters_that_contradict_each_other_mirror_nothing() -> None:
    found = decide_orientation(NO_CHEST, [label("KEELER GEORGE", 0, True)], [marker("R", 0, False)], None, None)
    assert found.mirrored is None
    assert "contradictory" in found.evidence


@pytest.mark.parametrize("text", ["TOMATO AVA OTTO", "MAXIMUM 1801 HIT", "ABLE"])
def test_words_that_read_the_same_in_a_mirror_or_are_few_do_not_tell(text: str) -> None:
    assert decide_orientation(NO_CHEST, [label(text)], [], None, None).mirrored is None


def test_words_read_without_certainty_do_not_tell() -> None:
    assert decide_orientation(NO_CHEST, [label("KEELER GEORGE", confidence=0.5)], [], None, None).mirrored is None


def test_a_d_settles_nothing_by_itself_and_all_beside_a_label() -> None:
    assert decide_orientation(NO_CHEST, [], [marker("D")], None, None).mirrored is None
    found = decide_orientation(NO_CHEST, [label("KEELER GEORGE")], [marker("D")], None, None)
    assert (found.turn, found.mirrored) == (0, False)


def test_the_files_tag_counts_unless_letters_contradict_it() -> None:
    assert decide_orientation(NO_CHEST, [], [], 90, False).turn == 90
    assert decide_orientation(NO_CHEST, [], [], 90, False).mirrored is None
    assert decide_orientation(NO_CHEST, [], [], 0, False).turn is None
    letters = [label("KEELER GEORGE")], [marker("R")]
    assert decide_orientation(NO_CHEST, *letters, 90, False).turn is None


@pytest.fixture(scope="module")
def chest(realdata: Path) -> NDArray[Any]:
    """A frontal chest that the model was not trained with."""
    folder = realdata / "dicom" / "torchxrayvision"
    (file,) = folder.glob("1.2.276*.dcm")
    return np.asarray(pydicom.dcmread(file).pixel_array)


@pytest.mark.parametrize("way", WAYS)
def test_a_chest_is_turned_whichever_way_it_lies_and_never_mirrored(chest: NDArray[Any], way: tuple[int, bool]) -> None:
    film = lying(chest, way)
    found = decide_orientation(film, [], [], None, None)
    assert found.mirrored is None
    assert found.turn == (-way[0] % 360 if way[1] else way[0])  # as it lies: its top comes up, its sides stay
    lettered = decide_orientation(film, [label("KEELER GEORGE", *way)], [], None, None)
    assert (lettered.turn, lettered.mirrored) == way


def test_a_label_stuck_on_sideways_does_not_turn_a_chest(chest: NDArray[Any]) -> None:
    found = decide_orientation(chest, [label("KEELER GEORGE", 270)], [], None, None)
    assert (found.turn, found.mirrored) == (0, False)


@pytest.mark.parametrize(
    ("text", "share", "expected"), [("L", 0.9, "L\\F"), ("R", 0.1, "L\\F"), ("R", 0.9, ""), ("L", 0.5, "")]
)
def test_a_marker_on_its_side_gives_patient_orientation(chest: NDArray[Any], text: str, share: float, expected: str) -> None:
    place = marker(text, left=int(share * chest.shape[1]), top=50)
    labels = [label("KEELER GEORGE")]
    assert decide_orientation(chest, labels, [place], None, None).patient_orientation == expected
    lateral = [*labels, label("CHEST LATERAL")]
    assert decide_orientation(chest, lateral, [place], None, None).patient_orientation == ""


def test_only_chests_are_turned_by_anatomy(realdata: Path) -> None:
    """The model was trained with these; `python -m benchmarks.chest` measures it on collections held out."""
    folder = realdata / "radiographs"
    with (folder / "bodypart_truth.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    decided = 0
    for number, row in enumerate(rows):
        way = WAYS[number % 4]
        found = chest_turn(lying(cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE), way))
        assert found in ((None, way[0]) if row["body_part"] == "CHEST" else (None,)), row["file"]
        decided += found is not None
    assert decided >= 0.9 * sum(row["body_part"] == "CHEST" for row in rows)
