"""Sharpness as the 10 to 90% rise of the film's sharpest straight edges.

Film edges, collimators, lead letters and bones all have edges; the sharpest of them show what film and digitizer resolve. The
variance of the Laplacian, the other measure of sharpness, grows with contrast and noise; this one does not. After P. Marziliano
et al., A no-reference perceptual blur metric, ICIP 2002, with the rise of ISO 12233 instead of the distance between extremes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.quality.survey import working_copy

_COARSE_PIXELS = 1_000_000
_CANDIDATES = 400  # in each of the two directions
_FEWEST = 30
_REACH = 24  # pixels on each side of an edge
_ALONG = 2  # rows above and below that are averaged with it
_LEAST_CONTRAST = 0.1  # of the full scale
_SHARPEST = 0.25


def measure_rise(gray: NDArray[Any], full: int) -> float | None:
    """The rise in pixels, exceeded by three quarters of the film's strong edges; `None` where there are fewer than 30."""
    coarse, factor = working_copy(gray, _COARSE_PIXELS)
    rises = np.concatenate([_rises(gray, coarse, factor, full), _rises(gray.T, coarse.T, factor, full)])
    return float(np.quantile(rises, _SHARPEST)) if len(rises) >= _FEWEST else None


def _rises(gray: NDArray[Any], coarse: NDArray[Any], factor: int, full: int) -> NDArray[np.float32]:
    """Rises of edges that run down the picture."""
    reach = _REACH + factor
    if min(gray.shape) <= 2 * reach + 2 or min(coarse.shape) < 5:
        return np.empty(0, dtype=np.float32)
    scaled = coarse.astype(np.float32)
    across = abs(scaled[1:-1, 2:] - scaled[1:-1, :-2])
    down = abs(scaled[2:, 1:-1] - scaled[:-2, 1:-1])
    strength = np.where(across > 8 * down, across, 0)
    strength[:, 1:-1] *= (strength[:, 1:-1] >= strength[:, :-2]) & (strength[:, 1:-1] >= strength[:, 2:])
    candidates = np.flatnonzero(strength)
    best = candidates[np.argsort(-strength.ravel()[candidates], kind="stable")[:_CANDIDATES]]
    row, column = ((at + 1) * factor + factor // 2 for at in np.unravel_index(best, strength.shape))
    inside = (row >= _ALONG) & (row < gray.shape[0] - _ALONG) & (column >= reach) & (column < gray.shape[1] - reach)
    window = np.arange(-reach, reach + 1)
    rows = row[inside, None] + np.arange(-_ALONG, _ALONG + 1)
    patches = gray[rows[:, :, None], (column[inside, None] + window)[:, None, :]]
    return _rise_of(patches.mean(axis=1, dtype=np.float32) / np.float32(full), factor)


def _rise_of(profiles: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Distance between 10 and 90% of each profile's steepest run, in pixels, of those with contrast enough."""
    steps = np.diff(profiles, axis=1)
    middle = steps.shape[1] // 2
    near = abs(steps[:, middle - factor - 2 : middle + factor + 3])
    peak = near.argmax(axis=1) + middle - factor - 2
    lines = np.arange(len(steps))
    steps = steps * np.sign(steps[lines, peak])[:, None]
    goes_on = steps > 0.05 * steps[lines, peak][:, None]
    at = np.arange(steps.shape[1])
    ends = np.where(~goes_on & (at > peak[:, None]), at, steps.shape[1]).min(axis=1)
    starts = np.where(~goes_on & (at < peak[:, None]), at, -1).max(axis=1)
    run = np.where((at > starts[:, None]) & (at < ends[:, None]), steps, 0)
    contrast = run.sum(axis=1)
    whole = (contrast >= _LEAST_CONTRAST) & (starts >= 0) & (ends < steps.shape[1])
    share = np.cumsum(run[whole], axis=1) / contrast[whole, None]
    before = share - run[whole] / contrast[whole, None]
    crossed = np.clip(share, 0.1, 0.9) - np.clip(before, 0.1, 0.9)
    return np.asarray((crossed / np.maximum(share - before, 1e-6)).sum(axis=1), dtype=np.float32)
