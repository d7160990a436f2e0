"""From a scan to its objects: several films on one bed, a decided turn in the pixels or beside them."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tasks.pixel_data import decoded_frames, read_data_set
from tests.wrap_film.beds import Lying, bed_of, compose, laid_out, synthetic_film
from tests.wrap_film.objects import whole_object
from tests.wrap_film.test_objects import picture, pil

Wrap = Callable[..., Any]


def tiff(pixels: NDArray[Any], **tags: Any) -> bytes:
    data = io.BytesIO()
    tifffile.imwrite(data, pixels, resolution=(150, 150), resolutionunit="INCH", **tags)
    return data.getvalue()


def test_each_film_that_lies_apart_is_an_object_with_the_pixels_of_its_place(wrap: Wrap) -> None:
    films = [np.clip(synthetic_film(800, 420, 1), 0.15, 0.9), np.clip(synthetic_film(560, 600, 2), 0.15, 0.9)]
    lying, size = laid_out(films, 2, 120, 2.0, 3)
    scan, truth = compose(bed_of(*size, "bright", 3), lying)
    outcome, staging = wrap("a.tif", tiff(scan))
    assert outcome.outcome == "done", outcome.reason
    rows = outcome.rows["objects"]
    assert len(rows) == len({row["object_key"] for row in rows}) == len({row["sop_instance_uid"] for row in rows}) == 2
    for row, corners in zip(rows, truth, strict=True):
        dataset = whole_object(row, staging)
        (left, top), (right, bottom) = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
        cut = next(decoded_frames(dataset))
        assert cut.shape[0] >= bottom - top and cut.shape[1] >= right - left
        columns, lines = (part.split(" to ") for part in _places(dataset.DerivationDescription))
        place = np.s_[int(lines[0]) - 1 : int(lines[1]), int(columns[0]) - 1 : int(columns[1])]
        np.testing.assert_array_equal(cut, scan[place])
        assert place[0].start <= top and place[0].stop >= bottom and place[1].start <= left and place[1].stop >= right
        assert len(json.loads(row["film_bounds"])["films"]) == 2


def _places(description: str) -> tuple[str, str]:
    said = description.split(": ", 1)[1].split(", ")
    return said[0].removeprefix("columns "), said[1].removeprefix("rows ")


def test_films_that_touch_stay_one_object_with_the_doubt(wrap: Wrap) -> None:
    films = [np.clip(synthetic_film(800, 420, 1), 0.15, 0.9), np.clip(synthetic_film(600, 400, 2), 0.15, 0.9)]
    scan, _ = compose(bed_of(940, 960, "bright", 1), [Lying(films[0], 60, 60), Lying(films[1], 480, 160)])
    outcome, staging = wrap("a.tif", tiff(scan))
    (row,) = outcome.rows["objects"]
    np.testing.assert_array_equal(next(decoded_frames(whole_object(row, staging))), scan)
    assert json.loads(row["film_bounds"])["doubt"]


@pytest.mark.parametrize("tag", [3, 6, 8])
def test_a_turn_that_the_file_states_is_done_in_the_pixels(tag: int, wrap: Wrap) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (300, 240), np.uint8)
    outcome, staging = wrap("a.tif", tiff(pixels, extratags=[(274, "H", 1, tag, True)]))
    (row,) = outcome.rows["objects"]
    dataset = whole_object(row, staging)
    shown = next(decoded_frames(dataset))
    np.testing.assert_array_equal(shown, np.rot90(pixels, {3: 2, 6: 3, 8: 1}[tag]))  # TIFF 6.0, Orientation
    assert row["rotation"] == {3: 180, 6: 90, 8: 270}[tag]
    assert (row["rows"], row["columns"]) == shown.shape
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY"]


def test_a_jpeg_is_turned_by_a_presentation_state_beside_it(wrap: Wrap, tmp_path: Path) -> None:
    data = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    pixels = np.random.default_rng(2).integers(0, 255, (300, 240), np.uint8)
    Image.fromarray(pixels).save(data, "JPEG", exif=exif, quality=90)
    outcome, staging = wrap("a.jpg", data.getvalue())
    film, state = outcome.rows["objects"]
    assert film["transfer_syntax_uid"] == "1.2.840.10008.1.2.4.50"
    assert list(whole_object(film, staging).ImageType) == ["ORIGINAL", "SECONDARY"]
    assert (state.get("path"), state.get("pixel_sha256"), state["modality"]) == (None, None, "PR")
    header = read_data_set(state["source_header"])
    assert (header.ImageRotation, header.ImageHorizontalFlip) == (90, "N")
    (series,) = header.ReferencedSeriesSequence
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == film["sop_instance_uid"]
    assert state["object_key"] != film["object_key"]
    assert not [name for name in state if name.startswith("qc_")]  # the film's measures count once
    assert (header.PresentationCreationDate, header.PresentationCreationTime) == ("", "")  # no clock in what wrap makes


@pytest.mark.parametrize(
    ("listing", "kept"),
    [
        ({"modality": "MG"}, True),
        ({"body_part": "BREAST"}, True),
        ({"modality": "RG", "body_part": "CHEST"}, False),
        ({}, False),
    ],
)
def test_the_film_of_a_mammogram_has_to_be_kept(listing: dict[str, str], kept: bool, wrap: Wrap) -> None:
    outcome, _ = wrap("a.png", pil(picture(8), "PNG"), row={"listing": json.dumps(listing)})
    (row,) = outcome.rows["objects"]
    assert row["original_to_keep"] is kept
