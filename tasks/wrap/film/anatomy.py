"""Which way up a frontal chest lies, from the picture alone; of everything else this says nothing.

A linear model over gradient directions (Dalal and Triggs 2005) and coarse brightness tells an upright frontal chest from a
turned one and from other pictures. It was taught mirrored chests as well as unmirrored ones, so it knows nothing of left and
right, as it must not (situs inversus). `benchmarks/chest.py` trains it and measures it on collections that it has not seen.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.turn import TURNS, permuted

_SIDE = 64  # pixels of the picture that is looked at
_CELL = 8
_DIRECTIONS = 8
_COARSE = 16
_CERTAIN = 3.0  # log odds, for the turn that is chosen and against each of the others


def chest_turn(pixels: NDArray[Any]) -> int | None:
    """The clockwise turn (0, 90, 180 or 270 degrees) that sets a frontal chest upright; `None` where it is none for certain.

    `pixels`: rows x columns [x 3], unsigned, black is zero.
    """
    scores = chest_scores(pixels)
    best, other = sorted(TURNS, key=lambda turn: -scores[turn])[:2]
    return best if scores[best] >= _CERTAIN and scores[other] <= -_CERTAIN else None


def chest_scores(pixels: NDArray[Any]) -> dict[int, float]:
    """By clockwise turn: the log odds that the film, turned so, is an upright frontal chest."""
    small = reduced(pixels)
    weights = _weights()
    return {turn: float(features(permuted(small, turn, False)) @ weights[:-1] + weights[-1]) for turn in TURNS}


def reduced(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """The film at 64 x 64, its proportions not kept, from 0 (dark) to 1 (light)."""
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = np.percentile(small, (1, 99))
    return np.asarray(np.clip((small - low) / max(float(high - low), 1.0), 0, 1), np.float32)


def features(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the model looks at: directions of change in cells of 8 x 8 pixels, and brightness in 16 x 16 fields."""
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    strength, direction = cv2.cartToPolar(across, down)
    place = direction * (_DIRECTIONS / (2 * np.pi))
    cells = []
    for number in range(_DIRECTIONS):
        near = np.abs((place - number + _DIRECTIONS / 2) % _DIRECTIONS - _DIRECTIONS / 2)
        part = strength * np.clip(1 - near, 0, 1)
        cells.append(part.reshape(_SIDE // _CELL, _CELL, _SIDE // _CELL, _CELL).mean(axis=(1, 3)))
    histogram = np.stack(cells, axis=-1)
    around = cv2.blur(np.square(histogram).sum(axis=-1), (3, 3))
    histogram = np.sqrt(histogram / np.sqrt(around + 1e-4)[..., None])
    coarse = cv2.resize(small, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    coarse = (coarse - coarse.mean()) / (coarse.std() + 0.05)
    return np.concatenate([histogram.ravel(), 0.25 * coarse.ravel()]).astype(np.float32)


@cache
def _weights() -> NDArray[np.float32]:
    return np.array(json.loads(Path(__file__).with_name("chest.json").read_text()), np.float32)
