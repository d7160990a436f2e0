"""Told from a film's cut edge: the soft edge of a field that was collimated on one.

A film ends within a fraction of a millimetre. The shadow of a collimator's leaf, far above the film and of a focal spot a
millimetre wide, takes one to three (its penumbra), about five to ten pixels of the working copy of a film of usual size. So
the unexposed border of a film, white as an open light table where the scanner clips, does not pass for the bed.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.geometry.bed import Bed, WorkingCopy

_PROFILES = 64
_NEAR, _FURTHER, _FAR = 2, 4, 8  # pixels of the working copy inside the edge
_MOST_NEAR, _MOST_FURTHER = 0.5, 0.85  # of the way to the level far inside, that a soft edge has gone by then
_LEAST_BETWEEN = 0.12  # of that way, that it goes in between; the clear border of a film stays level there


def soft_edged(copy: WorkingCopy, bed: Bed, sides: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> bool:
    """Whether most of a rectangle's sides (start and end, clockwise, column and row in the working copy) are soft."""
    return sum(_soft(copy, bed, start, end) for start, end in sides) > len(sides) / 2


def _soft(copy: WorkingCopy, bed: Bed, start: NDArray[np.float64], end: NDArray[np.float64]) -> bool:
    along = (end - start) / np.hypot(*(end - start))
    inwards = np.array([-along[1], along[0]])
    places = start + np.linspace(0.05, 0.95, _PROFILES)[:, None] * (end - start)
    depths = np.array([_NEAR, _FURTHER, _FAR], np.float64)
    points = (places[:, None, :] + depths[None, :, None] * inwards - 0.5).astype(np.float32)
    values = cv2.remap(copy.gray, points[..., 0], points[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    levels = cv2.remap(bed.level, points[..., 0], points[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    near, further, far = np.median(np.abs(levels - values), axis=0).tolist()
    return bool(near <= _MOST_NEAR * far and further <= _MOST_FURTHER * far and further - near >= _LEAST_BETWEEN * far)
