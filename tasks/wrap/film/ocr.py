"""The text on a film: found where there are letters, read line by line by two engines that go wrong in different ways.

Regions come from `regions`, their lines from `lines`. Which way up a region stands is tried on its longest lines. Each line is
then read twice: by Tesseract and by RapidOCR's network, or at two sizes where the configuration names one engine.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film import rapid, tesseract
from tasks.wrap.film.lines import Line, levelled, resized, text_lines
from tasks.wrap.film.regions import Region, faint_text_regions, for_reading, text_regions
from tasks.wrap.film.text import LabelText, TextLine

__all__ = ["LabelText", "TextLine", "engine_for", "read_labels"]

_TRIED = 2  # lines read to learn which way up a region stands
_LEGIBLE = 9.0  # letters read with certainty in those: enough to know
_LEAST_LEGIBLE = 4.0
_RATHER_CERTAIN = 0.75  # less is read of letters that stand on their heads as well
_MOSTLY = 0.7  # share of all letters read so in one way, which need not be compared with a mirrored one then
_CLEARLY = 2.0  # the right way up is so much more legible than any other
_OTHER_SIZE = 1.35  # of the second reading, where one engine does both

Lines = Sequence[NDArray[np.uint8]]
_WHOLE_DATE = re.compile(r"^\W*\d{1,2}([./-])(?:\d{1,2}|[A-Za-z]{3})\1\d{4}\W*$")
Pair = tuple[TextLine, TextLine]
Way = tuple[bool, int]  # whether mirrored, clockwise turn after that
Reader = Callable[[Lines], tuple[TextLine, ...]]


def read_labels(pixels: NDArray[Any], setting: str) -> list[LabelText]:
    """Labels of a film (rows x columns [x 3], unsigned), the fullest first; `setting` is `[wrap] ocr`."""
    gray = for_reading(pixels)
    readers = _readers(setting)
    labels = _read_regions(text_regions(gray), gray, readers) or _read_regions(faint_text_regions(gray), gray, readers)
    return [replace(label, rectangle=region.in_scan(gray.shape, pixels.shape)) for region, label in labels]


def _read_regions(
    regions: Iterable[Region], gray: NDArray[np.uint8], readers: tuple[Reader, Reader]
) -> list[tuple[Region, LabelText]]:
    """Regions that hold text, and what it is; not read is what stands in the margin of another."""
    labels: list[tuple[Region, LabelText]] = []
    for region in regions:
        if any(known.surrounds(region) for known, _ in labels):
            continue
        if label := _read_region(region, gray, readers):
            labels.append((region, label))
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


def _read_region(region: Region, gray: NDArray[np.uint8], readers: tuple[Reader, Reader]) -> LabelText | None:
    """Reads one region; `None` where it holds no text that is legible in any turn."""
    level = levelled(region, gray)
    lines = text_lines(level)
    longest = sorted(range(len(lines)), key=lambda line: (-lines[line].pictures[0].shape[1], line))[:_TRIED]
    way, score = _upright([lines[line].pictures[0] for line in longest], readers)
    if score < _LEAST_LEGIBLE:
        return None
    mirrored, turn = way
    lines = lines[::-1] if turn else lines
    pairs = _read_twice(lines, way, readers)
    # The region was turned first and mirrored then; said the other way round, a mirrored one turns the other way.
    quarter = 90 * level.quarters
    turn = (turn + (-quarter if mirrored else quarter)) % 360
    return LabelText(tuple(one for one, _ in pairs), tuple(other for _, other in pairs), mirrored, turn)


def _read_twice(lines: Sequence[Line], way: Way, readers: tuple[Reader, Reader]) -> list[Pair]:
    """What the two readers read of each line; where they differ, prepared otherwise as well, until they do not."""
    once, again = readers
    reads: list[list[Pair]] = [[] for _ in lines]
    for preparation in range(len(lines[0].pictures)):
        places = [place for place, pairs in enumerate(reads) if not pairs or _differ(*_most_alike(pairs))]
        pictures = [_set(lines[place].pictures[preparation], way) for place in places]
        for place, one, other in zip(places, once(pictures), again(pictures), strict=True):
            reads[place].append((one, other))
    pairs = [_most_alike(of_line) for of_line in reads]
    return [_confirmed(*_but_for_ends(pair, line, way, readers)) for line, pair in zip(lines, pairs, strict=True)]


def _differ(one: TextLine, other: TextLine) -> bool:
    return one.letters != other.letters


def _most_alike(pairs: Sequence[Pair]) -> Pair:
    """Of several readings by each reader: those in which the readers agree, or else the surest of each."""
    ones, others = zip(*pairs, strict=True)
    for one in ones:
        for other in others:
            if one.letters and not _differ(one, other):
                return one, other
    one, other = map(_surest, (ones, others))
    if not one.words:
        other = _read_again(other, others)
    elif not other.words:
        one = _read_again(one, ones)
    return one, other


def _surest(reads: Sequence[TextLine]) -> TextLine:
    return max(reads, key=lambda read: (bool(read.words), read.confidence))


def _read_again(surest: TextLine, reads: Sequence[TextLine]) -> TextLine:
    """The surest reading of a line, confirmed by the surest of those of other preparations that say the same."""
    same = [read for read in reads if read is not surest and read.text == surest.text]
    return _joint(surest, _surest(same)) if same else surest


def _but_for_ends(pair: Pair, line: Line, way: Way, readers: tuple[Reader, Reader]) -> Pair:
    """What was read of a line; where it goes on nobody knows what its first or last word is.

    A whole date at its end is known that is read without what touches the picture's side as well.
    """
    if not (line.cut_left or line.cut_right):
        return pair
    mirrored, turn = way
    first, last = (line.cut_left, line.cut_right) if mirrored == bool(turn) else (line.cut_right, line.cut_left)
    inner = [] if line.inner is None else [_set(line.inner, way)]
    dates = {word for reader in readers for read in reader(inner) for word, _ in read.words[-1:] if _WHOLE_DATE.search(word)}
    one, other = (_but_for(read, dates, first=first, last=last) for read in pair)
    return one, other


def _but_for(read: TextLine, known: set[str], *, first: bool, last: bool) -> TextLine:
    """A line whose first or last word is not known, unless it is one of the `known`."""
    words = list(read.words)
    for cut, place in ((first, 0), (last, -1)):
        if cut and words and words[place][0] not in known:
            words[place] = (words[place][0], 0.0)
    return TextLine(tuple(words))


def _confirmed(one: TextLine, other: TextLine) -> Pair:
    """Both readings of a line; words of one that reads the same in both are wrong only if both are."""
    if one.text != other.text:
        return one, other
    joint = _joint(one, other)
    return joint, joint


def _joint(one: TextLine, other: TextLine) -> TextLine:
    words = zip(one.words, other.words, strict=True)
    return TextLine(tuple((word, round(1 - (1 - certain) * (1 - also), 4)) for (word, certain), (_, also) in words))


def _upright(lines: Lines, readers: tuple[Reader, Reader]) -> tuple[Way, float]:
    """The way in which lines are most legible, and how legible they are so."""
    scores: dict[Way, float] = {(mirrored, turn): 0.0 for mirrored in (False, True) for turn in (0, 180)}
    for reader, enough in zip(readers, (_LEGIBLE, 2 * _LEGIBLE), strict=True):
        shares: dict[Way, float] = {}
        for mirrored in (False, True):
            for way in ((mirrored, 0), (mirrored, 180)):
                read = reader([_set(line, way) for line in lines])
                scores[way] += _legible(read)
                shares[way] = _legible(read) / max(1, sum(len(line.letters) for line in read))
            best, other = sorted(scores, key=lambda way: -scores[way])[:2]
            # Of mirrored text that stands on its head much can be read, though little for certain.
            known = mirrored or shares.get(best, 0.0) >= _MOSTLY
            if known and scores[best] >= enough and scores[best] >= _CLEARLY * scores[other]:
                return best, scores[best]
    best = max(scores, key=lambda way: scores[way])
    return best, scores[best] / 2


def _set(line: NDArray[np.uint8], way: Way) -> NDArray[np.uint8]:
    mirrored, turn = way
    picture = np.fliplr(line) if mirrored else line
    return np.ascontiguousarray(np.rot90(picture, turn // 90))


def _legible(lines: Sequence[TextLine]) -> float:
    """How many letters and digits were read with certainty, each word weighted by its confidence; single ones are noise."""
    return sum(
        confidence * letters
        for line in lines
        for word, confidence in line.words
        if (letters := sum(c.isalnum() for c in word)) >= 3 and confidence >= _RATHER_CERTAIN
    )
