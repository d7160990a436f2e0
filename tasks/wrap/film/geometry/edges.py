"""The sides of a film, found to the pixel on the full scan.

Across each side profiles are read from bed to film. The edge of each lies where it has gone half the way from the bed's level to
the film's; a straight line is put through the edges, without those that lie off it. How wide the step is tells a film's cut edge
(a few pixels) from the soft one of a collimated field (a millimetre or two of penumbra) on the same film.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_PROFILES = 96
_ENDS = 0.03  # of a side, next to its corners, left out
_LEAST_PROFILES = 12
_BEYOND = 3  # pixels of the scan read beyond where the edge may be


@dataclass(frozen=True)
class Edge:
    """A side: `normal` (column, row) faces out, `distance` is how far along it the side lies from the scan's origin.

    `width` is how many pixels of the scan the step takes from a fifth to four fifths of its height, in the median.
    """

    normal: NDArray[np.float64]
    distance: float
    width: float


def find_edge(
    gray: NDArray[Any], start: NDArray[np.float64], end: NDArray[np.float64], reach: int, least_step: float
) -> Edge | None:
    """The side between two corners (column, row), the film at its right hand side when going from `start` to `end`.

    `reach` is how far off it may lie in pixels of the scan, `least_step` how much of a step between bed and film counts, in values
    of `gray` (rows x columns, unsigned). `None` where too little of an edge is seen.
    """
    along = (end - start) / np.hypot(*(end - start))
    normal = np.array([along[1], -along[0]])  # faces out
    profiles, places = _profiles(gray, start, end, normal, reach + _BEYOND)
    offsets, widths, good = _steps(profiles, least_step)
    if good.sum() < _LEAST_PROFILES:
        return None
    length = float(np.hypot(*(end - start)))
    slope, offset, kept = _line(places[good] * length, offsets[good] - (reach + _BEYOND))
    if kept.sum() < _LEAST_PROFILES:
        return None
    # The offset runs inwards along the profile, from the line between the corners.
    inwards = -normal
    first, last = start + inwards * offset, end + inwards * (offset + slope * length)
    direction = (last - first) / np.hypot(*(last - first))
    faces = np.array([direction[1], -direction[0]])
    return Edge(faces, float(first @ faces), float(np.median(widths[good][kept])))


def _profiles(
    gray: NDArray[Any], start: NDArray[np.float64], end: NDArray[np.float64], normal: NDArray[np.float64], reach: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Profiles (n x samples, one a pixel) from outside to inside, and where along the side they lie, 0 to 1."""
    places = np.linspace(_ENDS, 1 - _ENDS, _PROFILES)
    middle = start + places[:, None] * (end - start)
    inwards = np.arange(-reach, reach + 1, dtype=np.float64)
    points = middle[:, None, :] - inwards[None, :, None] * normal - 0.5  # from outer corners of pixels to their middles
    left, top = np.floor(points.min(axis=(0, 1))).astype(int) - 1
    right, bottom = np.ceil(points.max(axis=(0, 1))).astype(int) + 2
    rows, columns = gray.shape
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, columns), min(bottom, rows)
    cut = gray[top:bottom, left:right]
    across, down = (points[:, :, axis] - (left, top)[axis] for axis in (0, 1))
    sampled = cv2.remap(
        np.ascontiguousarray(cut, dtype=np.float32), across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    inside = (across >= -0.5) & (across <= cut.shape[1] - 0.5) & (down >= -0.5) & (down <= cut.shape[0] - 0.5)
    return np.asarray(sampled, np.float32), np.where(inside.all(axis=1), places, np.nan)


def _steps(
    profiles: NDArray[np.float32], least_step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Where each profile has gone half the way from bed to film, how wide that step is, and whether there is one."""
    third = profiles.shape[1] // 3
    bed, film = np.median(profiles[:, :third], axis=1), np.median(profiles[:, -third:], axis=1)
    height = film - bed
    good = np.abs(height) >= least_step
    way = (profiles - bed[:, None]) / np.where(good, height, 1.0)[:, None]
    ahead = (way[:, :-2] + way[:, 1:-1] + way[:, 2:]) / 3  # a grain of noise is no edge
    over = (way[:, :-2] >= 0.5) & (ahead >= 0.5)
    first = np.argmax(over, axis=1)
    good &= over.any(axis=1) & (first > 0)
    first = np.maximum(first, 1)
    lines = np.arange(len(way))
    before, after = way[lines, first - 1], way[lines, first]
    half = first - np.clip((after - 0.5) / np.where(after > before, after - before, 1.0), 0.0, 1.0)
    sample = np.arange(way.shape[1])
    low = np.where((way < 0.2) & (sample < first[:, None]), sample, 0).max(axis=1)
    high = np.where((way >= 0.8) & (sample >= first[:, None]), sample, way.shape[1] - 1).min(axis=1)
    return half, (high - low).astype(np.float64), good


def _line(along: NDArray[np.float64], offsets: NDArray[np.float64]) -> tuple[float, float, NDArray[np.bool_]]:
    """Slope and offset of a line through most points, and which."""
    kept = ~np.isnan(along)
    slope, offset = 0.0, float(np.median(offsets[kept])) if kept.any() else 0.0
    for band in (8.0, 4.0, 2.0, 1.5):
        kept = ~np.isnan(along) & (np.abs(offsets - offset - slope * np.nan_to_num(along)) <= band)
        if kept.sum() < _LEAST_PROFILES:
            break
        slope, offset = (float(value) for value in np.polyfit(along[kept], offsets[kept], 1))
    return slope, offset, kept
