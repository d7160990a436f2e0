"""Dust and scratches: small spots that stand alone, and long thin straight lines, brighter or darker than what is around.

Letters, barcodes and the texture of bone are small and thin too, but they stand in company: what has many such marks around it
is not counted.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_WIDEST = 7  # pixels of the working copy: what is wider is part of the picture
_BLOCK = 32
_ABOVE_TEXTURE = 5.0  # times the mean residual around it
_FAINTEST = 0.03  # of the full scale
_CELL = 64
_COMPANY = 6  # marks in the cells around that make it lettering
_SHORTEST_SCRATCH = 0.04  # of the longer side
_WIDEST_SCRATCH = 6.0


@dataclass(frozen=True)
class Marks:
    """How many specks and scratches a film has."""

    specks: int
    scratches: int


def count_marks(working: NDArray[Any], full: int) -> Marks:
    """Counts dust and scratches in a film (H x W, uint8 or uint16), at most 7 pixels wide."""
    element = np.ones((_WIDEST, _WIDEST), dtype=np.uint8)
    specks = scratches = 0
    for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        found = _marks(cv2.morphologyEx(working, operation, element), full)
        specks, scratches = specks + found.specks, scratches + found.scratches
    return Marks(specks, scratches)


def _marks(residual: NDArray[Any], full: int) -> Marks:
    height, width = residual.shape
    blocks = cv2.resize(residual, (max(1, width // _BLOCK), max(1, height // _BLOCK)), interpolation=cv2.INTER_AREA)
    limit = np.maximum(blocks.astype(np.float32) * _ABOVE_TEXTURE, _FAINTEST * full).clip(0, full).astype(residual.dtype)
    mask = (residual > cv2.resize(limit, (width, height), interpolation=cv2.INTER_LINEAR)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    stats = stats[1:]
    wide, high, area = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_AREA]
    real = area >= 2
    alone = _company(stats, real, (height, width)) < _COMPANY
    specks = real & alone & (np.maximum(wide, high) <= _WIDEST)
    length = np.hypot(wide, high)
    long = real & alone & (length >= _SHORTEST_SCRATCH * max(height, width)) & (area <= _WIDEST_SCRATCH * length)
    straight = [index for index in np.flatnonzero(long) if _is_straight(labels, index + 1, stats[index])]
    return Marks(int(specks.sum()), len(straight))


def _company(stats: NDArray[np.int32], real: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """How many marks lie in the cells around each mark, itself included."""
    cells = np.zeros((shape[0] // _CELL + 1, shape[1] // _CELL + 1), dtype=np.float32)
    row = (stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] // 2) // _CELL
    column = (stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH] // 2) // _CELL
    np.add.at(cells, (row[real], column[real]), 1)
    around = cv2.boxFilter(cells, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(around[row, column])


def _is_straight(labels: NDArray[np.int32], label: int, stat: NDArray[np.int32]) -> bool:
    left, top, width, height = stat[: cv2.CC_STAT_AREA]
    points = cv2.findNonZero((labels[top : top + height, left : left + width] == label).astype(np.uint8))
    _, (one, other), _ = cv2.minAreaRect(points)
    return bool(min(one, other) <= max(_WIDEST_SCRATCH, 0.03 * max(one, other)))
