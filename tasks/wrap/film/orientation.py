"""Which way to turn a film, whether it lies mirrored, and where the patient's left is: decided from evidence, or not at all.

Anatomy says which way is up, where a frontal chest is seen for certain, and nothing of left and right. Letters say whether the
film lies mirrored. Which way letters stand says less: labels are stuck on and markers laid down at any quarter turn, so without
anatomy a turn is decided only where a label and a marker, two things put there by themselves, stand the same way. A wrong value
is far worse than none: what contradicts itself is not decided.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tasks.wrap.film.anatomy import chest_turn
from tasks.wrap.film.markers import Marker
from tasks.wrap.film.text import LabelText

_SYMMETRIC = frozenset("AHIMOTUVWXY018")  # the same in a mirror
_LEAST_LETTERS = 6  # that are not, read with certainty twice: enough to know that a label lies the right way round
_CERTAIN = 0.8
_ASIDE = 0.1  # a marker this near to the middle, as a share of the width, is on no side
_NOT_FRONTAL = re.compile(r"(?<![A-Z])(?:LAT|LATERAL|OBL|OBLIQUE|DECUB|DECUBITUS)(?![A-Z])")

Way = tuple[int, bool]


@dataclass(frozen=True)
class Orientation:
    """What is decided: the clockwise turn in degrees after the mirroring, whether mirrored, Patient Orientation (0020,0020).

    `None` and an empty string where it is not; `evidence` says what each rests on, or why it is not decided, without PHI.
    `patient_orientation` holds for the film set upright, and is given only where both are decided.
    """

    turn: int | None
    mirrored: bool | None
    evidence: str
    patient_orientation: str = ""


@dataclass(frozen=True)
class _Evidence:
    """All that a film says of how it lies: ways that fit, by who says so."""

    anatomy: frozenset[Way]
    labels: tuple[Way, ...]
    markers: tuple[Marker, ...]
    file: Way | None


def decide_orientation(
    pixels: NDArray[Any],
    labels: Sequence[LabelText],
    markers: Sequence[Marker],
    file_turn: int | None,
    file_mirrored: bool | None,
) -> Orientation:
    """The orientation of a film (`pixels`: rows x columns [x 3], unsigned, dark is zero) with its labels and markers.

    `file_turn` and `file_mirrored` are what its file says in an orientation tag. A tag that says upright counts for nothing:
    every program writes it unasked.
    """
    up = chest_turn(pixels)
    legible = tuple((label.turn, label.mirrored) for label in labels if _legible(label))
    tag = (file_turn or 0, bool(file_mirrored))
    evidence = _Evidence(upright_ways(up), legible, tuple(markers), None if tag == (0, False) else tag)
    turns, why_turn = _turns(evidence)
    mirrored, why_mirrored = _mirrored(evidence, turns)
    turn = _turn(turns, mirrored)
    if turns:
        said = f"turn {turn}" if turn is not None else "turn not decided: with another mirroring"
        why_turn = f"{said} by {why_turn}"
    why = [why_turn, why_mirrored]
    side = ""
    if up is not None and turn is not None and mirrored is not None:
        side, why_side = _patient_orientation(pixels.shape, labels, evidence, (turn, mirrored))
        why.append(why_side)
    return Orientation(turn, mirrored, "; ".join(why), side)


def upright_ways(up: int | None) -> frozenset[Way]:
    """The ways that set a film upright whose top is up after a clockwise turn by `up`; a mirrored one turns the other way."""
    return frozenset() if up is None else frozenset({(up, False), (-up % 360, True)})


def _legible(label: LabelText) -> bool:
    """Whether both readings have enough of the same letters that would read otherwise in a mirror."""
    again = [{word.upper() for word, _ in line.words} for line in label.second]
    letters = 0
    for number, line in enumerate(label.first):
        for word, confidence in line.words:
            if len(word) >= 3 and confidence >= _CERTAIN and number < len(again) and word.upper() in again[number]:
                letters += sum(c.isalnum() and c not in _SYMMETRIC for c in word.upper())
    return letters >= _LEAST_LETTERS


def _turns(evidence: _Evidence) -> tuple[frozenset[Way], str]:
    """The ways that may set the film upright, and by what; none where nothing decides."""
    agreed = {way for marker in evidence.markers for way in marker.ways} & set(evidence.labels)
    if evidence.anatomy:
        if evidence.file and evidence.file not in evidence.anatomy:
            return frozenset(), "turn not decided: the file's orientation tag contradicts the anatomy"
        if agreed and not agreed & evidence.anatomy:
            return frozenset(), "turn not decided: label and marker contradict the anatomy"
        return evidence.anatomy, "anatomy of a frontal chest"
    if evidence.file:
        if agreed and evidence.file not in agreed:
            return frozenset(), "turn not decided: label and marker contradict the file's orientation tag"
        return frozenset({evidence.file}), "the file's orientation tag"
    alike = len(set(evidence.labels)) == 1 and all(agreed & set(marker.ways) for marker in evidence.markers)
    if len(agreed) == 1 and alike:
        return frozenset(agreed), "a label and a marker that stand the same way"
    if evidence.labels and evidence.markers:
        return frozenset(), "turn not decided: labels and markers stand in different ways"
    if evidence.labels or evidence.markers:
        return frozenset(), "turn not decided: nothing but a label or a marker, which may stand in any way"
    return frozenset(), "turn not decided: no frontal chest, no legible label, no marker"


def _mirrored(evidence: _Evidence, turns: frozenset[Way]) -> tuple[bool | None, str]:
    """Whether the film lies mirrored, and what says so; only letters and the file's own tag can."""
    by_label = {mirrored for _, mirrored in evidence.labels}
    by_marker = {mirrored for marker in evidence.markers for mirrored in _marker_says(marker, turns)}
    by_file = {True} if evidence.file and evidence.file[1] else set()  # a tag that only turns knows of no face
    said = by_label | by_marker | by_file
    if not said:
        return None, "mirroring not decided: no legible text, and no marker that stands upright"
    names = (("a legible label", by_label), ("a marker", by_marker), ("the file's orientation tag", by_file))
    who = " and ".join(name for name, answers in names if answers)
    if len(said) > 1:
        return None, f"mirroring not decided: contradictory by {who}"
    answer = said.pop()
    return answer, f"{'' if answer else 'not '}mirrored by {who}"


