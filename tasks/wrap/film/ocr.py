"""The text on a film: found where there are letters, read line by line by two engines that go wrong in different ways.

Regions come from `regions`, their lines from `lines`. Which way up a region stands is tried on its longest lines. Each line is
then read twice: by Tesseract and by RapidOCR's network, or at two sizes where the configuration names one engine.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film import rapid, tesseract
from tasks.wrap.film.lines import levelled, resized, text_lines
from tasks.wrap.film.regions import Region, for_reading, text_regions
from tasks.wrap.film.text import LabelText, TextLine

__all__ = ["LabelText", "TextLine", "engine_for", "read_labels"]

_TRIED = 2  # lines read to learn which way up a region stands
_LEGIBLE = 9.0  # letters read with certainty in those: enough to know
_LEAST_LEGIBLE = 4.0
_CLEARLY = 2.0  # the right way up is so much more legible than any other
_OTHER_SIZE = 1.35  # of the second reading, where one engine does both

Lines = Sequence[NDArray[np.uint8]]
Reader = Callable[[Lines], tuple[TextLine, ...]]


def read_labels(pixels: NDArray[Any], setting: str) -> list[LabelText]:
    """Labels of a film (rows x columns [x 3], unsigned), the fullest first; `setting` is `[wrap] ocr`."""
    gray = for_reading(pixels)
    readers = _readers(setting)
    labels: list[LabelText] = []
    read: list[Region] = []
    for region in text_regions(gray):
        if any(known.surrounds(region) for known in read):
            continue  # read already, with that one's margin
        if label := _read_region(region.cut(gray), readers):
            read.append(region)
            labels.append(replace(label, rectangle=region.in_scan(gray.shape, pixels.shape)))
    return labels


def engine_for(setting: str) -> str:
    """The engine, or the two, that `[wrap] ocr` stands for on this machine."""
    if setting == "auto":
        return "tesserocr+rapidocr" if tesseract.in_process() else "pytesseract+rapidocr"
    return setting


def _readers(setting: str) -> tuple[Reader, Reader]:
    """The first and the second reader of lines."""
    first, _, second = engine_for(setting).partition("+")

    def once(lines: Lines) -> tuple[TextLine, ...]:
        return tuple(map(rapid.read_line, lines)) if first == "rapidocr" else tesseract.read_lines(lines, first)

    def again(lines: Lines) -> tuple[TextLine, ...]:
        if second:
            return tuple(map(rapid.read_line, lines))
        return once([resized(line, _OTHER_SIZE) for line in lines])

    return once, again


def _read_region(crop: NDArray[np.uint8], readers: tuple[Reader, Reader]) -> LabelText | None:
    """Reads one region; `None` where it holds no text that is legible in any turn."""
    level = levelled(crop)
    lines = text_lines(level.picture)
    longest = sorted(range(len(lines)), key=lambda line: (-lines[line].shape[1], line))[:_TRIED]
    best, best_score = _upright([lines[line] for line in longest], readers)
    if best_score < _LEAST_LEGIBLE:
        return None
    mirrored, turn = best
    upright = [_set(line, best) for line in (lines[::-1] if turn else lines)]
    # The region was turned first and mirrored then; said the other way round, a mirrored one turns the other way.
    quarter = 90 * level.quarters
    once, again = readers
    turn = (turn + (-quarter if mirrored else quarter)) % 360
    return LabelText(*_confirmed(once(upright), again(upright)), mirrored, turn)


def _confirmed(first: Sequence[TextLine], second: Sequence[TextLine]) -> tuple[tuple[TextLine, ...], tuple[TextLine, ...]]:
    """Both readings, line by line; words of lines that read the same in both are wrong only if both are."""
    both = list(zip(first, second, strict=True))
    pairs = [(_joint(one, other),) * 2 if one.text == other.text else (one, other) for one, other in both]
    return tuple(one for one, _ in pairs), tuple(other for _, other in pairs)


def _joint(one: TextLine, other: TextLine) -> TextLine:
    words = zip(one.words, other.words, strict=True)
    return TextLine(tuple((word, round(1 - (1 - certain) * (1 - also), 4)) for (word, certain), (_, also) in words))


def _upright(lines: Lines, readers: tuple[Reader, Reader]) -> tuple[tuple[bool, int], float]:
    """(whether mirrored, clockwise turn after that) in which lines are most legible, and how legible they are so."""
    scores: dict[tuple[bool, int], float] = {}
    for mirrored in (False, True):
        for turn in (0, 180):
            scores[mirrored, turn] = _legible(readers[0]([_set(line, (mirrored, turn)) for line in lines]))
        best, other = sorted(scores, key=lambda way: -scores[way])[:2]
        if scores[best] >= _LEGIBLE and scores[best] >= _CLEARLY * scores[other]:
            return best, scores[best]
    for way in scores:
        scores[way] += _legible(readers[1]([_set(line, way) for line in lines]))
    best = max(scores, key=lambda way: scores[way])
    return best, scores[best] / 2


def _set(line: NDArray[np.uint8], way: tuple[bool, int]) -> NDArray[np.uint8]:
    mirrored, turn = way
    picture = np.fliplr(line) if mirrored else line
    return np.ascontiguousarray(np.rot90(picture, turn // 90))


def _legible(lines: Sequence[TextLine]) -> float:
    """How many letters and digits were read with certainty, each word weighted by its confidence; single ones are noise."""
    return sum(
        confidence * letters
        for line in lines
        for word, confidence in line.words
        if (letters := sum(c.isalnum() for c in word)) >= 3 and confidence >= 0.6
    )
