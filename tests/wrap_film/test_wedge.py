"""The step wedge: found wherever it lies, read, and the gate it makes for a digitizer."""

import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.configuration import Wedge
from tasks.wrap.film.quality.calibration import measure_wedge
from tasks.wrap.film.quality.wedge import find_wedge
from tests.wrap_film.synthetic import Film, make_film, make_wedge, to_values

FULL = 4095
KNOWN = np.array(Wedge().known)  # 0.05 to 3.05 OD in 21 steps, such as the usual photographic wedge
TOP = 3.4  # the density at which a digitizer of these tests gives 0


def levels(densities: NDArray[np.float64] = KNOWN, bend: Callable[[NDArray[np.float64]], Any] = lambda share: 0) -> list[float]:
    """What a digitizer makes of densities: linear in density, but for what `bend` adds (of the range, at 0..1 of it)."""
    share = (densities - densities[0]) / (densities[-1] - densities[0])
    range_ = (densities[-1] - densities[0]) / TOP
    return list(1 - densities[0] / TOP - range_ * (share + bend(share)))


def scan(values: list[float], *, turn: int = 0, ground: float = 0.3, noise: float = 0.004, bits: int = 12, **size: int) -> Film:
    """A wedge with these levels on a ground, quarter turned."""
    strip = make_wedge(values, noise=noise, **size)
    picture = np.random.default_rng(7).normal(ground, noise, (1100, 1500)).astype(np.float32)
    picture[330 : 330 + strip.shape[0], 210 : 210 + strip.shape[1]] = strip
    return np.ascontiguousarray(np.rot90(to_values(picture, bits), turn))


def measured(film: Film, wedge: Wedge | None = None, full: int = FULL, *, bright_is_clear: bool = True) -> dict[str, Any]:
    return measure_wedge(film, full, wedge or Wedge(), bright_is_clear=bright_is_clear)


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("ground", [0.02, 0.3, 0.99])
@pytest.mark.parametrize(("steps", "width"), [(11, 60), (15, 30), (21, 40), (31, 36)])
def test_a_wedge_is_found_in_any_direction(steps: int, width: int, ground: float, turn: int) -> None:
    densities = np.linspace(0.05, 3.05, steps)
    wedge = Wedge(densities=tuple(map(float, densities)))
    found = measured(scan(levels(densities), turn=turn, ground=ground, width=width), wedge)
    assert found["qc_wedge_steps"] == steps
    assert found["qc_wedge_passed"] is True
    curve = np.array(json.loads(found["qc_wedge_curve"]))
    np.testing.assert_allclose(curve[:, 1], densities, atol=1e-4)
    np.testing.assert_allclose(curve[:, 0], np.array(levels(densities)) * FULL, atol=3)


def bow(share: NDArray[np.float64]) -> Any:
    return 0.05 * 4 * share * (1 - share)


def wave(share: NDArray[np.float64]) -> Any:
    return 0.05 * np.sin(2 * np.pi * share)


def shoulder(share: NDArray[np.float64]) -> Any:
    return np.where(share > 0.75, -0.2 * (share - 0.75), 0)  # 5% at the dark end


def sag(share: NDArray[np.float64]) -> Any:
    return -bow(share)


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("noise", [0.0, 0.002, 0.006])
def test_the_gate_passes_a_clean_digitizer_and_fails_one_with_5_percent_of_nonlinearity(noise: float, turn: int) -> None:
    clean = measured(scan(levels(), noise=noise, turn=turn))
    assert clean["qc_wedge_passed"] is True
    assert clean["qc_wedge_nonlinearity"] < 0.002
    for bend in (bow, wave, shoulder, sag):
        bent = measured(scan(levels(bend=bend), noise=noise, turn=turn))
        assert bent["qc_wedge_steps"] == 21
        assert bent["qc_wedge_passed"] is False, bend.__name__
        assert 0.02 < bent["qc_wedge_nonlinearity"] <= 0.06


@settings(deadline=None, max_examples=15)
@given(st.floats(-0.08, 0.08))
def test_nonlinearity_is_the_distance_from_the_best_line(amount: float) -> None:
    found = measured(scan(levels(bend=lambda share: amount * 4 * share * (1 - share)), noise=0.001))
    share = np.linspace(0, 1, 21)
    values = -(share + amount * 4 * share * (1 - share))
    line = np.polyval(np.polyfit(share, values, 1), share)
    assert found["qc_wedge_nonlinearity"] == pytest.approx(float(abs(values - line).max()), abs=0.001)


def test_a_digitizer_that_is_linear_in_transmittance_is_judged_so() -> None:
    densities = np.linspace(0.05, 1.55, 11)
    film = scan(list(10**-densities * 0.95), noise=0.001)
    known = tuple(map(float, densities))
    assert measured(film, Wedge(densities=known, response="transmittance"))["qc_wedge_passed"] is True
    assert measured(film, Wedge(densities=known))["qc_wedge_passed"] is False


