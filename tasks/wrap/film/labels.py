"""What a film's label says: fields with confidence and origin, out of the lines of text that were read.

Precision before recall: a field is given only where a heading (`NAME`, `DOB`, `ID`...) or an unmistakable form names it, and
where its reading is certain enough; what two readings or two labels say differently is not given, nor is a date that has
two meanings.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.wrap.film.dates import DATE_PATTERN, parse_date
from tasks.wrap.film.ocr import LabelText, TextLine

LEAST_CONFIDENCE = 0.7
_BOTH_AGREE = 0.75  # two readings give the same letters around a caret, the one glyph that makes the engine doubt the word
_ORDER_UNKNOWN = 0.7  # family and given name without comma or caret: which is which is not read
_LONGEST_LIFE = 115  # years

_NAME_WORD = r"[A-Z](?:[A-Z'\-]*[A-Z])?"
_CARET = r"\s?[\^\"\u201d\u201c~*\\/\u2019\u2018]{1,2}\s?"  # the caret of FAMILY^GIVEN, and what a reader takes it for
_HEADINGS: tuple[tuple[str, str, str], ...] = (
    (
        "birth_date",
        r"D[.:,]?\s?[O0][.:,]?\s?B|BIRTH\s?DATE|DATE OF BIRTH|BIRTHDAY|BORN|BD|B\.D",
        DATE_PATTERN,
    ),
    (
        "study_date",
        r"EXAM(?:INED|INATION)?(?: DATE)?|STUDY(?: DATE)?|TAKEN(?: ON)?|X-?RAYED|(?<!BIRTH )DATE",
        DATE_PATTERN,
    ),
    (
        "accession",
        r"ACC(?:ESSION)?(?:\s?N[O0])?|X-?\s?R(?:AY)?\s?N[O0]|FILM\s?N[O0]",
        r"[A-Z]{0,3}\d{4,12}(?!\w)",
    ),
    (
        "patient_id",
        r"(?:PT|PAT(?:IENT)?)\s?(?:ID|N[O0])|ID|MRN|PID|HOSP(?:ITAL)?\s?N[O0]|UNIT\s?N[O0]|CHART\s?N[O0]|(?<!\w)#",
        r"[A-Z]{0,2}\d{5,12}(?!\w)",
    ),
    (
        "patient_name",
        r"(?:PATIENT(?: NAME)?|NAME|PT)\s?[.:;]",
        rf"{_NAME_WORD}(?:(?:,\s?|{_CARET}|\s){_NAME_WORD}){{1,3}}(?=[\W_]*$)",
    ),
)
_HEADED = tuple(
    (field, re.compile(rf"(?<![A-Z0-9])(?:{heading})[.:;#]*\s*(?P<value>{value})")) for field, heading, value in _HEADINGS
)
_SEX_AFTER_DATE = re.compile(rf"{DATE_PATTERN}\s+(?P<value>[MF])\b")
_SEX_HEADED = re.compile(r"\bSEX\s*[.:;]?\s*(?P<value>M|F|MALE|FEMALE)\b")
_BARE_PARTED_NAME = re.compile(rf"^\W*(?P<value>{_NAME_WORD}(?:,\s?|{_CARET}){_NAME_WORD}(?:\s[A-Z])?)[\W_]*$")
_BARE_NAME = re.compile(rf"^\W*(?P<value>{_NAME_WORD}(?:\s[A-Z])?\s{_NAME_WORD})[\W_]*$")
_BARE_DATE = re.compile(rf"^\W*(?P<value>{DATE_PATTERN})[\W_]*$")
_INSTITUTION = re.compile(
    r"\b(?:HOSPITAL|CLINIC|INFIRMARY|MEDICAL|RADIOLOGY|GENERAL|CENTER|CENTRE|SANATORIUM|UNIVERSITY|DISPENSARY|IMAGING)\b"
)
# Words that stand on films and are nobody's name.
_NO_NAME = frozenset(
    [
        "ABDOMEN", "ACC", "AGE", "AP", "BEARING", "BORN", "CHEST", "COPY", "DATE", "DECUB", "DOB", "DR", "ELBOW",
        "ERECT", "EXAM", "EXP", "EXPIRATION", "FILM", "FOOT", "GRID", "HAND", "ICU", "ID", "INSP", "INSPIRATION",
        "KNEE", "LAT", "LATERAL", "LEFT", "MOBILE", "MRN", "NAME", "NO", "OBLIQUE", "OP", "PA", "PATIENT", "PELVIS",
        "PORT", "PORTABLE", "POST", "PRE", "PRONE", "RAY", "RIGHT", "SEX", "SITTING", "SKULL", "SPINE", "STANDING",
        "SUPINE", "TAKEN", "UPRIGHT", "VIEW", "WARD", "WEIGHT", "WITH", "WITHOUT", "XRAY",
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One field as read: value (dates YYYYMMDD, names FAMILY^GIVEN), probability of being right, origin."""

    value: str
    confidence: float
    origin: str = "ocr"
    form: str = ""  # of a name: `caret`, or `order unknown`


