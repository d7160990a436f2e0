"""Each measure of quality against films with a defect planted in them, and against their clean twins."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.schemas import TABLES
from tasks.wrap.film.geometry.film import FilmBounds
from tasks.wrap.film.quality import measure
from tasks.wrap.film.quality.edges import measure_rise
from tasks.wrap.film.quality.lines import count_line_defects
from tasks.wrap.film.quality.noise import measure_noise
from tasks.wrap.film.quality.picture import measure_picture
from tasks.wrap.film.quality.place import measure_place
from tasks.wrap.film.quality.specks import count_marks
from tasks.wrap.film.quality.survey import survey
from tasks.wrap.film.quality.values import measure_values
from tests.wrap_film.synthetic import Film, make_blank, make_film

FULL = 4095
SEEDS = [1, 2, 3, 4]


def column_defects(film: Film, bits: int = 12) -> int:
    return count_line_defects(survey(film, bits).columns, 2**bits - 1)


def row_defects(film: Film, bits: int = 12) -> int:
    return count_line_defects(survey(film, bits).rows, 2**bits - 1)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_film_has_no_defects(seed: int, bits: int) -> None:
    found = measure(make_film(seed, bits=bits), bits)
    defects = ("qc_column_defects", "qc_row_defects", "qc_specks", "qc_scratches", "qc_clipped_low", "qc_clipped_high")
    assert {name: found[name] for name in defects} == dict.fromkeys(defects, 0)
    assert found["qc_blank"] is False
    assert not [name for name in found if name.startswith("qc_wedge")]
    assert set(found) <= set(TABLES["objects"].schema.names)


def dead(film: Film) -> list[int]:
    film[:, 311] = 0
    return [311]


def dead_pair(film: Film) -> list[int]:
    film[:, 640:642] = 0
    return [640, 641]


def stuck(film: Film) -> list[int]:
    film[:, 700] = 2000
    return [700]


def faint(film: Film) -> list[int]:
    film[:, 205] += 20  # 0.5% of the full scale, less than the grain
    return [205]


def low_gain(film: Film) -> list[int]:
    film[:, 420] = film[:, 420] * 0.98
    return [420]


def several(film: Film) -> list[int]:
    at = [100, 333, 334, 500, 777, 901]
    film[:, at] += 30
    return at


@pytest.mark.parametrize("plant", [dead, dead_pair, stuck, faint, low_gain, several])
@pytest.mark.parametrize("seed", SEEDS)
def test_defective_columns_and_rows_are_counted(seed: int, plant: Callable[[Film], list[int]]) -> None:
    film = make_film(seed)
    planted = plant(film)
    assert column_defects(film) == len(planted)
    assert row_defects(film) == 0
    assert row_defects(np.ascontiguousarray(film.T)) == len(planted)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sensor_striped_in_every_second_column_is_seen(seed: int) -> None:
    film = make_film(seed)
    film[:, 1::2] += 30  # 0.7% of the full scale
    assert column_defects(film) > 0.9 * film.shape[1]


CLEAR_OF_EDGES = st.integers(100, 900).filter(lambda column: min(abs(column - 455), abs(column - 545)) > 12)  # of the spine


@settings(deadline=None, max_examples=25)
@given(CLEAR_OF_EDGES, st.integers(24, 400), st.booleans(), st.sampled_from(SEEDS))
def test_a_column_off_by_any_amount_is_one_defect(column: int, amount: int, darker: bool, seed: int) -> None:
    film = make_film(seed).astype(np.int32)
    film[:, column] += -amount if darker else amount
    assert column_defects(film.clip(0, FULL).astype(np.uint16)) == 1


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_line_that_ends_within_the_film_is_no_defect_of_the_sensor(share: float) -> None:
    film = make_film(1)
    film[: int(len(film) * share), 350] += 200
    assert column_defects(film) == 0


def test_straight_edges_along_the_columns_are_no_defects() -> None:
    film = make_film(2)
    film[:, 300:] = np.minimum(film[:, 300:] + 400, FULL)
    sharpened = cv2.filter2D(film, -1, np.array([[-0.3, 1.6, -0.3]])).clip(0, FULL)  # edges that overshoot
    assert column_defects(film) == 0
    assert column_defects(sharpened) == 0


@pytest.mark.parametrize("grain", [0.001, 0.003, 0.01, 0.03])
@pytest.mark.parametrize("seed", SEEDS)
def test_noise_is_the_grain_that_was_planted(seed: int, grain: float) -> None:
    assert measure_noise(make_film(seed, grain=grain), FULL) == pytest.approx(grain, rel=0.05)


def test_a_film_without_noise_or_without_an_unclipped_area_has_no_noise_measure() -> None:
    assert measure_noise(np.full((300, 300), 77, np.uint8), 255) is None
    assert measure_noise(np.full((300, 300), 255, np.uint8), 255) is None


@pytest.mark.parametrize("blur", [0.8, 1.2, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_edge_rise_is_that_of_the_blur(seed: int, blur: float) -> None:
    """A Gaussian's 10 to 90% rise is 2 * 1.2816 standard deviations."""
    assert measure_rise(make_film(seed, blur=blur), FULL) == pytest.approx(2 * 1.2816 * blur, rel=0.12)


