"""What a film's labels say, out of two readings of each: fields with a value, a confidence and an origin.

Two engines that read the same are hardly ever both wrong; so what they agree on counts. What one of them reads alone counts
only where it is nearly certain and the label as a whole is legible to it, which hand-writing mostly is not. Where readings or
labels contradict each other, nothing is given: a wrong value is far worse than none.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.wrap.film.barcodes import BARCODE_CONFIDENCE, Barcode, settled
from tasks.wrap.film.fields import Found, fields_of
from tasks.wrap.film.text import LabelText, TextLine

LEAST_CONFIDENCE = 0.7
_ALONE = 0.98  # least confidence of what only one engine read
_NO_READING = 0.4  # most confidence of what contradicts that and does not count
_CERTAIN = 0.9  # a line that was read so well is legible
_LEGIBLE, _ALL_BUT_LEGIBLE = 0.5, 0.75  # least shares of legible lines: for any field, for one that one engine read alone
_ORDER_UNKNOWN = 0.7  # family and given name without comma or caret: which is which is not read


@dataclass(frozen=True)
class Reading:
    """One field as read: value (dates YYYYMMDD, names FAMILY^GIVEN), probability of being right, origin."""

    value: str
    confidence: float
    origin: str = "ocr"


def read_fields(
    labels: Sequence[LabelText], years: tuple[int, int], codes: Sequence[Barcode] = (), *, day_first: bool = False
) -> dict[str, Reading]:
    """Fields of a film's labels and barcodes by name.

    `years` is when such films were made, by which two-digit years are read; `day_first` says that dates between slashes are
    day, month, year.
    """
    found: dict[str, list[Reading]] = {}
    for label in labels:
        for field, reading in _fields_of_label(label, years, day_first).items():
            found.setdefault(field, []).append(reading)
    fields = {
        field: max(readings, key=lambda reading: reading.confidence)
        for field, readings in sorted(found.items())
        if len({reading.value for reading in readings}) == 1
    }
    fields = {field: reading for field, reading in fields.items() if reading.confidence >= LEAST_CONFIDENCE}
    printed = [fields_of(lines, years, day_first=day_first) for label in labels for lines in (label.first, label.second)]
    for field, value in settled(codes, printed).items():
        if field in fields and fields[field].value != value:
            del fields[field]  # print and bars differ, and nobody knows which is right
        else:
            fields[field] = Reading(value, BARCODE_CONFIDENCE, "barcode")
    if "birth_date" in fields and "study_date" in fields and fields["birth_date"].value > fields["study_date"].value:
        del fields["birth_date"], fields["study_date"]  # one of them was misread, and nobody knows which
    return fields


def legible_share(label: LabelText) -> float:
    """Share of a label's lines that were read with certainty or twice the same, 0 to 1; of hand-writing mostly below half.

    What only one reading has, and not for certain, is most likely no line of text and does not count.
    """
    certain = []
    for number in range(max(len(label.first), len(label.second))):
        first, second = _line(label.first, number), _line(label.second, number)
        sure = max(first.confidence, second.confidence) >= _CERTAIN or first.letters == second.letters
        if max(len(first.letters), len(second.letters)) >= 3 and (sure or (first.words and second.words)):
            certain.append(sure)
    return sum(certain) / len(certain) if certain else 0.0


def _fields_of_label(label: LabelText, years: tuple[int, int], day_first: bool) -> dict[str, Reading]:
    legible = legible_share(label)
    if legible < _LEGIBLE:
        return {}  # a word read with certainty between others that were not is most likely chance
    first, second = (fields_of(lines, years, day_first=day_first) for lines in (label.first, label.second))
    readings = {}
    for field in sorted(first.keys() | second.keys()):
        reading = _together(field, (first, second), label, alone=legible >= _ALL_BUT_LEGIBLE)
        if reading:
            readings[field] = reading
    return readings


def _together(
    field: str, readings: tuple[Mapping[str, Found], Mapping[str, Found]], label: LabelText, *, alone: bool
) -> Reading | None:
    """What two readings of a field come to; `None` where they contradict each other or one alone is not enough."""
    one, other = (reading.get(field) for reading in readings)
    if one and other and one.value != other.value:
        surest, doubtful = sorted((one, other), key=lambda found: -found.confidence)
        if _letters(one.value) == _letters(other.value):  # but for the spaces
            return Reading(max(one.value, other.value, key=len), round(surest.confidence, 4))
        if not alone or surest.confidence < _ALONE or doubtful.confidence > _NO_READING:
            return None
        return Reading(surest.value, round(min(surest.confidence, _most(surest)), 4))
    best = max((found for found in (one, other) if found), key=lambda found: found.confidence)
    support = _support(best, label.second if best is one else label.first) if not (one and other) else None
    if one and other:
        confidence = 1 - (1 - one.confidence) * (1 - other.confidence)
    elif support is not None:
        confidence = 1 - (1 - best.confidence) * (1 - support)
    else:
        lines = (label.first, label.second) if best is one else (label.second, label.first)
        whole = _as_long(*(_line(read, best.line) for read in lines))
        confidence = best.confidence if alone and whole and best.confidence >= _ALONE else 0.0
    if max(best.confidence, support or 0.0) < LEAST_CONFIDENCE:
        confidence = 0.0
    return Reading(best.value, round(min(confidence, _most(best)), 4))


def _as_long(line: TextLine, other: TextLine) -> bool:
    """Whether the other reading of a line, if it is one at all, has as many letters: what one of them cuts off is not read."""
    return other.confidence <= _NO_READING or (other.confidence < _CERTAIN and abs(len(line.letters) - len(other.letters)) <= 1)


def _most(found: Found) -> float:
    """The most confidence its form allows."""
    return _ORDER_UNKNOWN if found.form == "order unknown" else 1.0


def _support(found: Found, lines: Sequence[TextLine]) -> float | None:
    """How certain the other reading is of the same letters, where it has them but parts its words otherwise; else `None`.

    Between the parts of a name some letters may stand for the caret.
    """
    line = _line(lines, found.line)
    parts = [re.escape(_letters(part)) for part in re.split(r"[\s^,]+" if "^" in found.value else r"$^", found.text)]
    pattern = re.compile("[AMNV]{0,2}".join(part for part in parts if part))
    return max(0.5, line.confidence) if pattern.search(line.letters) else None


def _line(lines: Sequence[TextLine], number: int) -> TextLine:
    return lines[number] if number < len(lines) else TextLine(())


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.upper().replace("©", "0"))
