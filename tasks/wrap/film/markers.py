"""Lead markers: single letters, bright and sharp, that say which side of the patient is where (L, R, D and DX for dextra).

Lead stops the rays, so a letter of it keeps its shape over a wide range of thresholds, as nothing of the body does (the idea of
maximally stable extremal regions, Matas 2002). Shapes that last are compared with letters in all eight ways a film may lie, and
those that stand in a line with other letters are words and no markers. A false marker is far worse than none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.letters import WAYS, Likeness, Mask, likenesses

_WORKING_SIDE = 1600  # pixels of the longer side of the picture that is searched
_MOST_ENLARGED = 3.0
_LEVELS = range(40, 256, 12)  # of 255
_LEAST_LEVELS = 4  # a marker stands out by so many steps between levels
_SIZES = (0.011, 0.09)  # of a letter's longer side, as a share of the picture's
_SAMPLES = 5  # levels at which a lasting shape is looked at
_LEAST_SCORE = {"L": 0.93, "R": 0.9, "D": 0.94, "X": 0.9}  # the simpler the letter, the more there is that looks like it
_MOST_DOUBT = 0.64  # 0.8 squared, as Lowe has it
_LEAST_AT_EDGE = 0.02  # of a letter near the edge, as a share of the picture's longer side: 8 mm of a film of 40 cm
_LEAST_ROOM = 0.5  # to the edge of the picture, in letter heights
_GAP = 0.9  # widest gap between letters of a word, in letter heights


@dataclass(frozen=True)
class Marker:
    """A letter of lead: L, R, D or DX; its box in pixels of the scan, and the ways in which it may lie.

    A way is (clockwise turn in degrees, whether mirrored before that) that sets it upright; a D has two, since upside down
    and mirrored it is the same. `turn` and `mirrored` are `None` where the ways differ in them. `confidence` is how
    much it looks like the letter, 0 to 1.
    """

    text: str
    left: int
    top: int
    width: int
    height: int
    ways: tuple[tuple[int, bool], ...]
    confidence: float

    @property
    def turn(self) -> int | None:
        """Clockwise turn that sets it upright, after the mirroring."""
        turns = {turn for turn, _ in self.ways}
        return turns.pop() if len(turns) == 1 else None

    @property
    def mirrored(self) -> bool | None:
        """Whether it lies mirrored."""
        answers = {mirrored for _, mirrored in self.ways}
        return answers.pop() if len(answers) == 1 else None

    @property
    def side(self) -> str:
        """The patient's side that it names: `L` or `R`."""
        return "L" if self.text == "L" else "R"


@dataclass(frozen=True)
class _Shape:
    """A connected region above a level: its box (left, top, width, height) and its mask."""

    box: tuple[int, int, int, int]
    mask: Mask


@dataclass
class _Track:
    """One shape through the levels, and all boxes around it at each level."""

    shapes: list[_Shape] = field(default_factory=list)
    around: list[NDArray[np.int32]] = field(default_factory=list)


def read_markers(pixels: NDArray[Any]) -> list[Marker]:
    """Markers of a film (rows x columns [x 3], unsigned), by place: top to bottom, then left to right."""
    picture = _working(pixels)
    tracks = [track for track in _tracks(picture) if len(track.shapes) >= _LEAST_LEVELS]
    letters = [(track, *found) for track in tracks if (found := _letter(track))]
    scale = max(pixels.shape[:2]) / max(picture.shape)
    markers = [marker for found in letters if (marker := _marker(*found, letters, scale))]
    return sorted(markers, key=lambda marker: (marker.top, marker.left))


