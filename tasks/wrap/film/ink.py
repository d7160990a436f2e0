"""Ink: what is darker than the ground right beside it, as strokes of letters are and shades of a picture are not.

A closing fills in what is narrower than its window; what that adds is the ink (black top-hat transform, Serra 1982).
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def ink_of(picture: NDArray[np.uint8], window: int, grain: float) -> NDArray[np.uint8]:
    """How much darker than its ground each pixel (rows x columns, 8 bits) is, 0 to 255.

    `window` is more pixels than strokes are wide; `grain` how far grain is smoothed away first, as the standard deviation of a
    Gaussian in pixels.
    """
    soft = cv2.GaussianBlur(picture, (0, 0), grain)
    return np.asarray(cv2.morphologyEx(soft, cv2.MORPH_BLACKHAT, np.ones((window, window), np.uint8)))


def on_even_ground(line: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """A line of text with black letters on white, whatever shades lie behind them."""
    ink = ink_of(line, window, 0.8)
    full = max(1.0, float(np.percentile(ink, 97)))
    return np.asarray(255 - np.minimum(ink.astype(np.float32) * (255 / full), 255), dtype=np.uint8)
