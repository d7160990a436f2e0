"""The lines of text in a region: set level, cut out one by one, each at the size in which the readers read best.

Which way lines run shows in where letters have their nearest neighbours (O'Gorman 1993); how far they are skewed in the
projection of letter edges: across the lines it goes up and down most (Postl 1986).
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tasks.wrap.film.ink import evenly_inked, ink_of, on_even_ground
from tasks.wrap.film.regions import Region, gradient_of, letters_among, usual_around

READING_HEIGHT = 32  # pixels of a capital letter in a line that is cut out
_LETTER = 31  # pixels of that line, odd: wider than any stroke and most letters
_MOST_SKEW = 8.0  # degrees
_LEAST_LETTERS = 3
_MOST_LINES = 24
_PLAIN = 90  # difference between neighbours, of 255, at letters that need no smoothing
_ABOVE_GRAIN = 6.0  # times the difference elsewhere: what they must stand out as well
_SHARE = 0.4  # of that difference: what is an edge of a letter as well
_GAP = 1.25  # half the widest gap between words of a line, in letter heights
_STROKE = 0.6  # more than the width of a stroke, in letter heights
_FAINT = 0.1  # least share of the strength of most letters, where a letter stands on a ground that is nearly as light
_ABOVE_GROUND = 4.0  # times the usual unevenness of the ground: what ink stands out from it as well
_NEXT = 2.2  # widest gap to a letter that may still belong to a line, in letter heights
_SLACK = 0.1  # of a letter's height: how far letters of a line may stand out above and below
_LEAST_HEIGHT = 0.5  # of a letter's height
_NARROW = 0.8  # of a letter's height
_WIDER = 2.0  # of a region's size: how far beyond it its lines are followed
_SIDE_MARGIN = 0.7  # of a letter's height: a last letter that was not seen as one is mostly in the picture all the same
_TOUCHES = 0.15  # of a letter's height: what ends nearer to the picture's side may go on beyond it


@dataclass(frozen=True)
class Line:
    """A line (rows x columns, 8 bits, dark letters), and at which ends it may go on beyond the picture it was cut from.

    It is prepared in three ways: on an even ground, as it is on the film, with even ink. `inner` is one that may go on, on an
    even ground, without what touches the picture's sides.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    cut_left: bool = False
    cut_right: bool = False
    inner: NDArray[np.uint8] | None = None


Span = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class _Trace:
    """Where a line is: its letters, all that is to be read of it, and that without what touches the picture's sides."""

    letters: Span
    drawn_out: Span
    inner: Span


@dataclass(frozen=True)
class Level:
    """A region and its surroundings (rows x columns, 8 bits), dark letters on a light ground, whose lines lie level.

    `inner` is the place of the region itself in it, `letters` what was taken for letters there, as 0 and 1; `quarters` is how
    many quarter turns (clockwise) were needed: 0 or 1.
    """

    picture: NDArray[np.uint8]
    inner: tuple[slice, slice]
    letters: NDArray[np.uint8]
    quarters: int


def levelled(region: Region, gray: NDArray[np.uint8]) -> Level:
    """The region turned so that its lines run across; whether they stand on their heads is not known yet."""
    place, around = region.place(gray), region.place(gray, wider=_WIDER)
    letters = region.letters(gray[place])
    boxes = _letters(letters)
    quarters = 0 if _runs_across(boxes) else 1
    angle = _skew(np.ascontiguousarray(np.rot90(letters, -quarters)))
    dark = region.ink == "dark" or (not region.ink and _dark(gray[place], boxes))
    picture = np.ascontiguousarray(np.rot90(gray[around] if dark else 255 - gray[around], -quarters))
    inner = _within(place, around)
    if quarters:
        inner = (inner[1], slice(picture.shape[1] - inner[0].stop, picture.shape[1] - inner[0].start))
    if abs(angle) >= 0.4:
        picture = _turned(picture, angle, int(np.percentile(picture, 75)))
    found = replace(region, ink="dark") if region.ink else region
    return Level(picture, inner, found.letters(picture[inner]), quarters)


