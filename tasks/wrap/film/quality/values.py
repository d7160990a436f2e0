"""What a film's histogram says: clipping, range, entropy, and how many bits carry something.

A digitizer that delivers 8 bits stretched to 12 leaves gaps between the values it uses; a film of 12 bits does not. So the
effective bits count the values in use among those that its neighbours' counts lead one to expect.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.quality.survey import Survey

_IN_USE = 0.1  # of the mean count around it; rarer values are noise between those that the converter gives
_FEWEST_A_VALUE = 2.0  # pixels for each value, below which gaps are chance
_FEWEST_VALUES = 16


def measure_values(survey: Survey, bits: int) -> dict[str, float | None]:
    """`qc_clipped_*`, `qc_range`, `qc_entropy` and `qc_effective_bits`."""
    counts = survey.histogram
    share = counts[counts > 0] / counts.sum()
    return {
        "qc_clipped_low": float(counts[0] / counts.sum()),
        "qc_clipped_high": float(counts[-1] / counts.sum()),
        "qc_range": _range(counts),
        "qc_entropy": float(-(share * np.log2(share)).sum()),
        "qc_effective_bits": _effective_bits(counts, bits),
    }


def _range(counts: NDArray[np.int64]) -> float:
    low, high = np.searchsorted(np.cumsum(counts), np.array([0.001, 0.999]) * counts.sum())
    return float(high - low) / (len(counts) - 1)


def _effective_bits(counts: NDArray[np.int64], bits: int) -> float | None:
    """The bits that the largest value needs, less those lost to gaps; `None` where too few pixels show a gap."""
    used = np.flatnonzero(counts)
    first, last = int(used[0]), int(used[-1])
    needed = max(int(last).bit_length(), 1)
    inner = counts[first + 1 : last].astype(np.float64)  # the ends may be clipped and say nothing of their neighbours
    if len(inner) < _FEWEST_VALUES or inner.sum() < _FEWEST_A_VALUE * len(inner):
        return None
    around = _around(inner, max(8, 2**needed // 64))
    well = around >= _FEWEST_A_VALUE
    if well.sum() < _FEWEST_VALUES:
        return None
    expected = np.where(around > 1 / _IN_USE, 1.0, 1 - np.exp(-around))[well].sum()
    found = (inner > _IN_USE * around)[well].sum()
    return float(min(needed, needed + np.log2(found / expected)))


def _around(counts: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """The mean of the `reach` counts below each value or of those above it, whichever is less: small beyond the used range."""
    sums = np.concatenate([[0.0], np.cumsum(np.minimum(counts, 10 * counts[counts > 0].mean()))])
    at = np.arange(len(counts))
    low, high = np.maximum(at - reach, 0), np.minimum(at + 1 + reach, len(counts))
    below = (sums[at] - sums[low]) / np.maximum(at - low, 1)
    above = (sums[high] - sums[at + 1]) / np.maximum(high - at - 1, 1)
    return np.asarray(np.minimum(below, above))
