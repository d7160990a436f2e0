"""One pass over a film in strips: what the measures need of every pixel, in little memory.

All other measures look at a sample or at a copy of bounded size, so that a film of any size is measured in the same memory.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SEGMENTS = 32
MOST_WORKING_PIXELS = 8_000_000  # 0.14 mm a pixel on the largest film, 35 x 43 cm


@dataclass(frozen=True)
class Survey:
    """Counts and means of a film of H x W pixels.

    `histogram` (2 ** bits, int64) counts each pixel value, those beyond the last one with it. `columns` (32 x W, float32) has
    the mean of every column in each of 32 bands of rows, `rows` (32 x H, float32) that of every row in each of 32 bands of
    columns, in pixel values.
    `laplacian_variance` is that of the film scaled to 0..1.
    """

    histogram: NDArray[np.int64]
    columns: NDArray[np.float32]
    rows: NDArray[np.float32]
    laplacian_variance: float


def gray_of(pixels: NDArray[Any]) -> NDArray[Any]:
    """The plane to measure, without a copy: the film itself, or the green of a colour scan (no colour carries more detail)."""
    return pixels if pixels.ndim == 2 else pixels[:, :, 1]


def survey(gray: NDArray[Any], bits: int) -> Survey:
    """Surveys a film (H x W, uint8 or uint16) whose values have `bits` bits."""
    height, width = gray.shape
    down = np.linspace(0, height, min(SEGMENTS, height) + 1).astype(int)
    across = np.linspace(0, width, min(SEGMENTS, width) + 1).astype(int)
    histogram = np.zeros(2**bits, dtype=np.int64)
    columns = np.empty((len(down) - 1, width), dtype=np.float32)
    rows = np.empty((len(across) - 1, height), dtype=np.float32)
    total = squares = 0.0
    for band, (top, bottom) in enumerate(pairwise(down)):
        strip = np.ascontiguousarray(gray[top:bottom])
        counts = np.bincount(strip.ravel(), minlength=2**bits)
        histogram += counts[: 2**bits]
        histogram[-1] += counts[2**bits :].sum()
        columns[band] = cv2.reduce(strip, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0]
        for part, (left, right) in enumerate(pairwise(across)):
            rows[part, top:bottom] = cv2.reduce(strip[:, left:right], 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[:, 0]
        (mean,), (deviation,) = cv2.meanStdDev(cv2.Laplacian(strip, cv2.CV_32F, scale=1 / (2**bits - 1)))
        total += float(mean[0]) * strip.size
        squares += (float(deviation[0]) ** 2 + float(mean[0]) ** 2) * strip.size
    return Survey(histogram, columns, rows, squares / gray.size - (total / gray.size) ** 2)


def working_copy(gray: NDArray[Any], most: int = MOST_WORKING_PIXELS) -> tuple[NDArray[Any], int]:
    """The film averaged down by the least whole factor that leaves at most `most` pixels, and that factor."""
    factor = int(np.ceil(np.sqrt(gray.size / most)))
    if factor <= 1:
        return np.ascontiguousarray(gray), 1
    height, width = gray.shape[0] // factor, gray.shape[1] // factor
    small = np.empty((height, width), dtype=gray.dtype)
    step = max(1, MOST_WORKING_PIXELS // (gray.shape[1] * factor))
    for top in range(0, height, step):
        bottom = min(top + step, height)
        part = np.ascontiguousarray(gray[top * factor : bottom * factor, : width * factor])
        small[top:bottom] = cv2.resize(part, (width, bottom - top), interpolation=cv2.INTER_AREA)
    return small, factor
