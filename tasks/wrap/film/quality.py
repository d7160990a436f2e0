"""Cheap measures of a scan, from the array that is decoded anyway; each documented in the `objects` schema."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def measure(pixels: NDArray[Any], bits: int) -> dict[str, float]:
    """The `qc_*` columns of a film (rows x columns [x 3], unsigned)."""
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    counts = np.bincount(gray.ravel(), minlength=2**bits)
    share = counts[counts > 0] / gray.size
    scaled = gray.astype(np.float32) / float(2**bits - 1)
    return {
        "qc_clipped_low": float(counts[0] / gray.size),
        "qc_clipped_high": float(counts[2**bits - 1] / gray.size),
        "qc_effective_bits": float(-(share * np.log2(share)).sum()),
        "qc_sharpness": float(cv2.Laplacian(scaled, cv2.CV_32F).var()),
    }
