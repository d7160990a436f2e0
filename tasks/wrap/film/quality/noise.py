"""Noise in flat areas, by Immerkær's difference mask on the flattest of a grid of small tiles.

J. Immerkær, Fast Noise Variance Estimation, Computer Vision and Image Understanding 64 (1996): the mask is blind to planes and
to what bends evenly, so what it leaves is noise. Which tiles are flat is judged by their coarse means, which noise hardly
moves; so the choice does not favour tiles that happen to have little noise.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GRID = 24
_TILE = 48
_FLAT = 0.25  # share of the tiles that count as flat


def measure_noise(gray: NDArray[Any], full: int) -> float | None:
    """Standard deviation of the noise as a share of the full scale; `None` where every tile is clipped or of one value."""
    size = min(_TILE, *gray.shape) // 4 * 4
    if size < 16:
        return None
    tops = np.unique(np.linspace(0, gray.shape[0] - size, _GRID).astype(int))
    lefts = np.unique(np.linspace(0, gray.shape[1] - size, _GRID).astype(int))
    tiles = np.stack([gray[top : top + size, left : left + size] for top in tops for left in lefts])
    clipped = ((tiles == 0) | (tiles == full)).mean(axis=(1, 2)) > 0.01
    tiles = tiles[~clipped & (tiles.min(axis=(1, 2)) < tiles.max(axis=(1, 2)))].astype(np.float32)
    if not len(tiles):
        return None
    coarse = tiles.reshape(len(tiles), 4, size // 4, 4, size // 4).mean(axis=(2, 4))
    flattest = np.argsort(np.ptp(coarse, axis=(1, 2)), kind="stable")[: max(1, int(len(tiles) * _FLAT))]
    bent = np.diff(np.diff(tiles[flattest], n=2, axis=1), n=2, axis=2)
    return float(np.median(np.sqrt(np.pi / 2) / 6 * abs(bent).mean(axis=(1, 2)))) / full