def _within(place: tuple[slice, slice], around: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (slice(p.start - a.start, p.stop - a.start) for p, a in zip(place, around, strict=True))
    return rows, columns


def _dark(crop: NDArray[np.uint8], boxes: NDArray[np.int32]) -> bool:
    """Whether most letters are darker than what lies right around them."""
    darker = 0.0
    for left, top, width, height in boxes.tolist():
        around = max(2, min(width, height) // 4)
        frame = crop[max(0, top - around) : top + height + around, max(0, left - around) : left + width + around]
        ground = float(np.median(np.concatenate((frame[0], frame[-1], frame[:, 0], frame[:, -1]))))
        dark, light = np.percentile(frame, (10, 90))
        darker += ((ground - dark) - (light - ground)) * width
    return darker >= 0


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


def text_lines(level: Level) -> list[Line]:
    """The lines of a region, top to bottom, each scaled to `READING_HEIGHT`."""
    picture = level.picture[level.inner]
    certain = _letters(level.letters)
    if len(certain) < _LEAST_LETTERS:
        return []
    size = _letter_height(certain)
    boxes = _all_letters(picture, level.letters)
    letters = boxes[(boxes[:, 3] > 0.55 * size) & (boxes[:, 3] < 1.9 * size)]
    count, labels = cv2.connectedComponents(_bands(letters, size, picture.shape))
    middles = labels[letters[:, 1] + letters[:, 3] // 2, letters[:, 0] + letters[:, 2] // 2]
    ink = _ink(level, size)
    letters[:, :2] += (level.inner[1].start, level.inner[0].start)
    traces = []
    for line in range(1, count):
        members = letters[middles == line]
        if members[:, 2].sum() >= _LEAST_LETTERS * 0.4 * size:
            traces.append(_traced(members, level.picture.shape[1], ink, size))
    return [_cut(level.picture, trace, size) for trace in _distinct(traces)[:_MOST_LINES]]


def _traced(members: NDArray[np.int32], width: int, ink: NDArray[np.uint8], size: float) -> _Trace:
    """The line of some letters, with a margin aside."""
    starts, ends = members[:, 0], members[:, 0] + members[:, 2]
    top, bottom = np.percentile(members[:, 1], 10), np.percentile(members[:, 1] + members[:, 3], 90)
    letters = (int(starts.min()), int(top), int(ends.max()), int(bottom))
    left, right = _ends(letters, ink, size)
    aside = int(_SIDE_MARGIN * size)
    drawn_out = (max(0, left - aside), int(top), min(right + aside, width), int(bottom))
    touching = _TOUCHES * size
    inner_left = int(ends[starts < touching].max(initial=drawn_out[0]))
    inner_right = int(starts[ends > width - touching].min(initial=drawn_out[2]))
    return _Trace(letters, drawn_out, (inner_left, int(top), inner_right, int(bottom)))


def _distinct(traces: list[_Trace]) -> list[_Trace]:
    """Lines, top to bottom, but for those that came to lie on one of which more was seen."""
    kept: list[_Trace] = []
    for trace in sorted(traces, key=lambda trace: (trace.letters[0] - trace.letters[2], trace.letters)):
        if not any(_on(trace.drawn_out, other.drawn_out) for other in kept):
            kept.append(trace)
    return sorted(kept, key=lambda trace: (trace.letters[1], trace.letters[0]))


def _on(span: Span, other: Span) -> bool:
    """Whether more than half of a line, both ways, lies on another."""
    across = min(span[2], other[2]) - max(span[0], other[0])
    down = min(span[3], other[3]) - max(span[1], other[1])
    return across > 0.5 * (span[2] - span[0]) and down > 0.5 * (span[3] - span[1])


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


def _ink(level: Level, size: float) -> NDArray[np.uint8]:
    """All that is darker than the ground right beside it, be it much less so than the letters that are certain, as 0 and 1."""
    ink = ink_of(level.picture, int(_STROKE * size) | 1, max(0.6, 0.04 * size))
    least = max(2.0, _FAINT * float(np.percentile(ink[level.inner][level.letters > 0], 75)))
    return np.asarray((ink > np.maximum(least, _ABOVE_GROUND * usual_around(ink))).astype(np.uint8))


def _ends(letters: Span, ink: NDArray[np.uint8], size: float) -> tuple[int, int]:
    """How far to both sides there is more that stands level with a line, as high as letters and no farther off than words are.

    A narrow thing that goes on above and below the line is a border or a bone.
    """
    left, top, right, bottom = letters
    above = int(_SLACK * size)
    strip = np.ascontiguousarray(ink[max(0, top - above) : bottom + above])
    boxes = _letters(strip)
    border = (boxes[:, 3] == len(strip)) & (boxes[:, 2] < _NARROW * size)
    boxes = boxes[(boxes[:, 3] >= _LEAST_HEIGHT * size) & ~border]
    starts, ends = boxes[:, 0], boxes[:, 0] + boxes[:, 2]
    for letter in np.argsort(starts, kind="stable"):
        if ends[letter] > right and starts[letter] <= right + _NEXT * size:
            right = int(ends[letter])
    for letter in np.argsort(-ends, kind="stable"):
        if starts[letter] < left and ends[letter] >= left - _NEXT * size:
            left = int(starts[letter])
    return left, right


def _cut(picture: NDArray[np.uint8], trace: _Trace, size: float) -> Line:
    """The pictures of a line."""
    line = _cut_out(picture, trace.drawn_out, size)
    pictures = (on_even_ground(line, _LETTER), line, evenly_inked(line, _LETTER))
    cut_left, cut_right = trace.inner[0] > trace.drawn_out[0], trace.inner[2] < trace.drawn_out[2]
    something = (cut_left or cut_right) and trace.inner[2] - trace.inner[0] > size
    inner = on_even_ground(_cut_out(picture, trace.inner, size), _LETTER) if something else None
    return Line(pictures, cut_left, cut_right, inner)


def _cut_out(picture: NDArray[np.uint8], span: Span, size: float) -> NDArray[np.uint8]:
    left, top, right, bottom = span
    above = int(0.3 * size)
    return resized(picture[max(0, top - above) : bottom + above, left:right], READING_HEIGHT / size)


def resized(line: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The line at `scale` times its size."""
    return np.asarray(
        cv2.resize(line, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    )
