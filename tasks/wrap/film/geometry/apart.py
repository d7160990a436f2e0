"""Whether rectangles on a bed are films that may be cut apart.

Views exposed on one film, or printed on one, can look like films side by side. Nobody lays films down so that they are as
alike, as parallel and as level with each other as a machine makes views on a film; so rectangles that are go to a person. So
does a scan on which something else lies, or whose films lie so askew that the part of one would show a strip of another: that
may be another patient's.
"""

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.geometry.film import FilmBounds

ALIKE = "alike, parallel and level: views on one film, or films?"
SOMETHING_ELSE = "something on the bed is no film that could be made out"
TOO_SMALL = "rectangles that are small for films"
ASKEW = "films that lie too askew or too close to be cut apart straight"

_SAME = 0.005  # how far sizes and places may differ that a machine made, of the longest side
_SAME_PIXELS = 2.0
_PARALLEL = 0.15  # degrees
_LEAST_COVER = 0.2  # of the scan, by all films
_MOST_STRIP = 0.03  # of another film's area, that may show in a part


def doubt_about(films: Sequence[FilmBounds], shape: tuple[int, ...], left_over: int) -> str | None:
    """Why these (two or more) films of a scan (rows x columns) may not be cut apart; `None` where nothing speaks against it.

    `left_over` is how much else lies on the bed, in pixels.
    """
    quads = [np.array(film.corners) for film in films]
    if any(_alike(one, other) for one, other in combinations(films, 2)):
        return ALIKE
    if left_over:
        return SOMETHING_ELSE
    if sum(cv2.contourArea(quad.astype(np.float32)) for quad in quads) < _LEAST_COVER * shape[0] * shape[1]:
        return TOO_SMALL
    strips = (_inside(quads[b], films[a].extent) for a in range(len(films)) for b in range(len(films)) if a != b)
    return ASKEW if any(strip > _MOST_STRIP for strip in strips) else None


def _alike(one: FilmBounds, other: FilmBounds) -> bool:
    """Of one size, parallel, and level in a row or in a column."""
    a, b = np.array(one.corners), np.array(other.corners)
    slack = _SAME * float(np.ptp(a, axis=0).max()) + _SAME_PIXELS
    same_size = np.abs(_sides(a) - _sides(b)).max() <= slack
    angle = np.deg2rad((one.skew + other.skew) / 2)
    across, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    offset = b.mean(axis=0) - a.mean(axis=0)
    return bool(
        same_size and abs(one.skew - other.skew) <= _PARALLEL and min(abs(offset @ across), abs(offset @ down)) <= slack
    )


def _sides(quad: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.hypot(*(np.roll(quad, -1, axis=0) - quad).T))


def _inside(quad: NDArray[np.float64], extent: tuple[int, int, int, int]) -> float:
    """The share of a film that lies in another one's extent."""
    left, top, right, bottom = extent
    box = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    film = quad.astype(np.float32)
    area, _ = cv2.intersectConvexConvex(film, box)
    return float(area) / max(float(cv2.contourArea(film)), 1.0)
