"""How much a shape looks like a letter, in each of the eight ways in which a film may lie.

A shape is compared, by normalised correlation, with every capital and digit of several fonts (`letters.json`, made by
`benchmarks/letters.py`), in two weights, upright and a little skewed. How much it is like the best of them counts against how
much it is like any other.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.turn import TURNS, permuted

WAYS = tuple((turn, mirrored) for mirrored in (False, True) for turn in TURNS)
_SIZE = 24  # pixels of the longer side of a letter, and of the field around it
_FIELD = 28
_SKEWS = (-12.0, -6.0, 0.0, 6.0, 12.0)  # degrees
_ALIKE = 0.04  # ways that differ by less cannot be told apart

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Likeness:
    """The letter a shape looks most like, how much (-1 to 1), with how much doubt, and the ways it may stand in.

    `doubt` is the squared distance from this letter as a share of that from the next one: 0 for a perfect likeness, 1 where
    both are as good (the ratio test of Lowe 2004). A way is (clockwise turn, whether mirrored before it) that sets the letter
    upright, the likeliest first.
    """

    letter: str
    score: float
    doubt: float
    ways: tuple[tuple[int, bool], ...]


def likenesses(masks: list[Mask]) -> list[Likeness]:
    """What each shape (rows x columns, uint8, 1 where ink is, cut to its ink) looks like."""
    names, templates = _templates()
    if not masks:
        return []
    shapes = np.stack([_prepared(np.ascontiguousarray(permuted(mask, *way))) for mask in masks for way in WAYS])
    scores = (shapes @ templates.T).reshape(len(masks), len(WAYS), len(names), -1).max(axis=3)
    return [_likeness(names, score) for score in scores]


def _likeness(names: str, scores: NDArray[np.float32]) -> Likeness:
    """`scores`: ways x letters."""
    best = scores.max(axis=0)
    order = np.argsort(-best, kind="stable")
    column = scores[:, order[0]]
    ways = tuple(WAYS[way] for way in np.argsort(-column, kind="stable") if column[way] >= column.max() - _ALIKE)
    score, other = float(best[order[0]]), float(best[order[1]])
    return Likeness(names[order[0]], score, (1 - score) / max(1 - other, 1e-6), ways)


@cache
def _templates() -> tuple[str, NDArray[np.float32]]:
    """Letters, and their pictures as unit vectors: (letters x fonts x weights x skews) x pixels."""
    fonts: dict[str, list[list[str]]] = json.loads(Path(__file__).with_name("letters.json").read_text())
    vectors = [
        _prepared(_skewed(weight, angle))
        for drawn in fonts.values()
        for rows in drawn
        for weight in _weights(np.array([[ink == "#" for ink in row] for row in rows], np.uint8))
        for angle in _SKEWS
    ]
    return "".join(fonts), np.stack(vectors)


def _weights(mask: Mask) -> tuple[Mask, Mask]:
    """The letter as the font has it, and bolder: letters cut of lead are thick."""
    return mask, np.asarray(cv2.dilate(cv2.copyMakeBorder(mask, 0, 1, 0, 1, cv2.BORDER_CONSTANT), np.ones((2, 2), np.uint8)))


def _skewed(mask: Mask, angle: float) -> Mask:
    """The shape turned by `angle` degrees and cut to its ink again."""
    field = np.zeros((4 * _FIELD, 4 * _FIELD), np.uint8)
    large = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    top, left = (len(field) - large.shape[0]) // 2, (len(field) - large.shape[1]) // 2
    field[top : top + large.shape[0], left : left + large.shape[1]] = large
    matrix = cv2.getRotationMatrix2D((len(field) / 2, len(field) / 2), angle, 1.0)
    turned = cv2.warpAffine(field * 255, matrix, field.shape[::-1], flags=cv2.INTER_LINEAR) >= 128
    rows, columns = np.flatnonzero(turned.any(axis=1)), np.flatnonzero(turned.any(axis=0))
    return np.asarray(turned[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.uint8)


def _prepared(mask: Mask) -> NDArray[np.float32]:
    """The shape at one size, its own proportions kept, softened, as a vector of mean 0 and length 1."""
    scale = _SIZE / max(mask.shape)
    height, width = (max(1, round(side * scale)) for side in mask.shape)
    field = np.zeros((_FIELD, _FIELD), np.float32)
    top, left = (_FIELD - height) // 2, (_FIELD - width) // 2
    field[top : top + height, left : left + width] = cv2.resize(mask * 255, (width, height), interpolation=cv2.INTER_AREA)
    soft: NDArray[Any] = cv2.GaussianBlur(field, (0, 0), 1.0).ravel()
    soft -= soft.mean()
    return np.asarray(soft / max(float(np.linalg.norm(soft)), 1e-6), np.float32)