def test_noise_is_in_optical_density_and_has_a_limit() -> None:
    """A noise of s of the scale is s times 3.4 OD."""
    found = measured(scan(levels(), noise=0.01))
    assert found["qc_wedge_noise"] == pytest.approx(0.034, rel=0.1)
    assert found["qc_wedge_passed"] is True
    noisy = measured(scan(levels(), noise=0.02))
    assert noisy["qc_wedge_noise"] == pytest.approx(0.068, rel=0.1)
    assert noisy["qc_wedge_passed"] is False


def test_a_digitizer_that_is_blind_above_some_density_fails() -> None:
    seen = np.minimum(KNOWN, 2.3)
    found = measured(scan([1 - density / TOP for density in seen]))
    assert found["qc_wedge_passed"] is False
    assert found["qc_wedge_steps"] == 16
    assert found["qc_wedge_density"] == pytest.approx(2.3)
    bright = measured(scan([1 - max(density - 0.7, 0) / 2.4 for density in KNOWN]))
    assert bright["qc_wedge_passed"] is False
    assert bright["qc_wedge_density"] is None  # which steps are missing cannot be said: the clear end is clipped


def test_another_wedge_than_the_configured_one_gives_no_calibration() -> None:
    found = measured(scan(levels(np.linspace(0.05, 3.05, 31)), width=30))
    assert found["qc_wedge_steps"] == 31
    assert (found["qc_wedge_curve"], found["qc_wedge_nonlinearity"]) == (None, None)
    assert found["qc_wedge_passed"] is False


def test_a_negative_scan_is_read_the_other_way_round() -> None:
    film = (FULL - scan(levels(bend=bow))).astype(np.uint16)
    found = measured(film, bright_is_clear=False)
    assert found["qc_wedge_nonlinearity"] == pytest.approx(measured(scan(levels(bend=bow)))["qc_wedge_nonlinearity"], abs=1e-3)
    assert json.loads(found["qc_wedge_curve"])[0][0] < json.loads(found["qc_wedge_curve"])[-1][0]


@pytest.mark.parametrize("angle", [-2.0, 1.0, 2.0])
def test_a_wedge_that_lies_askew_is_read(angle: float) -> None:
    film = scan(levels())
    turn = cv2.getRotationMatrix2D((750, 550), angle, 1.0)
    turned = cv2.warpAffine(film, turn, (1500, 1100), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = measured(turned)
    assert found["qc_wedge_steps"] == 21
    assert found["qc_wedge_passed"] is True


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_wedge_beside_anatomy_and_in_8_bits_is_read(seed: int) -> None:
    film = make_film(seed, bits=8, shape=(1250, 1200), label=False)
    strip = to_values(make_wedge(levels(), width=40, height=120), 8)
    film[1050:1170, 200 : 200 + strip.shape[1]] = strip
    found = measured(film, full=255)
    assert found["qc_wedge_steps"] == 21
    assert found["qc_wedge_passed"] is True


def test_a_large_scan_is_read_at_its_own_resolution() -> None:
    strip = make_wedge(levels(), width=120, height=500)
    picture = np.random.default_rng(7).normal(0.3, 0.004, (3600, 3000)).astype(np.float32)
    picture[900:1400, 240 : 240 + strip.shape[1]] = strip
    assert measured(to_values(picture, 12))["qc_wedge_passed"] is True


def stripes() -> NDArray[np.float64]:
    return np.repeat(np.tile([0.2, 0.8], 12), 40)


def ramp() -> NDArray[np.float64]:
    return np.linspace(0.1, 0.9, 1000)


def coarse_ramp() -> NDArray[np.float64]:
    return np.round(np.linspace(0.4, 0.52, 1000) * 255) / 255  # an 8-bit fall of light: even steps of one value


def uneven() -> NDArray[np.float64]:
    return np.repeat(np.linspace(0.1, 0.9, 14), [20, 70, 30, 90, 25, 60, 110, 30, 75, 22, 95, 40, 66, 51])


def sloping() -> NDArray[np.float64]:
    return np.tile(np.linspace(0, 0.1, 60), 14) + np.repeat(np.linspace(0, 0.5, 14), 60)


@pytest.mark.parametrize("profile", [stripes, ramp, coarse_ramp, uneven, sloping])
def test_what_is_no_wedge_is_not_taken_for_one(profile: Callable[[], NDArray[np.float64]]) -> None:
    row = profile()
    picture = np.full((900, len(row) + 200), 0.5, np.float32)
    picture[300:500, 100 : 100 + len(row)] = row
    assert find_wedge(to_values(picture, 12), FULL) is None


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_films_show_no_wedge(seed: int) -> None:
    assert find_wedge(make_film(seed, shape=(800, 700)), FULL) is None
