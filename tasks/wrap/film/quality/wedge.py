"""Finds a step wedge in a scan: a strip of even patches of one width, each darker than the one before.

The picture is cut into thin bands, in each direction. Where a band crosses a wedge, its mean profile is a staircase: steps all
the same way, at even distances, flat in between. No anatomy is. Neighbouring bands that see the same staircase are one wedge.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.quality.survey import working_copy

_COARSE_PIXELS = 2_000_000
_BANDS = (100, 33)  # thin ones for a narrow or skew wedge, broad ones for a noisy one
_FEWEST_EDGES = 10  # eleven patches
_NARROWEST = 6.0  # pixels of the coarse copy
_LEAST_RANGE = 0.2  # of the full scale, from the first patch to the last
_CLEAR = 7.0  # times the median of the profile's slope
_FAINTEST = 0.004  # of the full scale
_EVEN_SPACING = 0.12  # of the width of a step
_FLAT = 0.25  # of the smaller step beside a patch


@dataclass(frozen=True)
class Staircase:
    """A wedge as found, in pixels of the scan: `edges` steps, the first at `start`, each `width` further.

    `across` says that the steps follow each other along a row (else down a column). `bands` are (first, last exclusive, start):
    the lines of the picture that cross it, in parts, with the place of the first step in each, since a wedge may lie askew.
    """

    across: bool
    edges: int
    width: float
    bands: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class _Run:
    band: int
    sign: int
    start: float
    width: float
    edges: int


def find_wedge(gray: NDArray[Any], full: int) -> Staircase | None:
    """The staircase with the most steps in a scan (H x W, uint8 or uint16); `full` is the highest value."""
    coarse, factor = working_copy(gray, _COARSE_PIXELS)
    found = [
        staircase
        for across, picture in ((True, coarse), (False, coarse.T))
        for bands in _BANDS
        for staircase in _staircases(picture, bands, factor, full, across)
    ]
    return max(found, key=lambda staircase: (staircase.edges, len(staircase.bands)), default=None)


def _staircases(picture: NDArray[Any], bands: int, factor: int, full: int, across: bool) -> list[Staircase]:
    height = max(4, picture.shape[0] // bands)
    count = picture.shape[0] // height
    if not count or picture.shape[1] < _FEWEST_EDGES * _NARROWEST:
        return []
    profiles = picture[: count * height].reshape(count, height, -1).mean(axis=1, dtype=np.float32) / np.float32(full)
    runs = [run for band in range(count) if (run := _longest_run(band, profiles[band]))]
    return [_staircase(group, height, factor, across) for group in _groups(runs) if len(group) > 1]


def _groups(runs: list[_Run]) -> list[list[_Run]]:
    """Runs of neighbouring bands that are one wedge's."""
    groups: list[list[_Run]] = []
    for run in runs:
        last = groups[-1][-1] if groups else None
        same = (
            last
            and run.band == last.band + 1
            and (run.sign, run.edges) == (last.sign, last.edges)
            and abs(run.width - last.width) < 0.05 * run.width
            and abs(run.start - last.start) < 0.3 * run.width
        )
        if same:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _staircase(group: list[_Run], height: int, factor: int, across: bool) -> Staircase:
    inner = group[1:-1] if len(group) > 3 else group  # the outer ones may lie partly beside it
    width = float(np.median([run.width for run in group])) * factor
    bands = tuple((run.band * height * factor, (run.band + 1) * height * factor, run.start * factor) for run in inner)
    return Staircase(across, group[0].edges, width, bands)


def _longest_run(band: int, profile: NDArray[np.float32]) -> _Run | None:
    """The longest run of clear steps the same way, evenly spaced, with flat patches between them."""
    places, signs = _steps(profile)
    best: _Run | None = None
    first = 0
    while first + _FEWEST_EDGES <= len(places):
        last = _end_of_run(places, signs, first)
        if last - first + 1 >= max(_FEWEST_EDGES, best.edges + 1 if best else 0):
            width, start = np.polyfit(np.arange(last - first + 1), places[first : last + 1], 1)
            run = _Run(band, int(signs[first]), float(start), float(width), last - first + 1)
            best = run if _is_staircase(profile, run) else best
        first = max(last, first + 1)
    return best


def _steps(profile: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Places (between pixels, from the left edge of the first) and signs of the clear steps in a profile."""
    slope = profile[4:] - profile[:-4]
    strength = abs(slope)
    padded = np.pad(strength, 3)
    highest = np.max([padded[at : at + len(strength)] for at in range(7)], axis=0)
    clear = (strength == highest) & (strength > max(_FAINTEST, _CLEAR * float(np.median(strength))))
    peaks = np.flatnonzero(clear)
    peaks = peaks[np.insert(np.diff(peaks) > 3, 0, True)] if len(peaks) else peaks
    near = np.clip(peaks[:, None] + np.arange(-3, 4), 0, len(strength) - 1)
    weight = strength[near] + 1e-12
    return (near * weight).sum(axis=1) / weight.sum(axis=1) + 2.5, np.sign(slope[peaks])


def _end_of_run(places: NDArray[np.float64], signs: NDArray[np.float32], first: int) -> int:
    """The last of the steps from `first` on that go the same way at even distances."""
    width = places[first + 1] - places[first]
    last = first
    while last + 1 < len(places) and signs[last + 1] == signs[first] and width >= _NARROWEST:
        if abs(places[last + 1] - places[last] - width) > max(1.5, _EVEN_SPACING * width):
            break
        last += 1
        width = (places[last] - places[first]) / (last - first)
    return last


def _is_staircase(profile: NDArray[np.float32], run: _Run) -> bool:
    """Whether the patches between the steps are flat, and the whole spans a range that chance does not."""
    centres = run.start + (np.arange(run.edges - 1) + 0.5) * run.width
    offsets = np.linspace(-0.3, 0.3, 9) * run.width
    samples = profile[np.clip((centres[:, None] + offsets).astype(int), 0, len(profile) - 1)]
    means = samples.mean(axis=1)
    steps = run.sign * np.diff(means)
    if (steps <= 0).any() or abs(means[-1] - means[0]) < _LEAST_RANGE:
        return False
    beside = np.minimum(np.append(steps, steps[-1]), np.insert(steps, 0, steps[0]))
    trend = abs(samples[:, -3:].mean(axis=1) - samples[:, :3].mean(axis=1))
    return bool((trend < np.maximum(_FLAT * beside, _FAINTEST)).mean() > 0.9)