def read_fields(labels: Sequence[LabelText], years: tuple[int, int]) -> dict[str, Reading]:
    """Fields of a film's labels by name; `years` is when such films were made, by which two-digit years are read."""
    found: dict[str, list[Reading]] = {}
    for label in labels:
        if not _legible(label):
            continue  # a word read with certainty between others that were not is most likely chance
        agreed = _agreed(_fields(label.first, years), _fields(label.second, years))
        for field, reading in agreed.items():
            found.setdefault(field, []).append(reading)
    fields = {
        field: max(readings, key=lambda reading: reading.confidence)
        for field, readings in sorted(found.items())
        if len({reading.value for reading in readings}) == 1
    }
    fields = {field: reading for field, reading in fields.items() if reading.confidence >= LEAST_CONFIDENCE}
    if "birth_date" in fields and "study_date" in fields and fields["birth_date"].value > fields["study_date"].value:
        del fields["birth_date"], fields["study_date"]  # one of them was misread, and nobody knows which
    return fields


def _legible(label: LabelText) -> bool:
    """Whether at least half of a label's lines were read with some certainty; hand-writing mostly is not."""
    lines = [line for line in label.first if sum(c.isalnum() for c in line.text) >= 3]
    certain = [line for line in lines if line.confidence >= 0.4]
    return 2 * len(certain) >= len(lines)


def _agreed(first: Mapping[str, Reading], second: Mapping[str, Reading]) -> dict[str, Reading]:
    """What two readings of the same label give together: the same is more certain, one alone less, two different nothing."""
    together = {}
    for field in first.keys() | second.keys():
        one, other = first.get(field), second.get(field)
        if one and other and one.value != other.value:
            continue
        best = max((reading for reading in (one, other) if reading), key=lambda reading: reading.confidence)
        confidence = best.confidence
        if one and other and (confidence >= LEAST_CONFIDENCE or best.form == "caret"):
            confidence = max(1 - (1 - one.confidence) * (1 - other.confidence), _BOTH_AGREE)
        if best.form == "order unknown":
            confidence = min(confidence, _ORDER_UNKNOWN)
        together[field] = replace(best, confidence=round(confidence, 4))
    return together


def _fields(lines: Iterable[TextLine], years: tuple[int, int]) -> dict[str, Reading]:
    """Fields of one reading of one label."""
    texts = [_Upper(line) for line in lines]
    fields: dict[str, Reading] = {}
    bare = [text for text in texts if not _headed(text, years, fields)]
    for text in bare:
        if _INSTITUTION.search(text.text) and len(text.text) <= 64:
            value = re.sub(r"^\W+|\W+$", "", text.text)
            fields.setdefault("institution", Reading(value, text.confidence(0, len(text.text))))
    if fields:  # only beside something that makes it a label
        _bare_name(bare, fields)
        _bare_date(bare, years, fields)
    return fields


