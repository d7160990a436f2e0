"""Whether rectangles on a bed are films that may be cut apart.

Views exposed on one film, or printed on one, can look like films side by side. Nobody lays films down as parallel and as level
with each other as a printer or a lead mask puts views on a film; so rectangles that are go to a person. So
does a scan on which something else lies, or whose films lie so askew that the part of one would show a strip of another: that
may be another patient's.
"""

from collections.abc import Sequence
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.geometry.film import FilmBounds

LEVEL = "parallel and level with each other: views on one film, or films?"
TOUCHING = "films that touch or overlap cannot be told apart"
SOMETHING_ELSE = "something on the bed is no film that could be made out"
ASKEW = "films that lie too askew or too close to be cut apart straight"

_LEVEL = 0.005  # how far ends may lie apart that a machine or a lead mask put level, of the longest side
_LEVEL_PIXELS = 2.0
_PARALLEL = 0.15  # degrees
_MOST_STRIP = 0.01  # of another film's area, that may show in a part


def doubt_about(films: Sequence[FilmBounds], left_over: int) -> str | None:
    """Why these (two or more) films of a scan may not be cut apart; `None` where nothing speaks against it.

    `left_over` is how much else lies on the bed, in pixels.
    """
    if any(_level(one, other) for one, other in combinations(films, 2)):
        return LEVEL
    if left_over:
        return SOMETHING_ELSE
    quads = [np.array(film.corners) for film in films]
    strips = (_inside(quads[b], films[a].extent) for a in range(len(films)) for b in range(len(films)) if a != b)
    return ASKEW if any(strip > _MOST_STRIP for strip in strips) else None


def _level(one: FilmBounds, other: FilmBounds) -> bool:
    """Whether two are parallel and end level with each other, either above and below or to the left and right."""
    angle = np.deg2rad((one.skew + other.skew) / 2)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    apart = np.abs(_ends(np.array(one.corners) @ axes.T) - _ends(np.array(other.corners) @ axes.T))
    slack = _LEVEL * max(one.extent[2] - one.extent[0], one.extent[3] - one.extent[1]) + _LEVEL_PIXELS
    return bool(abs(one.skew - other.skew) <= _PARALLEL and (apart[:2].max() <= slack or apart[2:].max() <= slack))


def _ends(quad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the middles of a film's left, right, top and bottom side lie, each along the axis that it ends."""
    (left, right), (top, bottom) = quad[[[0, 3], [1, 2]], 0].mean(axis=1), quad[[[0, 1], [2, 3]], 1].mean(axis=1)
    return np.array([left, right, top, bottom])


def _inside(quad: NDArray[np.float64], extent: tuple[int, int, int, int]) -> float:
    """The share of a film that lies in another one's extent."""
    left, top, right, bottom = extent
    box = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    film = quad.astype(np.float32)
    area, _ = cv2.intersectConvexConvex(film, box)
    return float(area) / max(float(cv2.contourArea(film)), 1.0)