def test_edge_rise_does_not_follow_contrast_or_noise() -> None:
    film, noisy = make_film(3, grain=0.002), make_film(3, grain=0.012)
    weak = (film * 0.5 + 500).astype(np.uint16)
    sharp = measure_rise(film, FULL)
    assert measure_rise(weak, FULL) == pytest.approx(sharp, rel=0.05)
    assert measure_rise(noisy, FULL) == pytest.approx(sharp, rel=0.1)
    assert measure_rise(make_blank(3), FULL) is None


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_sharpness_is_the_variance_of_the_whole_films_laplacian(seed: int) -> None:
    film = make_film(seed)
    whole = float(cv2.Laplacian(film.astype(np.float64) / FULL, cv2.CV_64F).var())
    assert survey(film, 12).laplacian_variance == pytest.approx(whole, rel=0.02)


def effective_bits(film: Film, bits: int) -> float:
    return float(measure_values(survey(film, bits), bits)["qc_effective_bits"] or np.nan)


@pytest.mark.parametrize("seed", SEEDS[:2])
def test_effective_bits_are_those_that_carry_something(seed: int) -> None:
    of = {bits: make_film(seed, bits=bits) for bits in (8, 10, 12, 16)}
    for bits, film in of.items():
        assert effective_bits(film, bits) == pytest.approx(bits, abs=0.05)
    wide = of[8].astype(np.uint16)
    stretched = {
        "shifted": (wide << 4, 12),
        "full range": (np.rint(wide * (4095 / 255)).astype(np.uint16), 12),
        "to 16 bits": (wide * 257, 16),
        "through a gamma curve": (np.rint((wide / 255) ** 0.5 * 4095).astype(np.uint16), 12),
    }
    for film, bits in stretched.values():
        assert effective_bits(film, bits) == pytest.approx(8, abs=0.3)
    assert effective_bits(of[10] << 2, 12) == pytest.approx(10, abs=0.05)
    assert effective_bits(of[12] << 4, 16) == pytest.approx(12, abs=0.05)
    assert effective_bits(of[12], 16) == pytest.approx(12, abs=0.05)  # 12 bits in 16
    assert effective_bits(make_blank(seed), 12) == pytest.approx(12, abs=0.05)