def _working(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Gray, 0 to 255 from the darkest to the lightest, at the size that is searched."""
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = min(_WORKING_SIDE / max(gray.shape), _MOST_ENLARGED)
    sized = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    low, high = np.percentile(sized[::4, ::4], 0.2), np.percentile(sized, 99.98)
    spread = (sized.astype(np.float32) - low) * (255 / max(float(high - low), 1.0))
    return np.asarray(np.clip(spread, 0, 255), np.uint8)


def _tracks(picture: NDArray[np.uint8]) -> list[_Track]:
    """Shapes followed from level to level while they keep place and size."""
    done: list[_Track] = []
    going: list[_Track] = []
    for level in _LEVELS:
        boxes, shapes = _shapes(picture, level)
        kept: list[_Track] = []
        for shape in shapes:
            track = next((track for track in going if _same(track.shapes[-1].box, shape.box)), None)
            if track is None:
                track = _Track()
            else:
                going.remove(track)
            track.shapes.append(shape)
            track.around.append(boxes)
            kept.append(track)
        done += going
        going = kept
    return done + going


def _same(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    size = max(one[2:])
    return (
        abs(2 * one[0] + one[2] - 2 * other[0] - other[2]) <= 0.3 * size
        and abs(2 * one[1] + one[3] - 2 * other[1] - other[3]) <= 0.3 * size
        and abs(one[2] - other[2]) <= 0.25 * size
        and abs(one[3] - other[3]) <= 0.25 * size
    )


def _shapes(picture: NDArray[np.uint8], level: int) -> tuple[NDArray[np.int32], list[_Shape]]:
    """(boxes of all regions as long as a letter or longer, those regions that may be letters) above a level."""
    _, labels, found, _ = cv2.connectedComponentsWithStats((picture >= level).astype(np.uint8))
    longer, shorter = found[:, 2:4].max(axis=1), found[:, 2:4].min(axis=1)
    side = max(picture.shape)
    long = longer >= _SIZES[0] * side
    filled = found[:, 4] / (found[:, 2] * found[:, 3])
    room = np.minimum(found[:, :2], np.array(picture.shape[::-1]) - found[:, :2] - found[:, 2:4]).min(axis=1)
    # What is small and near to the edge may be what the edge leaves of a printed letter.
    inside = room > np.where(longer < _LEAST_AT_EDGE * side, np.maximum(1, _LEAST_ROOM * longer), 1)
    likely = long & (longer <= _SIZES[1] * side) & inside & (shorter >= 0.35 * longer) & (filled >= 0.15) & (filled <= 0.8)
    shapes = []
    for number in np.flatnonzero(likely[1:]) + 1:
        left, top, width, height = (int(value) for value in found[number, :4])
        mask = (labels[top : top + height, left : left + width] == number).astype(np.uint8)
        shapes.append(_Shape((left, top, width, height), mask))
    return found[1:][long[1:], :4], shapes


def _letter(track: _Track) -> tuple[Likeness, int] | None:
    """The letter that a lasting shape is, and the number of the level at which it looks most like it; `None` if it is none."""
    sampled = np.linspace(0, len(track.shapes) - 1, _SAMPLES).round().astype(int).tolist()
    looks = likenesses([track.shapes[number].mask for number in sampled])
    best = max(range(_SAMPLES), key=lambda sample: looks[sample].score)
    look = looks[best]
    agreed = sum(other.letter == look.letter and other.ways[0] in look.ways for other in looks)
    if look.score < _LEAST_SCORE.get(look.letter, 2.0) or look.doubt > _MOST_DOUBT or agreed < 3:
        return None
    return look, sampled[best]


def _marker(
    track: _Track, look: Likeness, level: int, letters: list[tuple[_Track, Likeness, int]], scale: float
) -> Marker | None:
    """The marker that a letter is by itself, or with an X behind it; `None` where, at any level, it is part of a word."""
    turns = {turn for turn, _ in look.ways}
    beside = [
        {other for turn in turns for other in _in_line(shape.box, around, turn)}
        for shape, around in zip(track.shapes, track.around, strict=True)
    ]
    box = track.shapes[level].box
    if look.letter == "D" and len(beside[level]) == 1:
        (other,) = beside[level]
        crosses = [shape.box for found, likeness, _ in letters if likeness.letter == "X" for shape in found.shapes]
        ways = tuple(way for way in look.ways if _is_behind(box, other, way))
        return _placed("DX", _union(box, other), ways, look.score, scale) if other in crosses and ways else None
    return None if look.letter == "X" or any(beside) else _placed(look.letter, box, look.ways, look.score, scale)


def _placed(
    text: str, box: tuple[int, int, int, int], ways: tuple[tuple[int, bool], ...], score: float, scale: float
) -> Marker:
    left, top, width, height = (round(value * scale) for value in box)
    return Marker(text, left, top, width, height, tuple(sorted(ways, key=WAYS.index)), round(score, 3))


def _union(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right, bottom = max(one[0] + one[2], other[0] + other[2]), max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, bottom - top


def _in_line(box: tuple[int, int, int, int], boxes: NDArray[np.int32], turn: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes that stand beside a letter the way letters of a word do."""
    along, across = (1, 0) if turn in (90, 270) else (0, 1)
    start, end = box[along], box[along] + box[along + 2]
    low, high = box[across], box[across] + box[across + 2]
    height = high - low
    for other in boxes.tolist():
        gap = max(other[along] - end, start - other[along] - other[along + 2])
        shared = min(high, other[across] + other[across + 2]) - max(low, other[across])
        alike = 0.6 * height <= other[across + 2] <= 1.6 * height
        if alike and 0 <= gap <= _GAP * height and shared >= 0.5 * height:
            yield tuple(other)


def _is_behind(box: tuple[int, int, int, int], other: tuple[int, int, int, int], way: tuple[int, bool]) -> bool:
    """Whether `other` follows `box` in reading order once both are set upright."""
    turn, mirrored = way
    right, down = other[0] - box[0], other[1] - box[1]
    x = {0: right * (-1 if mirrored else 1), 180: right * (1 if mirrored else -1), 90: -down, 270: down}
    return x[turn] > 0
