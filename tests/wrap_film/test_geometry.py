"""Films on a bed are found where they were laid; one film, and views on one film, are never taken for several."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.wrap.film.geometry import find_films
from tests.wrap_film.beds import Lying, bed_of, compose, furthest, laid_out, synthetic_film

CLOSE = 2.0  # pixels of the scan that a corner may be off where the edges of a film are plain


@pytest.mark.parametrize("kind", ["bright", "dark"])
@pytest.mark.parametrize("skew", [-4.0, 0.0, 1.3])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_film_is_found_to_the_pixel(kind: str, skew: float, bits: int) -> None:
    film = np.clip(synthetic_film(900, 760, 3), 0.15, 0.9)
    scan, (truth,) = compose(bed_of(1040, 900, kind, 1), [Lying(film, 70.4, 60.8, skew)], bits)
    (found,) = find_films(scan, bits).films
    assert furthest(found.corners, truth) < CLOSE
    assert abs(found.skew - skew) < 0.1
    assert (found.cut_off, found.unseen) == ((), None)


@settings(max_examples=20)
@given(scene=st.integers(0, 10**6), kind=st.sampled_from(["bright", "dark"]), count=st.integers(2, 4), data=st.data())
def test_films_in_any_layout_are_all_found(scene: int, kind: str, count: int, data: st.DataObject) -> None:
    across = data.draw(st.integers(1, count))
    most_skew = data.draw(st.sampled_from([0.0, 1.0, 4.0]))
    gap = data.draw(st.integers(8, 60))
    films = [np.clip(synthetic_film(*_size(scene + n), scene + n), 0.15, 0.9) for n in range(count)]
    lying, size = laid_out(films, across, gap, most_skew, scene)
    bed = bed_of(*size, kind, scene, gradient=data.draw(st.sampled_from([0.0, 0.05])))
    scan, truth = compose(bed, lying)
    found = find_films(scan, 8)
    if found.doubt:  # sizes drawn happen to be level to half a percent
        assert "level" in found.doubt and found.films == ()
        return
    assert len(found.films) == count
    for corners in truth:
        assert min(furthest(film.corners, corners) for film in found.films) < 4.0


def _size(seed: int) -> tuple[int, int]:
    height, width = np.random.default_rng(seed).integers(260, 520, 2)
    return int(height), int(width)


@pytest.mark.parametrize("side", ["top", "right", "bottom", "left"])
def test_a_film_that_goes_on_beyond_the_scan_says_at_which_side(side: str) -> None:
    film = np.clip(synthetic_film(700, 600, 5), 0.15, 0.9)
    left, top = {"top": (100, -80), "right": (280, 100), "bottom": (100, 280), "left": (-80, 100)}[side]
    scan, (truth,) = compose(bed_of(900, 800, "bright", 2), [Lying(film, left, top)])
    (found,) = find_films(scan, 8).films
    assert found.cut_off == (side,)
    assert furthest(found.corners, np.clip(truth, 0, (800, 900))) < CLOSE


def test_a_sticker_over_the_edge_belongs_to_the_film_but_moves_no_side() -> None:
    film = np.clip(synthetic_film(700, 600, 5), 0.15, 0.9)
    scan, (truth,) = compose(bed_of(900, 800, "bright", 2), [Lying(film, 100, 100)])
    scan[300:360, 680:740] = 170
    (found,) = find_films(scan, 8).films
    assert furthest(found.corners, truth) < CLOSE
    assert found.extent[2] >= 740


def without_a_bed() -> Iterator[tuple[str, NDArray[Any], int]]:
    film = (synthetic_film(900, 760, 3) * 255).astype(np.uint8)
    yield "the film fills the scan", film, 8
    yield "nothing on a bright bed", (bed_of(900, 760, "bright", 1) * 255).astype(np.uint8), 8
    yield "nothing on a dark bed", (bed_of(900, 760, "dark", 1) * 65535).astype(np.uint16), 16
    yield "one bit", (film > 90).astype(np.uint8), 1
    yield "a few pixels", film[:20, :20], 8
    yield "even", np.full((900, 760), 77, np.uint8), 8
    yield "black", np.zeros((900, 760), np.uint16), 12
    dark = np.full((900, 760), 0.04, np.float32)
    cv2.ellipse(dark, (360, 450), (70, 300), 12, 0, 360, 0.6, -1)  # a limb
    dark[40:130, 40:300] = dark[770:860, 440:720] = 0.9
    yield "labels and a limb on a dark film", (dark * 255).astype(np.uint8), 8
    dark[130:770, 260:470] = 0.04
    yield "labels on a dark film", (dark * 255).astype(np.uint8), 8


@pytest.mark.parametrize(
    ("name", "scan", "bits"), list(without_a_bed()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_scan_without_films_on_a_bed_has_none(name: str, scan: NDArray[Any], bits: int) -> None:
    assert find_films(scan, bits).films == ()


def views_on_one_film(border: float, softness: float, shapes: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[np.float32]:
    """Two exposed fields of so many rows and columns on one film; the edge of a field is so many pixels wide."""
    random = np.random.default_rng(4)
    film = (border + random.normal(0, 0.002, (1100, 1500))).astype(np.float32)
    for (rows, columns), middle in zip(shapes, (390, 1110), strict=True):
        share = np.zeros_like(film)
        share[550 - rows // 2 : 550 + rows // 2, middle - columns // 2 : middle + columns // 2] = 1
        share = cv2.GaussianBlur(share, (0, 0), softness / 2.56) if softness else share
        field = cv2.resize(synthetic_film(rows, columns, rows), (1500, 1100))
        film = film * (1 - share) + np.clip(field, 0.1, 0.85) * share
    return np.clip(film, 0, 1)


EQUAL, UNEQUAL = ((900, 620), (900, 620)), ((900, 620), (760, 500))


@pytest.mark.parametrize(
    ("border", "softness", "shapes"),
    [
        (0.997, 0, EQUAL),  # a lead mask on the cassette; the unexposed border as white as a light table
        (0.997, 0, ((900, 660), (900, 560))),
        (0.997, 10, UNEQUAL),  # collimated by hand: soft edges
        (0.997, 24, EQUAL),
        (0.02, 0, EQUAL),  # printed on one film, its ground black
    ],
)
def test_views_on_a_film_that_fills_the_scan_are_not_films(
    border: float, softness: float, shapes: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    scan = (views_on_one_film(border, softness, shapes) * 255).astype(np.uint8)
    assert find_films(scan, 8).films == ()


@pytest.mark.parametrize("white", [True, False])
def test_a_line_between_two_views_is_no_bed(white: bool) -> None:
    views = [np.clip(synthetic_film(1000, 640, seed), 0.1, 0.9) for seed in (1, 2)]
    line = np.full((1000, 16), float(white), np.float32)
    scan = (np.hstack([views[0], line, views[1]]) * 4095).astype(np.uint16)
    assert find_films(scan, 12).films == ()


@pytest.mark.parametrize("softness", [0, 10])
def test_a_film_of_two_views_on_a_bed_is_one_film(softness: float) -> None:
    film = views_on_one_film(0.93, softness, UNEQUAL)
    scan, (truth,) = compose(bed_of(1300, 1700, "bright", 7), [Lying(film, 90, 80, 1.5)])
    (found,) = find_films(scan, 8).films
    assert furthest(found.corners, truth) < CLOSE


# By eye: every film of the folder that shows the bed on all its sides, all others fill their scan.
ON_A_BED = {
    "J121760_LAT_034", "J159713_LAT_016", "J227598_PA_009", "J322932_PA_007", "J375733_PA_029", "J467142_LAT_018",
    "J467142_PA_017", "J561661_LAT_037", "J574691_AP_006", "J612578_AP_005", "J727072_LAT_032", "J800671_LAT_025",
    "J832337_AP_036", "J882227_LAT_015", "J882227_PA_014", "J966847_AP_023",
}  # fmt: skip


@pytest.mark.slow
def test_real_films_on_a_bed_are_found_and_no_others(realdata: Path) -> None:
    found = {file.stem: find_films(*_read(file)) for file in sorted((realdata / "films" / "scans").iterdir())}
    assert {name for name, films in found.items() if films.films} == ON_A_BED
    assert all(len(films.films) <= 1 and films.doubt is None for films in found.values())


@pytest.mark.slow
def test_no_real_radiograph_is_taken_for_several(realdata: Path) -> None:
    files = [file for file in sorted((realdata / "radiographs").rglob("*")) if file.suffix in (".png", ".jpg")]
    assert len(files) > 40
    for file in files:
        found = find_films(*_read(file))
        assert len(found.films) <= 1 and found.doubt is None, file.name


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "least"), [("bright", 1.0), ("dark", 0.9)])
def test_real_radiographs_laid_on_a_bed_are_all_found(realdata: Path, kind: str, least: float) -> None:
    """Under a dark lid the black of a radiograph can reach and hide two sides of it; then the scan stays whole."""
    files = [file for file in sorted((realdata / "radiographs").rglob("*")) if file.suffix in (".png", ".jpg")]
    whole = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        chosen = random.choice(len(files), int(random.integers(2, 5)), replace=False)
        films = [_as_film(files[number], int(random.integers(500, 900)), kind) for number in chosen]
        lying, size = laid_out(films, int(random.integers(1, 4)), int(random.integers(8, 60)), 3.0, seed)
        scan, truth = compose(bed_of(*size, kind, seed), lying)
        found = find_films(scan, 8)
        assert len(found.films) in (0, len(truth))
        whole += len(found.films) == len(truth) and found.doubt is None
    assert whole >= least * 20


def _read(file: Path) -> tuple[NDArray[Any], int]:
    pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels, 8 * pixels.dtype.itemsize


def _as_film(file: Path, height: int, kind: str) -> NDArray[np.float32]:
    """A radiograph so many rows high; film is never as bright as the table, nor as dark as no light."""
    pixels, _ = _read(file)
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    size = (round(gray.shape[1] * height / gray.shape[0]), height)
    film = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return film * 0.95 if kind == "bright" else film * 0.95 + 0.03
