"""What a film's label says: fields with confidence and origin, out of the lines of text that were read.

Precision before recall: a field is given only where a heading (`NAME`, `DOB`, `ID`...) or an unmistakable form names it, and where
its reading is certain enough; a date that can be read in two ways is not given.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tasks.wrap.film.ocr import TextLine

LEAST_CONFIDENCE = 0.6
_MONTHS = {m: i + 1 for i, m in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"])}

_DATE = r"(\d{1,2}[ /.\-][A-Z]{3,9}[ /.\-,]+\d{2,4}|[A-Z]{3,9} \d{1,2},? \d{4}|\d{1,4}[/.\-]\d{1,2}[/.\-]\d{2,4})"
_HEADED: tuple[tuple[str, str], ...] = (
    ("birth_date", rf"\b(?:D\.?O\.?B\.?|BIRTH(?:DATE|DAY)?|BORN|DATE OF BIRTH)\s*[:.;]?\s*{_DATE}"),
    ("study_date", rf"\b(?:EXAM(?: DATE)?|STUDY(?: DATE)?|EXAMINED|(?<!BIRTH )(?<!OF )DATE)\s*[:.;]?\s*{_DATE}"),
    ("patient_id", r"\b(?:ID|MRN|PID|PAT(?:IENT)? ?(?:NO|ID)|HOSP(?:ITAL)? ?NO|UNIT NO|NO)\.?\s*[:.;#]?\s*([A-Z]?\d{5,12})\b"),
    ("accession", r"\b(?:ACC(?:ESSION)?(?: ?NO)?|X-?RAY NO|FILM NO)\.?\s*[:.;#]?\s*([A-Z]{0,2}\d{4,10})\b"),
    ("sex", r"\bSEX\s*[:.;]?\s*(M|F|MALE|FEMALE)\b"),
    ("patient_name", r"\b(?:PATIENT|NAME|PT)(?: NAME)?\s*[:.;]\s*([A-Z][A-Z'\-]+(?:,? +[A-Z][A-Z'\-]*){0,3})"),
)
_BARE_NAME = re.compile(r"^([A-Z][A-Z'\-]+), ?([A-Z][A-Z'\-]+(?: [A-Z])?)$")
_INSTITUTION = re.compile(r"\b(HOSPITAL|CLINIC|INFIRMARY|MEDICAL CENTER|MEDICAL CENTRE)\b")


@dataclass(frozen=True)
class Reading:
    """One field as read: value (dates YYYYMMDD, names FAMILY^GIVEN), probability of being right, origin."""

    value: str
    confidence: float
    origin: str = "ocr"


def read_fields(lines: Sequence[TextLine], years: tuple[int, int]) -> dict[str, Reading]:
    """Fields of a label by name; what two lines say differently is left out."""
    found: dict[str, set[Reading]] = {}
    for line in lines:
        text = re.sub(r"\s+", " ", line.text.upper()).strip()
        if line.confidence < LEAST_CONFIDENCE:
            continue
        for field, value in _fields_of(text, years):
            found.setdefault(field, set()).add(Reading(value, round(line.confidence, 4)))
    return {
        field: max(readings, key=lambda reading: reading.confidence)
        for field, readings in sorted(found.items())
        if len({reading.value for reading in readings}) == 1
    }


def _fields_of(text: str, years: tuple[int, int]) -> list[tuple[str, str]]:
    fields = []
    for field, pattern in _HEADED:
        match = re.search(pattern, text)
        value = _normalised(field, match.group(1), years) if match else None
        if value:
            fields.append((field, value))
    if not fields and (name := _BARE_NAME.match(text)):
        fields.append(("patient_name", f"{name.group(1)}^{name.group(2).split()[0]}"))
    if _INSTITUTION.search(text) and len(text) <= 64 and not fields:
        fields.append(("institution", text))
    return fields


def _normalised(field: str, value: str, years: tuple[int, int]) -> str | None:
    if field == "birth_date":
        return parse_date(value, (years[0] - 100, years[1]))
    if field == "study_date":
        return parse_date(value, years)
    if field == "sex":
        return value[0]
    return parse_name(value) if field == "patient_name" else value


def parse_name(text: str) -> str | None:
    """FAMILY^GIVEN of `FAMILY, GIVEN`; without a comma the order is not known and nothing is given."""
    family, comma, given = text.partition(",")
    words = given.split()
    return f"{family.strip()}^{words[0]}" if comma and words and family.strip() else None


def parse_date(text: str, years: tuple[int, int]) -> str | None:
    """YYYYMMDD of a date in words, ISO, slashes (month first) or dots (day first); `None` where it is unclear.

    Two-digit years are given only if exactly one century puts them between `years`.
    """
    tokens = re.findall(r"\d+|[A-Z]+", text.upper())
    if len(tokens) != 3:
        return None
    months = [_MONTHS.get(token[:3]) if token.isalpha() else None for token in tokens]
    if any(months):
        month = next(month for month in months if month)
        numbers = [token for token in tokens if token.isdigit()]
        if len(numbers) != 2:
            return None
        day, year = numbers
    elif len(tokens[0]) == 4:
        year, month, day = tokens[0], int(tokens[1]), tokens[2]
    elif "/" in text:
        month, day, year = int(tokens[0]), tokens[1], tokens[2]
    elif "." in text:
        day, month, year = tokens[0], int(tokens[1]), tokens[2]
    else:
        return None
    full = _full_year(year, years)
    try:
        return date(full, month, int(day)).strftime("%Y%m%d") if full else None
    except ValueError:
        return None


def _full_year(year: str, years: tuple[int, int]) -> int | None:
    if len(year) == 4:
        return int(year) if years[0] <= int(year) <= years[1] else None
    fitting = [century + int(year) for century in range(1800, 2100, 100) if years[0] <= century + int(year) <= years[1]]
    return fitting[0] if len(year) == 2 and len(fitting) == 1 else None
