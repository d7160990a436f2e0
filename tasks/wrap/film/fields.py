"""What the lines of one reading of a label say: values under headings, and bare lines that can only be one thing.

Precision before recall: a value is given only where a heading (`NAME`, `DOB`, `ID`...) or an unmistakable form names it. Where
two lines say different things of one field, or a date has two meanings, nothing is certain.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.wrap.film.dates import DATE_PATTERN, parse_date
from tasks.wrap.film.names import NAME_PATTERN, parse_name, with_apostrophes
from tasks.wrap.film.text import TextLine

_LONGEST_LIFE = 115  # years
_LONGEST_INSTITUTION = 64  # characters, Institution Name (0008,0080)

_END = r"(?=[\W_]*$|[\W_]+(?:SEX|DOB|D\.?O\.?B|BORN|BD|ID|MRN|AGE|[MF][\W_]*$)\b)"  # what may follow a name in its line
_WHOLE = r"(?!\w)(?![\W_]*\d)"  # after a number; figures that follow it may be the rest of it
_HEADINGS: tuple[tuple[str, str, str], ...] = (
    (
        "study_date",
        r"EXAM(?:INED|INATION)?(?: ?DATE)?|STUDY(?: ?DATE)?|TAKEN(?: ON)?|X-?RAYED|(?<!BIRTH )(?<!BIRTH)DATE",
        DATE_PATTERN,
    ),
    (
        "birth_date",
        r"D[.:,]?\s?[O0][.:,]?\s?B|BIRTH\s?DATE|DATE OF BIRTH|BIRTHDAY|BORN|BD|B\.D",
        DATE_PATTERN,
    ),
    ("accession", r"ACC(?:ESSION)?(?:\s?N[O0])?|X-?\s?R(?:AY)?\s?N[O0]|FILM\s?N[O0]", rf"[A-Z]{{0,3}}\d{{4,12}}{_WHOLE}"),
    (
        "patient_id",
        r"(?:PT|PAT(?:IENT)?)\s?(?:[I1]D|N[O0])|[I1]D|MRN|P[I1]D|HOSP(?:ITAL)?\s?N[O0]|UNIT\s?N[O0]|CHART\s?N[O0]|(?<!\w)#",
        rf"[A-Z]{{0,2}}\d{{5,12}}{_WHOLE}",
    ),
    ("patient_name", r"(?:PATIENT\s?(?:NAME)?|PT)\s?[.:;]|(?:PATIENT\s?)?NAME(?![A-Z])", rf"{NAME_PATTERN}{_END}"),
)
_HEADED = tuple(
    (field, re.compile(rf"(?<![A-Z0-9])(?:{heading})[.:;#]*\s*(?P<value>{value})")) for field, heading, value in _HEADINGS
)
_SEX_AFTER_DATE = re.compile(rf"{DATE_PATTERN}\s*(?P<value>[MF])\b")
_SEX_HEADED = re.compile(r"(?<![A-Z])SEX\s*[.:;]?\s*(?P<value>MALE|FEMALE|M|F)\b")
_BARE_NAME = re.compile(rf"^\W*(?!NAME|PATIENT)(?P<value>{NAME_PATTERN})[\W_]*$")
_BARE_DATE = re.compile(rf"^\W*(?P<value>{DATE_PATTERN})[\W_]*$")
_INSTITUTION = re.compile(
    r"(?:HOSPITAL|CLINIC|INFIRMARY|MEDICAL|RADIOLOGY|GENERAL|CENTER|CENTRE|SANATORIUM|UNIVERSITY|DISPENSARY|IMAGING)\b"
)
# Words that stand on films and are nobody's name.
_NO_NAME = frozenset(
    [
        "ABDOMEN", "ACC", "ACCESSION", "AGE", "AP", "BD", "BEARING", "BIRTH", "BORN", "CHART", "CHEST", "COPY", "COUNTY",
        "DATE", "DECUB", "DOB", "DR", "ELBOW", "ERECT", "EXAM", "EXAMINATION", "EXP", "EXPIRATION", "FILM", "FOOT", "GRID",
        "HAND", "HOSP", "ICU", "ID", "INSP", "INSPIRATION", "KNEE", "LAT", "LATERAL", "LEFT", "MOBILE", "MRN", "NAME", "NO",
        "OBLIQUE", "OP", "PA", "PATIENT", "PELVIS", "PID", "PORT", "PORTABLE", "POST", "PRE", "PRONE", "PT", "RAY", "RIGHT",
        "SAINT", "SEX", "SITTING", "SKULL", "SPINE", "ST", "STANDING", "STUDY", "SUPINE", "TAKEN", "UNIT", "UPRIGHT", "VIEW",
        "WARD", "WEIGHT", "WITH", "WITHOUT", "XR", "XRAY",
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A value in a line: dates YYYYMMDD, names FAMILY^GIVEN; the text that says so, its certainty, and of a name its form."""

    value: str
    text: str
    confidence: float
    line: int
    form: str = ""


