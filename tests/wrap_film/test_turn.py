"""Turns: lossless both ways, said in the header, and shown the right way round by DCMTK where a presentation state has them."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tasks.keys import object_key
from tasks.pixel_data import read_data_set
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.presentation_state import presentation_state
from tasks.wrap.film.turn import TURNS, describe_turn, inverse, turned
from tests.wrap_film.objects import IDENTITY, save
from tests.wrap_film.test_objects import pil, tiff

CREATED = "20210304101500"
WAYS = [(turn, mirrored) for mirrored in (False, True) for turn in TURNS]
CLOCKWISE = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
Wrap = Callable[..., Any]


def by_opencv(pixels: NDArray[Any], turn: int, mirrored: bool) -> NDArray[Any]:
    """What the turn has to give."""
    flipped = cv2.flip(pixels, 1) if mirrored else pixels
    return np.asarray(cv2.rotate(flipped, CLOCKWISE[turn]) if turn else flipped)


def steps() -> NDArray[np.uint8]:
    """A film of which every corner has another value: 40 rows x 60 columns in quarters."""
    return np.kron(np.array([[10, 80], [150, 240]], np.uint8), np.ones((20, 30), np.uint8))


@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=2, max_dims=2))
    ),
    st.sampled_from(WAYS),
)
def test_a_turn_is_opencvs_and_its_inverse_gives_the_scan_back(pixels: NDArray[Any], way: tuple[int, bool]) -> None:
    film = DecodedFilm(pixels, 8 * pixels.dtype.itemsize, "MONOCHROME2", dpi=(150.0, 300.0), turn=90, mirrored=True)
    upright = turned(film, *way)
    assert np.array_equal(upright.pixels, by_opencv(pixels, *way))
    assert upright.dpi == ((300.0, 150.0) if way[0] in (90, 270) else (150.0, 300.0))
    assert (upright.turn, upright.mirrored) == (None, None)
    back = turned(upright, *inverse(*way))
    assert hashlib.sha256(back.pixels.tobytes()).digest() == hashlib.sha256(pixels.tobytes()).digest()
    assert back.pixels.shape == pixels.shape


def test_colour_films_turn_too() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(turned(DecodedFilm(pixels, 8, "RGB"), 270, True).pixels, by_opencv(pixels, 270, True))


def test_a_kept_codestream_is_never_permuted() -> None:
    film = DecodedFilm(np.zeros((2, 2), np.uint8), 8, "MONOCHROME2", codestream=b"\xff\xd8")
    with pytest.raises(ValueError, match="presentation state"):
        turned(film, 90, False)


@pytest.mark.parametrize("turn", [45, -90, 360])
def test_only_quarter_turns_are_turns(turn: int) -> None:
    with pytest.raises(ValueError, match="degrees"):
        turned(DecodedFilm(np.zeros((2, 2), np.uint8), 8, "MONOCHROME2"), turn, False)


def test_the_header_says_what_was_done() -> None:
    dataset = Dataset()
    describe_turn(dataset, 90, True)
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY"]
    assert dataset.DerivationDescription.startswith("Scan mirrored left to right and turned 90 degrees clockwise")
    untouched = Dataset()
    describe_turn(untouched, 0, False)
    assert not untouched


def state_of(row: dict[str, Any], turn: int, mirrored: bool) -> Dataset:
    """The presentation state of a wrapped film, with the patient and study that reconcile adds."""
    header, attributes = read_data_set(row["source_header"]), read_data_set(row["pixel_header"])
    key = object_key(row["item_key"], 2)
    dataset = presentation_state(header, attributes, row["series_instance_uid"], key, turn, mirrored, CREATED)
    for keyword, value in IDENTITY.items():
        setattr(dataset, keyword, value)
    dataset.StudyInstanceUID = row["study_instance_uid"]
    dataset.SeriesInstanceUID = "2.25.4711"
    return dataset


def saved(dataset: Dataset, file: Path) -> Path:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(file, enforce_file_format=True)
    return file


@pytest.mark.parametrize("way", WAYS)
def test_dcmtk_shows_the_film_upright_by_its_presentation_state(
    way: tuple[int, bool], wrap: Wrap, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    upright = steps()
    back = turned(DecodedFilm(upright, 8, "MONOCHROME2"), *inverse(*way)).pixels
    outcome, staging = wrap("a.tif", tiff(back), codec="none")
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    image = save(row, staging, tmp_path / "image.dcm")
    state = saved(state_of(row, *way), tmp_path / "state.dcm")
    shown = tmp_path / "shown.pgm"
    command = [debian_tool("dcmp2pgm"), "-D", "-p", state, image, shown]
    subprocess.run(command, check=True, capture_output=True)
    rendered = cv2.imread(str(shown), cv2.IMREAD_UNCHANGED)
    assert rendered.shape == upright.shape
    quarters = [rendered[:20, :30], rendered[:20, 30:], rendered[20:, :30], rendered[20:, 30:]]
    levels = [int(np.median(quarter)) for quarter in quarters]
    assert levels == sorted(set(levels))  # as in `steps`: darkest at the top left, lightest at the bottom right


@pytest.mark.parametrize("listing", [{"body_part": "CHEST"}, {"body_part": "KNEE", "laterality": "L"}])
@pytest.mark.parametrize("kind", ["gray", "white is zero", "colour", "jpeg"])
def test_a_presentation_state_passes_dciodvfy(
    kind: str, listing: dict[str, str], wrap: Wrap, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    gray, colour = steps(), np.dstack([steps()] * 3)
    name, data = {
        "gray": ("a.tif", tiff(gray)),
        "white is zero": ("a.tif", tiff(gray, photometric="miniswhite")),
        "colour": ("a.tif", tiff(colour, photometric="rgb")),
        "jpeg": ("a.jpg", pil(gray, "JPEG", quality=90)),
    }[kind]
    outcome, _ = wrap(name, data, row={"listing": json.dumps(listing)})
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    file = saved(state_of(row, 90, True), tmp_path / "state.dcm")
    done = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))] == []
    assert saved(state_of(row, 90, True), tmp_path / "again.dcm").read_bytes() == file.read_bytes()
