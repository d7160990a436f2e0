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
_BOTH_SIDES = 0.25  # of the amount, at least, by which it stands out from either neighbour: not so the foot of an edge
_MOST_STEP = 0.8  # of the amount by which it stands out: how far the two sides of a line may differ
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
    wide = np.pad(scaled, ((0, 0), (2, 2)), mode="edge")
    farther_before, before, after, farther_after = (wide[:, at : at + count] for at in (0, 2, width + 3, width + 5))
    inner = [scaled[:, 1 + at : 1 + at + count] for at in range(width)]
    middle = sum(inner[1:], inner[0]) / np.float32(width)
    unknown = spoilt[:, :count] | spoilt[:, width + 1 :]
    known = (~unknown).sum(axis=0)
    level = (before + after) / 2  # half way, since what is there of the picture may rise or fall across the line
    stands = np.where(unknown, np.float32(np.nan), middle - level)
    amount, _ = _median(stands, known)
    relative = np.divide(stands, np.maximum(level, np.float32(_DARKEST)), dtype=np.float32)
    found = (abs(amount) > _FAINTEST) & (_is_sure(stands, known) | _is_sure(relative, known))
    # The two sides differ by no more than the slope that goes on beyond them: else it is an edge, or the line beside a defect.
    step = (after - before) - (before - farther_before + farther_after - after) / 2
    found &= abs(np.median(step, axis=0)) <= _MOST_STEP * abs(amount)
    left, right = middle - before, middle - after
    from_left, from_right = (np.median(side, axis=0) * np.sign(amount) for side in (left, right))
    found &= np.minimum(from_left, from_right) >= _BOTH_SIDES * abs(amount)
    found |= _stuck(left, right, unknown)
    if width > 1:
        found &= np.median(np.ptp(inner, axis=0), axis=0) <= abs(amount) / 2
    return np.asarray(found & (known >= _FEWEST_SEGMENTS))


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


def _stuck(left: NDArray[np.float32], right: NDArray[np.float32], unknown: NDArray[Any]) -> NDArray[Any]:
    """A stuck element is darker than its neighbours here and brighter there, but seldom like them."""
    step = np.where((left * right > 0) & ~unknown, np.minimum(abs(left), abs(right)), 0)
    usual = 8 * 1.4826 * np.median(abs(left), axis=1, keepdims=True)
    often = (step > np.maximum(usual, 4 * _FAINTEST)).sum(axis=0)
    return np.asarray(often >= np.maximum(0.75 * (~unknown).sum(axis=0), 1))
