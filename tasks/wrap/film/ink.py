"""Ink: what is darker than the ground right beside it, as strokes of letters are and shades of a picture are not.

A closing fills in what is narrower than its window; what that adds is the ink (black top-hat transform, Serra 1982).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_LITTLE_GRAIN, _MUCH_GRAIN = 1.2, 1.6  # pixels of a line that is cut out for reading
_FULL = 97  # percentile of a line's ink that is black
_FAINTEST = 0.25  # of that: ink that is made black where there is no darker


def ink_of(picture: NDArray[np.uint8], window: int, grain: float) -> NDArray[np.uint8]:
    """How much darker than its ground each pixel (rows x columns, 8 bits) is, 0 to 255.

    `window` is more pixels than strokes are wide; `grain` how far grain is smoothed away first, as the standard deviation of a
    Gaussian in pixels.
    """
    soft = cv2.GaussianBlur(picture, (0, 0), grain)
    return np.asarray(cv2.morphologyEx(soft, cv2.MORPH_BLACKHAT, np.ones((window, window), np.uint8)))


def on_even_ground(line: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """A line of text with dark letters on white, whatever shades lie behind them; the darkest are black."""
    ink = ink_of(line, window, _LITTLE_GRAIN)
    return _on_white(ink, float(np.percentile(ink, _FULL)))


def evenly_inked(line: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """A line of text with black letters on white, be they darker in one place than in another, and with less grain."""
    ink = ink_of(line, window, _MUCH_GRAIN)
    nearby = cv2.dilate(cv2.GaussianBlur(ink, (0, 0), _MUCH_GRAIN), np.ones((line.shape[0], window), np.uint8))
    strength = cv2.GaussianBlur(nearby.astype(np.float32), (0, 0), window / 2)
    return _on_white(ink, np.maximum(strength, _FAINTEST * float(np.percentile(ink, _FULL))))


def _on_white(ink: NDArray[np.uint8], black: float | NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture of some ink: white where there is no more than most places have by grain alone."""
    grain = np.float32(np.median(ink))
    return np.asarray(255 - np.clip((ink - grain) * (255 / np.maximum(black - grain, 1)), 0, 255), dtype=np.uint8)
