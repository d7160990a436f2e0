"""Full-column and full-row defects: a dead, stuck or striped element of the sensor draws a line through the whole scan.

A line of a defect stands out from both its neighbours, to the same side, in nearly every part of its length. The edge of a
film, a label or a collimator stands out from one of them only, and a bone is not that long. Every line is held against its own
spread along its length, so that a sensor of which every second element is off is seen as well as one of which one is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SURE = 8.0  # standard errors of the median, where most parts agree; half of it where nearly all do
_MOSTLY = 0.9  # of the parts to the same side
_EVERYWHERE = 0.95  # of 32 parts, 31: by chance in one line of 60 million
_DARKEST = 0.02  # of the full scale: an element may be off by an amount, or by a share of the level; this is the least level
_FAINTEST = 0.0005  # of the full scale: two values of 12 bits
_FEWEST_SEGMENTS = 8
_BOTH_SIDES = 0.6  # of the amount, at least, that it stands out from either neighbour: not so the edge of something
_WIDEST = 2  # elements side by side; what is wider may be in the picture
_MARGIN = 0.01  # of the width: along its edges a scan has lines of its own, and nothing that is looked at


def count_line_defects(profiles: NDArray[np.float32], full: int) -> int:
    """Counts the defective lines.

    `profiles` is S x N: the mean of each of N lines in each of S parts of its length, in pixel values; `full` is the highest
    pixel value. Parts where a neighbour is clipped say nothing. The outermost hundredth on each side is not judged.
    """
    scaled = profiles / np.float32(full)
    spoilt = (scaled < 0.002) | (scaled > 0.998)
    defective = np.zeros(scaled.shape[1], dtype=bool)
    for width in range(1, _WIDEST + 1):
        for start in np.flatnonzero(_stand_out(scaled, spoilt, width)):
            defective[start + 1 : start + 1 + width] = True
    margin = max(1, round(_MARGIN * len(defective)))
    return int(defective[margin:-margin].sum())


def _stand_out(scaled: NDArray[np.float32], spoilt: NDArray[Any], width: int) -> NDArray[Any]:
    """Whether the `width` lines after each line stand out from the lines on both sides of them."""
    count = scaled.shape[1] - width - 1
    if count < 1:
        return np.zeros(0, dtype=bool)
    before, after = scaled[:, :count], scaled[:, width + 1 :]
    inner = [scaled[:, 1 + at : 1 + at + count] for at in range(width)]
    middle = sum(inner[1:], inner[0]) / np.float32(width)
    unknown = spoilt[:, :count] | spoilt[:, width + 1 :]
    left, right = (np.where(unknown, np.float32(np.nan), middle - side) for side in (before, after))
    known = (~unknown).sum(axis=0)
    (from_left, _), (from_right, _) = _median(left, known), _median(right, known)
    # Half way between the neighbours, since what is there of the picture may rise or fall across the line.
    stands = np.asarray((left + right) / 2, dtype=np.float32)
    amount, _ = _median(stands, known)
    level = np.maximum((before + after) / 2, np.float32(_DARKEST))
    found = (abs(amount) > _FAINTEST) & (_is_sure(stands, known) | _is_sure(np.divide(stands, level, dtype=np.float32), known))
    found &= np.minimum(from_left * np.sign(amount), from_right * np.sign(amount)) > _BOTH_SIDES * abs(amount)
    found &= ~_echoes(amount)
    found |= _stuck(left, right, known)
    if width > 1:
        found &= np.median(np.ptp(inner, axis=0), axis=0) <= abs(amount) / 2
    return np.asarray(found & (known >= _FEWEST_SEGMENTS))


def _echoes(amount: NDArray[np.float32]) -> NDArray[Any]:
    """A sound line beside a defective one stands out from it to the other side, by half as much."""
    beside = np.pad(amount, 1)
    below, above = ((side * amount < 0) & (abs(side) > 1.5 * abs(amount)) for side in (beside[:-2], beside[2:]))
    return np.asarray(below | above)


def _is_sure(stands: NDArray[np.float32], known: NDArray[np.int64]) -> NDArray[Any]:
    """Whether a line stands out by more than its spread along its length explains, and does so nearly everywhere."""
    amount, error = _median(stands, known)
    agreeing = (stands * np.sign(amount) > 0).sum(axis=0) / np.maximum(known, 1)
    errors = abs(amount) / np.maximum(error, 1e-9)
    return np.asarray(((agreeing >= _MOSTLY) & (errors > _SURE)) | ((agreeing >= _EVERYWHERE) & (errors > _SURE / 2)))


def _median(values: NDArray[np.float32], known: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median over the parts of each line, and its standard error from the quartiles."""
    ordered = np.sort(values, axis=0)  # NaN last
    lines = np.arange(values.shape[1])
    last = np.maximum(known - 1, 0)
    low, middle, high = (np.nan_to_num(ordered[(last * share).astype(int), lines]) for share in (0.25, 0.5, 0.75))
    error = (high - low) / 1.349 * 1.253 / np.sqrt(np.maximum(known, 1))
    return middle, error.astype(np.float32)


def _stuck(left: NDArray[np.float32], right: NDArray[np.float32], known: NDArray[np.int64]) -> NDArray[Any]:
    """A stuck element is darker than its neighbours here and brighter there, but seldom like them."""
    step = np.nan_to_num(np.where(left * right > 0, np.minimum(abs(left), abs(right)), 0))
    usual = 8 * 1.4826 * np.median(np.nan_to_num(abs(left)), axis=1, keepdims=True)
    return np.asarray((step > np.maximum(usual, 4 * _FAINTEST)).sum(axis=0) >= np.maximum(0.75 * known, 1))
