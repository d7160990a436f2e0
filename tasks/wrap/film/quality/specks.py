"""Dust and scratches: small spots that stand alone, and long thin straight lines, brighter or darker than what is around.

Letters, barcodes, edges and the texture of bone are small and thin too. What has many such marks near it is not counted; nor is
a mark that does not stand out clearly from the ring, or from the two sides, around it.
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
_RING = 12  # reach of the ring around a speck
_SHORTEST_SCRATCH = 0.04  # of the longer side
_WIDEST_SCRATCH = 6.0
_MARGIN = 0.03  # of each side: there lie the edges of films
_BESIDE = np.array([-10, -8, -6, 6, 8, 10])  # where the two sides of a scratch are looked at
_WHOLE = 0.8  # share of a scratch's length that has to stand out
_STATIONS = 60  # places along it that are looked at
_BEND = 2.0  # pixels that its middle may leave a straight line: wires and vessels bend


@dataclass(frozen=True)
class Marks:
    """How many specks and scratches a film has."""

    specks: int
    scratches: int


def count_marks(working: NDArray[Any], full: int) -> Marks:
    """Counts dust and scratches in a film (H x W, uint8 or uint16), at most 7 pixels wide; `full` is the highest value."""
    element = np.ones((_WIDEST, _WIDEST), dtype=np.uint8)
    specks = scratches = 0
    for sign, operation in ((1, cv2.MORPH_TOPHAT), (-1, cv2.MORPH_BLACKHAT)):
        mask = _mask(cv2.morphologyEx(working, operation, element), full)
        outlines = [mark for mark in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0] if len(mark) > 1]
        del mask
        boxes = np.array([cv2.boundingRect(mark) for mark in outlines], dtype=np.int64).reshape(-1, 4)
        wide, high = boxes[:, 2], boxes[:, 3]
        alone = _company(boxes, working.shape) < _COMPANY
        specks += _count_specks(working, boxes[alone & (np.maximum(wide, high) <= _WIDEST)], sign, full)
        long = alone & (np.hypot(wide, high) >= _SHORTEST_SCRATCH * max(working.shape))
        scratches += sum(_is_scratch(working, outlines[at].reshape(-1, 2), sign, full) for at in np.flatnonzero(long))
    return Marks(specks, scratches)


def _mask(residual: NDArray[Any], full: int) -> NDArray[np.uint8]:
    """Where a residual stands out from those around it."""
    height, width = residual.shape
    blocks = cv2.resize(residual, (max(1, width // _BLOCK), max(1, height // _BLOCK)), interpolation=cv2.INTER_AREA)
    limit = np.maximum(blocks.astype(np.float32) * _ABOVE_TEXTURE, _FAINTEST * full).clip(0, full).astype(residual.dtype)
    return np.asarray(residual > cv2.resize(limit, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _centres(boxes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the middles of boxes (left, top, width, height)."""
    return boxes[:, 1] + boxes[:, 3] // 2, boxes[:, 0] + boxes[:, 2] // 2


def _company(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[Any]:
    """How many marks lie in the cells around each mark, itself included."""
    cells = np.zeros((shape[0] // _CELL + 1, shape[1] // _CELL + 1), dtype=np.float32)
    row, column = (middle // _CELL for middle in _centres(boxes))
    np.add.at(cells, (row, column), 1)
    around = cv2.boxFilter(cells, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(around[row, column])


def _count_specks(working: NDArray[Any], boxes: NDArray[np.int64], sign: int, full: int) -> int:
    """How many spots stand out from the ring around them by more than that ring's own range about its plane."""
    row, column = _centres(boxes)
    inside = (row >= _RING) & (row < working.shape[0] - _RING) & (column >= _RING) & (column < working.shape[1] - _RING)
    if not inside.any():
        return 0
    reach = np.arange(-_RING, _RING + 1)
    rows, columns = row[inside, None, None] + reach[:, None], column[inside, None, None] + reach
    patches = sign * working[rows, columns].astype(np.float32)
    away = np.maximum(abs(reach[:, None]), abs(reach))
    core, rim = away <= _WIDEST // 2, away > _WIDEST
    plane = np.stack([np.ones(rim.shape), *np.broadcast_arrays(reach[:, None], reach)], axis=-1).astype(np.float32)
    slopes = patches[:, rim] @ np.linalg.pinv(plane[rim]).T
    patches -= (plane @ slopes.T).transpose(2, 0, 1)
    low, high = np.percentile(patches[:, rim], [2, 98], axis=1)
    above = patches[:, core].max(axis=1) - high
    return int((above > np.maximum(high - low, _FAINTEST * full)).sum())


def _is_scratch(working: NDArray[Any], points: NDArray[np.int32], sign: int, full: int) -> bool:
    """Whether a mark, given by its outline's points (column, row), is straight and stands out from both its sides."""
    size = np.array(working.shape[::-1])  # (column, row), as the points
    if (points.max(axis=0) < _MARGIN * size).any() or (points.min(axis=0) > (1 - _MARGIN) * size).any():
        return False
    centre = points.mean(axis=0)
    _, _, (along, across) = np.linalg.svd(points - centre, full_matrices=False)
    place, offset = (points - centre) @ along, (points - centre) @ across
    if np.ptp(offset) > max(_WIDEST_SCRATCH, 0.03 * np.ptp(place)) or _bend(place, offset) > _BEND:
        return False
    stations = np.linspace(place.min(), place.max(), _STATIONS)[2:-2, None]

    def values(offsets: NDArray[Any]) -> NDArray[Any]:
        at = centre + stations[..., None] * along + offsets[:, None] * across
        column, row = np.rint(at).astype(int).transpose(2, 0, 1)
        line = working[row.clip(0, working.shape[0] - 1), column.clip(0, working.shape[1] - 1)]
        return np.asarray(sign * line.astype(np.int32))

    line = values(np.arange(-3, 4)).max(axis=1)
    beside = values(_BESIDE)
    one, other = (np.median(side, axis=1) for side in np.split(beside, 2, axis=1))
    above = line - (one + other) / 2
    clipped = np.isin(abs(beside), (0, full)).any(axis=1)  # the bed beside a film's edge
    return bool(((above > np.maximum(abs(one - other), _FAINTEST * full)) & ~clipped).mean() >= _WHOLE)


def _bend(place: NDArray[np.float64], offset: NDArray[np.float64]) -> float:
    """How far the middle of a line strays from straight, in pixels, from its means over tenths of its length."""
    tenth = np.minimum((place - place.min()) / (np.ptp(place) + 1e-9) * 10, 9).astype(int)
    counts = np.bincount(tenth, minlength=10)
    return float(np.ptp((np.bincount(tenth, offset, minlength=10) / np.maximum(counts, 1))[counts > 0]))