class _Upper:
    """A line in upper case, with the confidence of any stretch of it."""

    def __init__(self, line: TextLine) -> None:
        # One character stays one, so that places in the text are places in the line; a dotted zero is read as ©.
        self.text = "".join("0" if c == "©" else c.upper()[:1] for c in line.text)
        self._words = line.words

    def confidence(self, start: int, end: int) -> float:
        """Of the least certain word that has a part in characters `start` to `end`."""
        least, position = 1.0, 0
        for word, confidence in self._words:
            if position < end and position + len(word) > start:
                least = min(least, confidence)
            position += len(word) + 1
        return least


def _headed(line: _Upper, years: tuple[int, int], fields: dict[str, Reading]) -> bool:
    """Adds what a line says under a heading; whether it said anything."""
    said = False
    for field, pattern in _HEADED:
        if match := pattern.search(line.text):
            said = True
            value = _value(field, match["value"], years, fields)
            _add(fields, field, value, line, match)
    sex = _SEX_HEADED.search(line.text) or (_SEX_AFTER_DATE.search(line.text) if said else None)
    if sex:
        _add(fields, "sex", (sex["value"][0], ""), line, sex)
    return said


def _add(fields: dict[str, Reading], field: str, value: tuple[str, str] | None, line: _Upper, match: re.Match[str]) -> None:
    """Adds a value; where another line says something else, neither is certain any more."""
    if value is None:
        return
    reading = Reading(value[0], line.confidence(*match.span("value")), form=value[1])
    known = fields.get(field)
    if known is None:
        fields[field] = reading
    elif known.value != reading.value:
        fields[field] = replace(known, confidence=0.0, form="")


def _value(field: str, text: str, years: tuple[int, int], fields: Mapping[str, Reading]) -> tuple[str, str] | None:
    if field == "patient_name":
        return parse_name(text, family_first=True)
    if field == "study_date":
        value = parse_date(text, years)
    elif field == "birth_date":
        study = fields.get("study_date")
        last = int(study.value[:4]) if study else years[1]
        value = parse_date(text, ((last if study else years[0]) - _LONGEST_LIFE, last))
    else:
        value = text
    return (value, "") if value else None


def _bare_name(lines: Sequence[_Upper], fields: dict[str, Reading]) -> None:
    """A line that is nothing but a name, where the label has exactly one such line and no headed name."""
    candidates = []
    for line in lines:
        match = _BARE_PARTED_NAME.match(line.text) or _BARE_NAME.match(line.text)
        words = set(re.findall(r"[A-Z]+", line.text))
        if match and not words & _NO_NAME and not _INSTITUTION.search(line.text) and (len(max(words, key=len)) > 2):
            candidates.append((line, match))
    if len(candidates) == 1 and "patient_name" not in fields:
        line, match = candidates[0]
        _add(fields, "patient_name", parse_name(match["value"], family_first=False), line, match)


def _bare_date(lines: Sequence[_Upper], years: tuple[int, int], fields: dict[str, Reading]) -> None:
    """A line that is nothing but a date is the examination's, where the label has exactly one such line and no headed one."""
    matches = [(line, match) for line in lines if (match := _BARE_DATE.match(line.text))]
    if len(matches) == 1 and "study_date" not in fields:
        line, match = matches[0]
        _add(fields, "study_date", _value("study_date", match["value"], years, fields), line, match)


def parse_name(text: str, *, family_first: bool) -> tuple[str, str] | None:
    """(FAMILY^GIVEN, form): `order unknown` where neither comma nor caret says which is which and `family_first` counted."""
    parts = re.split(rf",\s?|{_CARET}", text.strip(), maxsplit=1)
    if len(parts) == 2:
        family, given = parts[0].strip(), parts[1].strip()
        form = "" if "," in text else "caret"
        return (f"{family}^{given}", form) if family and given else None
    words = text.split()
    if len(words) < 2:
        return None
    if len(words[0]) == 1 or (not family_first and len(words[-1]) > 1):
        words = [words[-1], *words[:-1]]
    return f"{words[0]}^{' '.join(words[1:])}", "order unknown"