def _marker_says(marker: Marker, turns: frozenset[Way]) -> set[bool]:
    """Whether a marker lies mirrored; one that does not stand upright where that is known was laid down anyhow."""
    ways = set(marker.ways) & turns if turns else set(marker.ways)
    answers = {mirrored for _, mirrored in ways}
    return answers if len(answers) == 1 else set()


def _turn(turns: frozenset[Way], mirrored: bool | None) -> int | None:
    """The one turn that fits; where nobody knows of a mirroring, that of the film as it lies, which sets its top up."""
    fitting = {turn for turn, other in turns if other == bool(mirrored)}
    return fitting.pop() if len(fitting) == 1 else None


def _patient_orientation(shape: tuple[int, ...], labels: Sequence[LabelText], evidence: _Evidence, way: Way) -> tuple[str, str]:
    """(Patient Orientation of an upright frontal chest, why): its rows run to the patient's left, its columns to the feet.

    PS3.3 C.7.6.1.1.1. A marker on the other side than that is a marker put down wrong, or a film not understood.
    """
    if _NOT_FRONTAL.search(" ".join(line.text.upper() for label in labels for line in (*label.first, *label.second))):
        return "", "Patient Orientation empty: a label speaks of another view than a frontal one"
    standing = [marker for marker in evidence.markers if way in marker.ways]
    if not standing:
        return "", "Patient Orientation empty: no marker that stands upright"
    places = list(_places(standing, shape, way))
    if all(place >= _ASIDE if side == "L" else place <= -_ASIDE for side, place in places):
        return "L\\F", f"Patient Orientation by marker {' and '.join(sorted({marker.text for marker in standing}))}"
    return "", "Patient Orientation empty: a marker is not on the side where it belongs"


def _places(markers: Iterable[Marker], shape: tuple[int, ...], way: Way) -> Iterable[tuple[str, float]]:
    """Of each marker: the side it names, and how far right of the middle of the upright film it is, as a share of the width."""
    turn, mirrored = way
    for marker in markers:
        right = (marker.left + marker.width / 2) / shape[1] - 0.5
        down = (marker.top + marker.height / 2) / shape[0] - 0.5
        right = -right if mirrored else right
        yield marker.side, {0: right, 90: -down, 180: -right, 270: down}[turn]
