"""The lines of text in a region: set level, cut out one by one, each at the size in which the readers read best.

Which way lines run shows in where letters have their nearest neighbours (O'Gorman 1993); how far they are skewed in the
projection of letter edges: across the lines it goes up and down most (Postl 1986).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tasks.wrap.film.regions import gradient_of, letter_edges, letters_among

READING_HEIGHT = 32  # pixels of a capital letter in a line that is cut out
_MOST_SKEW = 8.0  # degrees
_LEAST_LETTERS = 3
_MOST_LINES = 24
_PLAIN = 90  # difference between neighbours, of 255, at letters that need no smoothing
_ABOVE_GRAIN = 6.0  # times the difference elsewhere: what they must stand out as well
_SHARE = 0.4  # of that difference: what is an edge of a letter as well
_GAP = 1.25  # half the widest gap between words of a line, in letter heights


@dataclass(frozen=True)
class Level:
    """A region (rows x columns, 8 bits) whose lines lie level, and the quarter turns (clockwise) that were needed: 0 or 1."""

    picture: NDArray[np.uint8]
    quarters: int


def levelled(crop: NDArray[np.uint8]) -> Level:
    """The region turned so that its lines run across; whether they stand on their heads is not known yet."""
    letters = letter_edges(crop)
    quarters = 0 if _runs_across(_letters(letters)) else 1
    angle = _skew(np.ascontiguousarray(np.rot90(letters, -quarters)))
    picture = np.ascontiguousarray(np.rot90(crop, -quarters))
    return Level(picture if abs(angle) < 0.4 else _turned(picture, angle, int(np.percentile(picture, 75))), quarters)


def _runs_across(boxes: NDArray[np.int32]) -> bool:
    """Whether most letters have their nearest neighbours beside them, not above or below, and words are wider than high."""
    if len(boxes) < _LEAST_LETTERS:
        return True
    sides = boxes[:, 2:].astype(np.float32)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    usual = np.median(shorter)
    words = (longer > 2.5 * usual) & (shorter > 0.6 * usual)
    votes = float((np.where(sides[words, 0] > sides[words, 1], 1, -1) * longer[words] / shorter[words]).sum())
    middles = (boxes[:, :2] + sides / 2)[~words]
    if len(middles) > 2:
        _, nearest = cKDTree(middles).query(middles, k=3)
        across, down = np.abs(middles[nearest[:, 1:]] - middles[:, None]).transpose(2, 0, 1)
        votes += float(np.sign(across - down).sum()) / 2
    return votes >= 0


def _skew(letters: NDArray[np.uint8]) -> float:
    """The turn in degrees after which the rows differ most in how many letter edges they hold."""
    half = cv2.resize(letters.astype(np.float32), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    def change(angle: float) -> float:
        profile = _turned(half, angle, 0).sum(axis=1) if angle else half.sum(axis=1)
        return float(np.square(np.diff(profile)).sum())

    coarse = max(np.arange(-_MOST_SKEW, _MOST_SKEW + 0.1).tolist(), key=change)
    return float(max((coarse, coarse - 0.5, coarse + 0.5), key=change))


def _turned(picture: NDArray[Any], angle: float, fill: int) -> NDArray[Any]:
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_CONSTANT, "borderValue": fill}
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), **flags))


def text_lines(picture: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The lines of a levelled region, top to bottom, each scaled to `READING_HEIGHT`."""
    seeds = letter_edges(picture)
    certain = _letters(seeds)
    if len(certain) < _LEAST_LETTERS:
        return []
    size = _letter_height(certain)
    boxes = _all_letters(picture, seeds)
    letters = boxes[(boxes[:, 3] > 0.55 * size) & (boxes[:, 3] < 1.9 * size)]
    count, labels = cv2.connectedComponents(_bands(letters, size, picture.shape))
    middles = labels[letters[:, 1] + letters[:, 3] // 2, letters[:, 0] + letters[:, 2] // 2]
    found = []
    for line in range(1, count):
        members = letters[middles == line]
        if members[:, 2].sum() >= _LEAST_LETTERS * 0.4 * size:
            found.append(_span(members, size))
    found.sort(key=lambda span: (span[1], span[0]))
    return [_cut(picture, span, size) for span in found[:_MOST_LINES]]


def _letters(edges: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Boxes of connected edges: left, top, width, height."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats(edges)
    return np.asarray(boxes[1:, :4])


def _all_letters(picture: NDArray[np.uint8], seeds: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Boxes of all that has edges about as strong as the letters that are certain, and the size of letters."""
    hard = gradient_of(picture, soft=False)
    strength, grain = float(np.percentile(hard[seeds > 0], 75)), float(np.median(hard))
    gradient = hard if strength > _PLAIN and strength > _ABOVE_GRAIN * grain else gradient_of(picture, soft=True)
    strength = float(np.percentile(gradient[seeds > 0], 75))
    _, boxes, keep = letters_among((gradient > _SHARE * strength).astype(np.uint8))
    return boxes[keep]


def _letter_height(boxes: NDArray[np.int32]) -> float:
    """Height of most of the letters, each weighted by the width it takes up in a line."""
    order = np.argsort(boxes[:, 3], kind="stable")
    heights, weights = boxes[order, 3], boxes[order, 2].cumsum()
    return float(heights[int(np.searchsorted(weights, weights[-1] / 2))])


def _bands(letters: NDArray[np.int32], size: float, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The middle half of each letter, drawn out to both sides until neighbours in a line touch."""
    bands = np.zeros(shape, np.uint8)
    reach = int(_GAP * size)
    for left, top, width, height in letters.tolist():
        quarter = height // 4
        bands[top + quarter : top + height - quarter, max(0, left - reach) : left + width + reach] = 1
    return bands


def _span(members: NDArray[np.int32], size: float) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of a line with a margin."""
    margin = int(0.3 * size)
    top, bottom = np.percentile(members[:, 1], 10), np.percentile(members[:, 1] + members[:, 3], 90)
    left, right = members[:, 0].min(), (members[:, 0] + members[:, 2]).max()
    return int(left - 2 * margin), int(top - margin), int(right + 2 * margin), int(bottom + margin)


def _cut(picture: NDArray[np.uint8], span: tuple[int, int, int, int], size: float) -> NDArray[np.uint8]:
    left, top, right, bottom = span
    return resized(picture[max(0, top) : bottom, max(0, left) : right], READING_HEIGHT / size)


def resized(line: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The line at `scale` times its size."""
    return np.asarray(
        cv2.resize(line, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    )
