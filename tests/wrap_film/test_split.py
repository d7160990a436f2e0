"""Parts of a scan hold every pixel of their film, as it was, and say where they come from."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import JPEGBaseline8Bit, SecondaryCaptureImageStorage

from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.geometry import FilmBounds, Found, Part, describe_split, find_films, split
from tests.wrap_film.beds import Lying, bed_of, compose, laid_out, synthetic_film
from tests.wrap_film.objects import whole_object

SCAN = "2.25.7"


def _film(seed: int) -> Any:
    height, width = np.random.default_rng(seed).integers(260, 520, 2)
    return np.clip(synthetic_film(int(height), int(width), seed), 0.15, 0.9)


@settings(max_examples=15)
@given(
    scene=st.integers(0, 10**6), kind=st.sampled_from(["bright", "dark"]), count=st.integers(2, 4), across=st.integers(1, 4),
    gap=st.integers(8, 60), bits=st.sampled_from([8, 12, 16]),
)  # fmt: skip
def test_no_pixel_of_a_film_is_lost(scene: int, kind: str, count: int, across: int, gap: int, bits: int) -> None:
    lying, size = laid_out([_film(scene + n) for n in range(count)], across, gap, 3.0, scene)
    scan, truth = compose(bed_of(*size, kind, scene), lying, bits)
    found = find_films(scan, bits)
    if found.doubt:
        return
    parts = split(DecodedFilm(scan, bits, "MONOCHROME2"), found.films)
    owner = np.zeros(scan.shape, np.int32)
    for number, part in enumerate(parts, start=1):
        place = (slice(part.top, part.top + part.height), slice(part.left, part.left + part.width))
        assert np.array_equal(part.film.pixels, scan[place])
        assert not owner[place].any()
        owner[place] = number
    owners = []
    for corners in truth:
        whole = cv2.fillConvexPoly(np.zeros(scan.shape, np.uint8), np.round(corners - 0.5).astype(np.int32), 1)
        (its,) = set(owner[whole > 0].tolist())  # all of a film in one part
        owners.append(its)
    assert sorted(owners) == list(range(1, count + 1))


@given(
    lefts=st.lists(st.integers(1, 60), min_size=2, max_size=5), gaps=st.lists(st.integers(0, 9), min_size=5, max_size=5),
    tops=st.lists(st.integers(0, 40), min_size=5, max_size=5), unseen=st.sampled_from([None, "left", "right", "top"]),
    turned=st.booleans(),
)  # fmt: skip
def test_margins_never_reach_another_film(
    lefts: list[int], gaps: list[int], tops: list[int], unseen: Any, turned: bool
) -> None:
    extents, left = [], 3
    for width, gap, top in zip(lefts, gaps, tops, strict=False):
        extents.append((left, top, left + width, top + 50))
        left += width + gap
    shape = (100, left + 5)
    if turned:
        extents, shape = [(top, left, bottom, right) for left, top, right, bottom in extents], (shape[1], shape[0])
    corner = ((0.0, 0.0),) * 4
    bounds = [FilmBounds(corner, 0.0, (), unseen, extent) for extent in extents]
    parts = split(DecodedFilm(np.zeros(shape, np.uint8), 8, "MONOCHROME2"), bounds)
    covered = np.zeros(shape, np.int32)
    for part, (first, above, last, below) in zip(parts, extents, strict=True):
        assert part.film.pixels.shape == (part.height, part.width)
        assert part.left <= first and part.top <= above
        assert part.left + part.width >= last and part.top + part.height >= below
        covered[part.top : part.top + part.height, part.left : part.left + part.width] += 1
    assert covered.max() == 1


def test_a_part_of_a_jpeg_keeps_what_was_lossy_and_not_its_compressed_data() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    scan = DecodedFilm(
        pixels, 8, "YBR_FULL_422", dpi=(150.0, 150.0), codestream=b"x", transfer_syntax=JPEGBaseline8Bit, ratio=9.5
    )
    (part,) = split(scan, [FilmBounds(((0.0, 0.0),) * 4, 0.0, (), None, (20, 10, 90, 80))])
    assert (part.film.codestream, part.film.transfer_syntax, part.film.photometric) == (None, None, "RGB")
    assert (part.film.ratio, part.film.method, part.film.dpi) == (9.5, "ISO_10918_1", (150.0, 150.0))


def test_films_are_not_cut_apart_where_a_part_would_show_another_film() -> None:
    """Films that lie turned and close: the upright rectangle of the one holds a strip of the other."""
    films = [np.clip(synthetic_film(800, 420, 1), 0.15, 0.9), np.clip(synthetic_film(700, 400, 2), 0.15, 0.9)]
    scan, _ = compose(bed_of(950, 1000, "bright", 1), [Lying(films[0], 80, 60, 7.0), Lying(films[1], 545, 80, 7.0)])
    found = find_films(scan, 8)
    assert len(found.films) == 2 and "askew" in (found.doubt or "")


def test_films_are_not_cut_apart_where_something_else_lies_beside_them() -> None:
    films = [np.clip(synthetic_film(800, 420, 1), 0.15, 0.9), np.clip(synthetic_film(700, 400, 2), 0.15, 0.9)]
    scan, _ = compose(bed_of(1250, 1000, "bright", 1), [Lying(films[0], 40, 40, 1.0), Lying(films[1], 520, 60)])
    assert find_films(scan, 8) == Found(find_films(scan, 8).films) and len(find_films(scan, 8).films) == 2
    cv2.circle(scan, (500, 1050), 90, 60, -1)
    found = find_films(scan, 8)
    assert len(found.films) == 2 and "no film" in (found.doubt or "")


@pytest.mark.parametrize("kind", ["bright", "dark"])
@pytest.mark.parametrize(("left", "top"), [(480, 60), (480, 160), (440, 160)])
def test_films_that_touch_or_overlap_are_told_to_a_person(kind: str, left: int, top: int) -> None:
    films = [np.clip(synthetic_film(800, 420, 1), 0.15, 0.9), np.clip(synthetic_film(600, 400, 2), 0.15, 0.9)]
    scan, _ = compose(bed_of(940, 960, kind, 1), [Lying(films[0], 60, 60), Lying(films[1], left, top)])
    found = find_films(scan, 8)
    assert found.films == () and "touch" in (found.doubt or "")


def test_a_part_says_where_it_comes_from(wrap: Callable[..., Any], tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    scan = (np.clip(synthetic_film(150, 190, 1), 0, 1) * 255).astype(np.uint8)
    part = Part(DecodedFilm(scan[10:90, 20:140], 8, "MONOCHROME2"), left=20, top=10, width=120, height=80)
    buffer = io.BytesIO()
    Image.fromarray(part.film.pixels).save(buffer, "PNG")
    outcome, staging = wrap("part.png", buffer.getvalue())
    dataset: Dataset = whole_object(outcome.rows["objects"][0], staging)
    describe_split(dataset, (SecondaryCaptureImageStorage, SCAN), part, 2, 3)
    dataset.save_as(tmp_path / "part.dcm", enforce_file_format=True)

    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY"]
    assert dataset.DerivationDescription.startswith("Film 2 of 3 on one scan: columns 21 to 140, rows 11 to 90")
    (source,) = dataset.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == SCAN
    (purpose,) = source.PurposeOfReferenceCodeSequence
    expected = codes.cid7202.SourceImageForImageProcessingOperation  # PS3.16 as pydicom has it
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning) == (
        expected.value, expected.scheme_designator, expected.meaning,
    )  # fmt: skip
    done = subprocess.run([debian_tool("dciodvfy"), "-new", tmp_path / "part.dcm"], capture_output=True, text=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))]
    assert [line for line in complaints if not line.startswith("Warning - </Laterality(0020,0060)>")] == []
