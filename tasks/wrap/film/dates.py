"""Dates as they stand on film labels: in words, ISO, slashes (month first), dots (day first); unclear ones are not given."""

import re
from datetime import date

_MONTHS = {m: i + 1 for i, m in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"])}
_LETTERS_FOR = str.maketrans("0158", "OISB")  # what a reader takes letters of a month's name for

_WORDS_DAY_FIRST = re.compile(r"(\d{1,2})[ .\-/]?([A-Z0-9]{3,9})[ .,\-/]{1,2}(\d{4}|\d{2})")
_WORDS_MONTH_FIRST = re.compile(r"([A-Z]{3,9})[ .\-]{1,2}(\d{1,2}),? ?(\d{4})")
_NUMBERS = re.compile(r"(\d{4}|\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})")

_MONTH = r"(?=[0-9]*[A-Z])[A-Z0O1I5S8B]{3,9}"
DATE_PATTERN = (
    rf"(?:\d{{1,2}}[ .\-/]?{_MONTH}[ .,\-/]{{1,2}}(?:\d{{4}}|\d{{2}})|[A-Z]{{3,9}}[ .\-]{{1,2}}\d{{1,2}},? ?\d{{4}}"
    r"|\d{4}[/.\-]\d{1,2}[/.\-]\d{1,2}|\d{1,2}[/.\-]\d{1,2}[/.\-](?:\d{4}|\d{2}))(?!\d)"
)
"""Regular expression (in upper-case text) of what `parse_date` may take for a date."""


def parse_date(text: str, years: tuple[int, int], *, day_first: bool = False) -> str | None:
    """YYYYMMDD of a date whose year is within `years`, both included; `None` where it is none or can be read in two ways.

    Two-digit years are given only if exactly one century puts them between `years`. Numbers between slashes are month, day,
    year; where `day_first`, day, month, year.
    """
    text = text.strip().upper()
    if match := _WORDS_DAY_FIRST.fullmatch(text):
        day, month, year = match[1], _month(match[2]), match[3]
    elif match := _WORDS_MONTH_FIRST.fullmatch(text):
        day, month, year = match[2], _month(match[1]), match[3]
    elif match := _NUMBERS.fullmatch(text):
        day, month, year = _numbers(match[1], match[2], match[3], match[4], day_first)
    else:
        return None
    full = _full_year(year, years)
    try:
        return date(full, month, int(day)).strftime("%Y%m%d") if full and month else None
    except ValueError:
        return None


def _numbers(first: str, separator: str, second: str, third: str, day_first: bool) -> tuple[str, int | None, str]:
    """(day, month, year) of three numbers; the month is `None` where the style is not known."""
    if len(first) == 4:
        return (third, int(second), first) if len(third) <= 2 else (third, None, first)
    if separator == "/":
        day, month = (first, second) if day_first else (second, first)
        # A date that can only be the other way round is.
        return (month, int(day), third) if int(month) > 12 >= int(day) else (day, int(month), third)
    if separator == ".":
        return first, int(second), third
    # Dashes between bare numbers are written both ways.
    return (first, int(second), third) if int(first) > 12 or first == second else (second, None, third)


def _month(word: str) -> int | None:
    """Month of its English name or a beginning of it, at least three letters."""
    return _MONTHS.get(word.translate(_LETTERS_FOR)[:3])


def _full_year(year: str, years: tuple[int, int]) -> int | None:
    if len(year) == 4:
        return int(year) if years[0] <= int(year) <= years[1] else None
    fitting = [century + int(year) for century in range(1800, 2200, 100) if years[0] <= century + int(year) <= years[1]]
    return fitting[0] if len(fitting) == 1 else None