def test_clipping_and_range_are_shares() -> None:
    film = make_film(1)
    film[:125] = 0
    film[-250:, :500] = FULL
    found = measure_values(survey(film, 12), 12)
    assert found["qc_clipped_low"] == pytest.approx(0.1)
    assert found["qc_clipped_high"] == pytest.approx(0.1)
    assert found["qc_range"] == 1.0
    flat = np.linspace(1000, 3047, 1250 * 1000).astype(np.uint16).reshape(1250, 1000)
    assert measure_values(survey(flat, 12), 12)["qc_range"] == pytest.approx(0.5 * 0.998, abs=0.001)
    assert measure_values(survey(flat, 12), 12)["qc_entropy"] == pytest.approx(11, abs=0.01)


@pytest.mark.parametrize(("strength", "share"), [(0.15, 0.7), (0.2, 0.75), (0.3, 0.85)])  # some lie on edges
@pytest.mark.parametrize("count", [5, 40])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_dust_is_counted(seed: int, count: int, strength: float, share: float) -> None:
    film = make_film(seed, label=False).astype(np.float32)
    random = np.random.default_rng(seed)
    cells = random.permutation(10 * 8)[:count]
    for number, (row, column) in enumerate(zip(cells // 8 * 110 + 120, cells % 8 * 100 + 130, strict=True)):
        centre = (int(column + random.integers(-30, 30)), int(row + random.integers(-30, 30)))
        spot = np.zeros(film.shape, np.uint8)
        cv2.circle(spot, centre, 1 + number % 2, 1, -1)
        local = film[centre[1], centre[0]]
        film[spot > 0] += strength * FULL * (1 if local < FULL / 2 else -1)
    found = count_marks(film.clip(0, FULL).astype(np.uint16), FULL)
    assert share * count <= found.specks <= count
    assert found.scratches == 0


@pytest.mark.parametrize("angle", [0, 7, 38, 90, 133])
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_a_scratch_is_counted(seed: int, angle: int) -> None:
    film = make_film(seed, label=False)
    ink = np.zeros(film.shape, np.uint8)
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    start, end = (np.array([320, 640]) + side * 110 * along for side in (-1, 1))
    cv2.line(ink, tuple(map(int, start)), tuple(map(int, end)), 255, 1, cv2.LINE_AA)
    film = (film + 0.25 * FULL * (ink / 255)).clip(0, FULL).astype(np.uint16)
    found = count_marks(film, FULL)
    assert found.scratches == 1
    assert found.specks == 0


@pytest.mark.parametrize("level", [0.03, 0.5, 0.9])
def test_blank_and_lead_only_films_are_told_from_pictures(level: float) -> None:
    film = make_blank(1, level)
    assert measure_picture(film).blank
    letter = np.zeros(film.shape, np.uint8)
    cv2.putText(letter, "L", (100, 200), cv2.FONT_HERSHEY_SIMPLEX, 3, 255, 9)
    film[letter > 0] = 4000
    assert measure_picture(film).blank
    hand = make_film(2)
    film[300:600, 300:500] = hand[300:600, 300:500]  # a small picture on a large film
    assert not measure_picture(film).blank


@pytest.mark.parametrize("fall", [0.01, 0.03, 0.06])
def test_nonuniformity_is_that_of_the_shading(fall: float) -> None:
    """A linear fall from 0.5 (1 + f) to 0.5 (1 - f) over the looked-at nine tenths has (max - min) / (max + min) = 0.9 f."""
    film = make_blank(2, 0.5)
    shading = np.linspace(1 + fall, 1 - fall, film.shape[1])
    found = measure_picture(np.rint(film * shading).astype(np.uint16))
    assert found.nonuniformity == pytest.approx(0.9 * fall, abs=0.1 * fall + 0.002)
    assert measure_picture(make_film(2)).nonuniformity is None


def bounds(width: float, height: float, skew: float = 0.0, cut_off: tuple[Any, ...] = ()) -> FilmBounds:
    turn = np.radians(skew)
    across, down = np.array([np.cos(turn), np.sin(turn)]) * width, np.array([-np.sin(turn), np.cos(turn)]) * height
    first = np.array([100.0, 100.0])
    corners = [tuple(map(float, corner)) for corner in (first, first + across, first + across + down, first + down)]
    return FilmBounds(corners=tuple(corners), skew=skew, cut_off=cut_off, unseen=None, extent=(0, 0, 9, 9))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("millimetres", "name"),
    [((350, 430), "35x43 cm"), ((430, 350), "35x43 cm"), ((240, 180), "18x24 cm"), ((355.6, 431.8), "14x17 in")],
)
@pytest.mark.parametrize("scale", [1.0, 1.0015, 0.995])
@pytest.mark.parametrize("skew", [0.0, 2.5])
def test_a_films_size_shows_the_digitizers_scale(
    millimetres: tuple[float, float], name: str, scale: float, skew: float
) -> None:
    width, height = (side / 25.4 * 150 * scale for side in millimetres)
    found = measure_place(bounds(width, height, skew), (150.0, 150.0))
    assert found["qc_skew"] == skew
    assert found["qc_cut_off"] is False
    assert found["qc_film_format"] == name
    assert found["qc_scale_error"] == pytest.approx(scale - 1, abs=2e-4)


def test_what_a_films_edges_do_not_say_stays_empty() -> None:
    square = bounds(1500.0, 1500.0)
    assert "qc_film_format" not in measure_place(square, (150.0, 150.0))
    assert "qc_film_format" not in measure_place(bounds(2067.0, 2539.0), None)
    cut = measure_place(bounds(2067.0, 2539.0, cut_off=("left",)), (150.0, 150.0))
    assert cut == {"qc_skew": 0.0, "qc_cut_off": True}
    assert measure_place(bounds(1.0, 1.0, cut_off=("top", "right", "bottom", "left")), (150.0, 150.0)) == {}
    guessed = replace(bounds(2067.0, 2539.0), unseen="left")
    assert "qc_scale_error" in measure_place(bounds(2067.0, 2539.0), (150.0, 150.0))
    assert "qc_scale_error" not in measure_place(guessed, (150.0, 150.0))
    assert measure_place(None, (150.0, 150.0)) == {}


def test_a_colour_scan_is_measured_as_its_green() -> None:
    film = make_film(1, bits=8)
    assert measure(np.dstack([film // 2, film, film // 3]), 8) == measure(film, 8)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 8, 12, 16]), st.integers(0, 2**32 - 1))
def test_a_picture_of_any_size_is_measured(height: int, width: int, bits: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (height, width)).astype(np.uint8 if bits <= 8 else np.uint16)
    found = measure(pixels, bits)
    assert found["qc_clipped_low"] == np.mean(pixels == 0)
    assert all(value is None or np.isfinite(value) for value in found.values())


_LARGE = """
import resource
import numpy as np
from tasks.wrap.film.quality import measure

film = np.empty((15000, 12000), np.uint16)
for row in range(0, len(film), 100):
    film[row : row + 100] = np.random.default_rng(row).integers(1000, 3000, (100, 12000), dtype=np.uint16)
measure(film[:1000, :1000], 12)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure(film, 12)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / film.nbytes)
"""


@pytest.mark.slow
def test_a_film_of_180_million_pixels_needs_less_than_half_its_size_more() -> None:
    done = subprocess.run([sys.executable, "-c", _LARGE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.5


@pytest.mark.slow
def test_real_films_have_no_defects_that_are_not_there(realdata: Path) -> None:
    """None of these was scanned on a defective sensor, none is scratched or blank, none shows a wedge."""
    for file in sorted((realdata / "films" / "scans").iterdir()):
        pixels = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert pixels is not None
        found = measure(pixels, 8 if pixels.dtype == np.uint8 else 12)
        assert (found["qc_column_defects"], found["qc_row_defects"], found["qc_scratches"]) == (0, 0, 0), file.name
        assert not found["qc_blank"]
        assert "qc_wedge_steps" not in found
