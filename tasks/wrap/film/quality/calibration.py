"""Reads a step wedge, makes the digitizer's calibration of it, and holds it against the limits of the configuration.

The patches are read in the scan's own pixels. Their known densities give the calibration: which density a pixel value means.
A digitizer whose values are proportional to density (or to transmittance, as configured) shows a straight line; how far it
strays from the best one is its non-linearity. Limits and wedge are `[wrap.wedge]`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.configuration import Wedge
from tasks.wrap.film.quality.wedge import Staircase, find_wedge

_INNER = 0.25  # of a patch's width on each side of its middle is read
_TOLD_APART = 5.0  # standard errors between two patches
_LEAST_APART = 0.25  # pixel values between two patches
_MOST_STEPS = 64


@dataclass(frozen=True)
class Calibration:
    """What a wedge says of its digitizer.

    `steps` patches were told apart. `curve` are (mean pixel value, density in OD) from the clearest patch on; `nonlinearity` is
    the largest distance from the best straight line as a share of the line's range, `noise` that of the noisiest patch in OD,
    `most_density` the highest density told from the one before, in OD. All but `steps` are empty or `None` where the wedge
    has more steps than the configuration knows densities of, or where it cannot be said which steps are missing.
    """

    steps: int
    curve: tuple[tuple[float, float], ...] = ()
    nonlinearity: float | None = None
    noise: float | None = None
    most_density: float | None = None

    def passes(self, limits: Wedge) -> bool:
        """Whether all steps are there and within the limits."""
        return (
            self.steps == len(limits.known)
            and self.nonlinearity is not None
            and self.nonlinearity <= limits.most_nonlinearity
            and self.noise is not None
            and self.noise <= limits.most_noise
            and self.most_density is not None
            and self.most_density >= min(limits.least_density, limits.known[-1])
        )


@dataclass(frozen=True)
class _Patch:
    mean: float
    deviation: float
    pixels: int
    outside: float | None  # mean of what lies beside the strip here; of a wedge that fills the scan's width nothing does


def measure_wedge(gray: NDArray[Any], full: int, wedge: Wedge, *, bright_is_clear: bool) -> dict[str, Any]:
    """The `qc_wedge_*` columns; none where the scan shows no wedge. See `calibrate` for the arguments."""
    staircase = find_wedge(gray, full)
    if staircase is None:
        return {}
    found = calibrate(gray, full, staircase, wedge, bright_is_clear=bright_is_clear)
    return {
        "qc_wedge_steps": found.steps,
        "qc_wedge_nonlinearity": found.nonlinearity,
        "qc_wedge_noise": found.noise,
        "qc_wedge_density": found.most_density,
        "qc_wedge_curve": json.dumps(found.curve) if found.curve else None,
        "qc_wedge_passed": found.passes(wedge),
    }


def calibrate(gray: NDArray[Any], full: int, staircase: Staircase, wedge: Wedge, *, bright_is_clear: bool) -> Calibration:
    """Reads the wedge in a scan (H x W, uint8 or uint16; `full` is the highest value).

    `bright_is_clear` is false where high values are dark (MONOCHROME1).
    """
    patches = _chosen(_patches(gray, staircase), len(wedge.known))
    if (patches[0].mean < patches[-1].mean) == bright_is_clear:
        patches = patches[::-1]
    densities = _densities(patches, full, wedge)
    if densities is None:
        return Calibration(len(patches))
    values = np.array([patch.mean for patch in patches])
    fitted = np.array(densities) if wedge.response == "density" else 10 ** -np.array(densities)
    line = np.polyval(np.polyfit(fitted, values, 1), fitted)
    slope = abs(np.gradient(values, np.array(densities)))
    noise = np.array([patch.deviation for patch in patches]) / np.maximum(slope, 1e-12)
    return Calibration(
        len(patches),
        tuple((round(float(value), 2), round(density, 4)) for value, density in zip(values, densities, strict=True)),
        float(abs(values - line).max() / abs(line[-1] - line[0])),
        float(noise.max()),
        densities[-1],
    )


def _patches(gray: NDArray[Any], staircase: Staircase) -> list[_Patch]:
    """The patches between the steps found, and those beyond them that are told apart from the last one still."""
    picture = gray if staircase.across else gray.T
    inner = [patch for number in range(1, staircase.edges) if (patch := _read(picture, staircase, number))]
    sign = np.sign(inner[-1].mean - inner[0].mean)
    before = _further(picture, staircase, inner[0], range(0, -_MOST_STEPS, -1), -sign)
    after = _further(picture, staircase, inner[-1], range(staircase.edges, staircase.edges + _MOST_STEPS), sign)
    return before[::-1] + inner + after


def _further(picture: NDArray[Any], staircase: Staircase, last: _Patch, numbers: range, sign: float) -> list[_Patch]:
    found: list[_Patch] = []
    for number in numbers:
        patch = _read(picture, staircase, number)
        if patch is None or not _apart(last, patch, sign):
            break
        found.append(patch)
        last = patch
    return found


def _apart(one: _Patch, other: _Patch, sign: float) -> bool:
    error = np.sqrt(one.deviation**2 / one.pixels + other.deviation**2 / other.pixels)
    return bool(sign * (other.mean - one.mean) > max(_LEAST_APART, _TOLD_APART * error))


def _read(picture: NDArray[Any], staircase: Staircase, number: int) -> _Patch | None:
    """The patch between step `number - 1` and step `number`; `None` where it is not whole in the scan."""
    parts = []
    for top, bottom, start in staircase.bands:
        middle = start + (number - 0.5) * staircase.width
        left, right = (round(middle + side * _INNER * staircase.width) for side in (-1, 1))
        if middle - 0.45 * staircase.width < 0 or middle + 0.45 * staircase.width > picture.shape[1]:
            return None
        parts.append(picture[top:bottom, left:right].astype(np.float64))
    means = np.array([part.mean() for part in parts])
    deviation = float(np.sqrt(np.mean([part.var() for part in parts])))
    return _Patch(float(means.mean()), deviation, sum(part.size for part in parts), _outside(picture, staircase, number))


def _outside(picture: NDArray[Any], staircase: Staircase, number: int) -> float | None:
    """Mean of what lies above and below the strip, clear of its rim, at a patch."""
    (top, end, first), (_, bottom, last) = staircase.bands[0], staircase.bands[-1]
    depth = end - top
    values = []
    for line, start in ((top - 4 * depth, first), (bottom + 3 * depth, last)):
        middle = start + (number - 0.5) * staircase.width
        left, right = (round(middle + side * _INNER * staircase.width) for side in (-1, 1))
        if line >= 0 and line + depth <= picture.shape[0]:
            values.append(picture[line : line + depth, max(left, 0) : right].mean())
    return float(np.mean(values)) if values else None


def _chosen(patches: list[_Patch], known: int) -> list[_Patch]:
    """The patches without the ground at either end that was taken for one.

    The first and last step may well be as dark as the ground; so ground is left in where that gives the number known.
    """
    front, back = (len(list(takewhile(_is_ground, line))) for line in (patches, patches[::-1]))
    if front + back >= len(patches):
        return patches
    cuts = [(cut, len(patches) - known - cut) for cut in range(front + 1) if 0 <= len(patches) - known - cut <= back]
    first, last = cuts[0] if len(cuts) == 1 else (front, back)
    return patches[first : len(patches) - last]


def _is_ground(patch: _Patch) -> bool:
    return patch.outside is not None and abs(patch.outside - patch.mean) < max(2.0, 4 * patch.deviation)


def _densities(patches: Sequence[_Patch], full: int, wedge: Wedge) -> tuple[float, ...] | None:
    """The density of each patch; `None` where that is not sure."""
    known = wedge.known
    if len(patches) > len(known):
        return None
    if len(patches) == len(known):
        return known
    is_clipped = min(patches[0].mean, full - patches[0].mean) < 0.002 * full
    return None if is_clipped else known[: len(patches)]
