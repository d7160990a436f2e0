"""The sides of a film, found to the pixel on the full scan.

Across each side profiles are read from bed to film, each the mean of some lines beside each other. The edge of a profile is
where it leaves the level of the bed, nearest to where the side is thought to be; a straight line is put through the edges,
without those that lie off it.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_PROFILES, _LINES = 96, 5
_ENDS = 0.03  # of a side, next to its corners, left out
_LEAST_PROFILES = 12
_BEYOND = 4  # pixels of the scan read beyond where the edge may be
_LEFT = 0.2  # a profile has left the bed when it has gone so much of the way to the film
_MOST_FOR_OPENCV = 2**15 - 1  # rows or columns that cv2.remap takes
_BANDS = (8.0, 4.0, 2.0, 1.5)  # pixels of the scan that edges may lie off the line, time after time


@dataclass(frozen=True)
class Ground:
    """What the bed is like beside a side: its level and how far its pixels lie off that, in values of the scan."""

    level: float
    tolerance: float
    bright: bool


@dataclass(frozen=True)
class Edge:
    """A side: `normal` (column, row) faces out, `distance` is how far along it the side lies from the scan's origin."""

    normal: NDArray[np.float64]
    distance: float


def find_edge(
    gray: NDArray[Any], start: NDArray[np.float64], end: NDArray[np.float64], reach: int, ground: Ground
) -> Edge | None:
    """The side from one corner (column, row) to the next one clockwise; `None` where too little of an edge is seen.

    `gray` is the scan (rows x columns, unsigned); the side may lie `reach` pixels of it off the line between the corners.
    """
    if max(gray.shape) >= _MOST_FOR_OPENCV:
        return None
    length = float(np.hypot(*(end - start)))
    along = (end - start) / length
    inwards = np.array([-along[1], along[0]])
    places = np.linspace(_ENDS, 1 - _ENDS, _PROFILES) * length
    depth = _profiles(gray, start + places[:, None] * along, along, inwards, reach + _BEYOND) - ground.level
    edges = _edges(-depth if ground.bright else depth, ground.tolerance) - (reach + _BEYOND)
    line = _line(places, edges)
    if line is None:
        return None
    slope, offset = line
    first, last = start + inwards * offset, end + inwards * (offset + slope * length)
    direction = (last - first) / np.hypot(*(last - first))
    normal = np.array([direction[1], -direction[0]])
    return Edge(normal, float(first @ normal))


def _profiles(
    gray: NDArray[Any], middles: NDArray[np.float64], along: NDArray[np.float64], inwards: NDArray[np.float64], reach: int
) -> NDArray[np.float32]:
    """Profiles (n x samples, one a pixel) from `reach` outside to `reach` inside; NaN beyond the edge of the scan."""
    across = np.arange(-reach, reach + 1, dtype=np.float64)[None, None, :, None] * inwards
    beside = np.arange(-(_LINES // 2), _LINES // 2 + 1, dtype=np.float64)[None, :, None, None] * along
    points = middles[:, None, None, :] + across + beside - 0.5  # from outer corners of pixels to their middles
    left, top = (max(0, int(value)) for value in np.floor(points.min(axis=(0, 1, 2))))
    right, bottom = (int(value) + 2 for value in np.ceil(points.max(axis=(0, 1, 2))))
    cut = np.ascontiguousarray(gray[top:bottom, left:right], np.float32)
    columns, rows = ((points[..., axis] - (left, top)[axis]).astype(np.float32) for axis in (0, 1))
    flat = (_PROFILES, -1)
    sampled = cv2.remap(
        cut, columns.reshape(flat), rows.reshape(flat), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=np.nan
    )
    return np.asarray(sampled.reshape(columns.shape).mean(axis=1), np.float32)


def _edges(depth: NDArray[np.float32], tolerance: float) -> NDArray[np.float64]:
    """Where each profile leaves the bed, in samples from its start; NaN where none does.

    `depth` is how far samples lie off the bed towards film.
    """
    known = np.nan_to_num(depth, nan=0.0)
    height = np.median(known[:, -(depth.shape[1] // 3) :], axis=1)
    limit = np.maximum(tolerance, _LEFT * height)[:, None]
    film = known > limit
    leaves = ~film[:, :-2] & film[:, 1:-1] & film[:, 2:] & (height > 2 * tolerance)[:, None]
    offset = np.abs(np.arange(leaves.shape[1]) + 0.5 - depth.shape[1] // 2)
    last = np.argmin(np.where(leaves, offset, np.inf), axis=1)
    lines = np.arange(len(depth))
    before, after = known[lines, last], known[lines, last + 1]
    fraction = (limit[:, 0] - before) / np.where(after > before, after - before, 1.0)
    return np.where(leaves.any(axis=1), last + np.clip(fraction, 0.0, 1.0), np.nan)


def _line(along: NDArray[np.float64], across: NDArray[np.float64]) -> tuple[float, float] | None:
    """Slope and offset of the line that most points lie on."""
    seen = ~np.isnan(across)
    if seen.sum() < _LEAST_PROFILES:
        return None
    along, across = along[seen], across[seen]
    slope, offset = 0.0, float(np.median(across))
    for band in _BANDS:
        kept = np.abs(across - offset - slope * along) <= band
        if kept.sum() < _LEAST_PROFILES:
            return None
        slope, offset = (float(value) for value in np.polyfit(along[kept], across[kept], 1))
    return slope, offset
