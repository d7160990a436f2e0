"""What the edges of a film say of the scan: how it lay, whether it is whole, and whether its size is that of a standard film.

Sheets are cut to a tenth of a percent, so a digitizer's true scale shows in the size of the films it scans, where the scan
shows their edges. The nominal sizes are those of ISO 4090; what is sold under one of them may be 1% smaller, so it is the
change over time and the difference between digitizers that tell, not the figure for one film.
"""

from typing import Any

import numpy as np

from tasks.wrap.film.geometry.film import SIDES, FilmBounds

_INCH = 25.4
# Nominal sides in mm, the shorter first.
FORMATS = {
    "18x24 cm": (180.0, 240.0),
    "24x30 cm": (240.0, 300.0),
    "30x40 cm": (300.0, 400.0),
    "35x35 cm": (350.0, 350.0),
    "35x43 cm": (350.0, 430.0),
    "8x10 in": (8 * _INCH, 10 * _INCH),
    "10x12 in": (10 * _INCH, 12 * _INCH),
    "14x17 in": (14 * _INCH, 17 * _INCH),
}
_LIKE = 0.02  # how far each side may be off
_SAME_SHAPE = 0.01  # how far the two sides may disagree about the scale


def measure_place(bounds: FilmBounds | None, dpi: tuple[float, float] | None) -> dict[str, Any]:
    """`qc_skew`, `qc_cut_off`, `qc_film_format` and `qc_scale_error`.

    Takes where the film lies, and the resolution (down, across) in dots per inch. A scan that shows no edge of its film says
    nothing; the format needs all four edges and the resolution.
    """
    if bounds is None or set(bounds.cut_off) == set(SIDES):
        return {}
    facts: dict[str, Any] = {"qc_skew": float(bounds.skew), "qc_cut_off": bool(bounds.cut_off)}
    if dpi and not bounds.cut_off and bounds.unseen is None:
        short, long = sorted(_sides(bounds, dpi))
        for name, (nominal_short, nominal_long) in sorted(FORMATS.items(), key=lambda item: _distance(item[1], short, long)):
            ratios = short / nominal_short - 1, long / nominal_long - 1
            if max(map(abs, ratios)) <= _LIKE and abs(ratios[0] - ratios[1]) <= _SAME_SHAPE:
                return facts | {"qc_film_format": name, "qc_scale_error": sum(ratios) / 2}
    return facts


def _distance(nominal: tuple[float, float], short: float, long: float) -> float:
    return abs(short / nominal[0] - 1) + abs(long / nominal[1] - 1)


def _sides(bounds: FilmBounds, dpi: tuple[float, float]) -> tuple[float, float]:
    """The mean lengths of the two pairs of opposite sides, in mm."""
    corners = np.asarray(bounds.corners) * [_INCH / dpi[1], _INCH / dpi[0]]
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return float(top + bottom) / 2, float(left + right) / 2