class _Line:
    """A line in upper case, with the confidence of any stretch of it."""

    def __init__(self, number: int, line: TextLine) -> None:
        # One character stays one, so that places in the text are places in the line; a dotted zero is read as ©.
        self.text = with_apostrophes("".join("0" if c == "©" else c.upper()[:1] for c in line.text))
        self.number = number
        self._words = line.words

    def found(self, match: re.Match[str], value: str, form: str = "") -> Found:
        """What a match in this line says; as certain as the least certain word it has a part of."""
        start, end = match.span("value")
        least, position = 1.0, 0
        for word, confidence in self._words:
            if position < end and position + len(word) > start:
                least = min(least, confidence)
            position += len(word) + 1
        return Found(value, match["value"], least, self.number, form)


def fields_of(lines: Sequence[TextLine], years: tuple[int, int], *, day_first: bool = False) -> dict[str, Found]:
    """Fields that lines of text say; `years` and `day_first` as for `read_fields`."""
    texts = [_Line(number, line) for number, line in enumerate(lines)]
    fields: dict[str, Found] = {}
    said = {
        text.number for field, pattern in _HEADED for text in texts if _headed(field, pattern, text, years, day_first, fields)
    }
    bare = [text for text in texts if text.number not in said]
    for text in texts:
        if sex := _SEX_HEADED.search(text.text) or (_SEX_AFTER_DATE.search(text.text) if text.number in said else None):
            _add(fields, "sex", text.found(sex, sex["value"][0]))
    for text in bare:
        if _INSTITUTION.search(text.text) and len(text.text) <= _LONGEST_INSTITUTION:
            whole = re.match(r"^\W*(?P<value>.*?)\W*$", text.text)
            if whole:
                fields.setdefault("institution", text.found(whole, whole["value"]))
    if fields:  # only beside something that makes it a label
        _bare_name(bare, fields)
        _bare_date(bare, years, day_first, fields)
    return fields


def _headed(
    field: str, pattern: re.Pattern[str], line: _Line, years: tuple[int, int], day_first: bool, fields: dict[str, Found]
) -> bool:
    """Adds what a line says of a field under a heading; whether it has such a heading."""
    match = pattern.search(line.text)
    if match is None:
        return False
    if field == "patient_name":
        name = parse_name(match["value"], family_first=True)
        if name:
            _add(fields, field, line.found(match, *name))
    else:
        value = _date(field, match["value"], years, day_first, fields) if field.endswith("date") else match["value"]
        if value:
            _add(fields, field, line.found(match, value))
    return True


def _add(fields: dict[str, Found], field: str, found: Found) -> None:
    """Adds a value; where another line says something else, neither is certain any more."""
    known = fields.get(field)
    if known is None:
        fields[field] = found
    elif known.value != found.value:
        fields[field] = replace(known, confidence=0.0, form="")


def _date(field: str, text: str, years: tuple[int, int], day_first: bool, fields: Mapping[str, Found]) -> str | None:
    if field != "birth_date":
        return parse_date(text, years, day_first=day_first)
    ever = (years[0] - _LONGEST_LIFE, years[1])
    if study := fields.get("study_date"):  # looked for before
        last = int(study.value[:4])
        if value := parse_date(text, (last - _LONGEST_LIFE, last), day_first=day_first):
            return value
        return parse_date(text, ever, day_first=day_first) if re.search(r"\d{4}", text) else None
    return parse_date(text, ever, day_first=day_first)


def _bare_name(lines: Sequence[_Line], fields: dict[str, Found]) -> None:
    """A line that is nothing but a name, where the label has exactly one such line and no headed name."""
    candidates = []
    for line in lines:
        match = _BARE_NAME.match(line.text)
        words = set(re.findall(r"[A-Z]+", line.text))
        if match and not words & _NO_NAME and not _INSTITUTION.search(line.text) and len(max(words, key=len)) > 2:
            candidates.append((line, match))
    if len(candidates) == 1 and "patient_name" not in fields:
        line, match = candidates[0]
        if name := parse_name(match["value"], family_first=False):
            _add(fields, "patient_name", line.found(match, *name))


def _bare_date(lines: Sequence[_Line], years: tuple[int, int], day_first: bool, fields: dict[str, Found]) -> None:
    """A line that is nothing but a date is the examination's, where the label has exactly one such line and no headed one."""
    matches = [(line, match) for line in lines if (match := _BARE_DATE.match(line.text))]
    if len(matches) == 1 and "study_date" not in fields:
        line, match = matches[0]
        if value := _date("study_date", match["value"], years, day_first, fields):
            _add(fields, "study_date", line.found(match, value))
