"""Names as they stand on film labels: which word is the family name, and what is a title or a suffix and no name at all."""

import re

_TITLES = frozenset(["MR", "MRS", "MS", "MISS", "MSTR", "MASTER", "DR", "PROF", "REV", "SR", "JR", "II", "III", "IV"])
_CARET = (
    r"\s?[\^\"\u201d\u201c~*\\/\u2019\u2018\u00ab\u00bb]{1,2}\s?"  # the caret of FAMILY^GIVEN, and what readers take it for
)
_WORD = r"[A-Z](?:[A-Z'\-]*[A-Z])?\.?"
_PARTED = re.compile(rf",\s?|{_CARET}")
_APOSTROPHE = re.compile(r"\b([OD])['`\u2018\u2019\u00b4](?=[A-Z]{2})")

NAME_PATTERN = rf"{_WORD}(?:(?:,\s?|{_CARET}|\s){_WORD}){{1,4}}"
"""Regular expression (in upper-case text, after `with_apostrophes`) of what `parse_name` may take for a name."""


def with_apostrophes(text: str) -> str:
    """The text, no longer or shorter, with the apostrophe of O'LEARY and D'AMICO as ', whatever a reader took it for."""
    return _APOSTROPHE.sub(r"\1'", text)


def parse_name(text: str, *, family_first: bool) -> tuple[str, str] | None:
    """(FAMILY^GIVEN, form), or `None`; titles and suffixes are left out, further given names follow the first.

    The form is `order unknown` where neither comma nor caret says which is which; `family_first` is what is taken then. It is
    `caret` where a caret said so.
    """
    parts = [_names(part) for part in _PARTED.split(text.strip())]
    parts = [part for part in parts if part]
    if len(parts) >= 2:
        return f"{parts[0]}^{' '.join(parts[1:])}", "" if "," in text else "caret"
    words = parts[0].split() if parts else []
    if len(words) < 2:
        return None
    if len(words[0]) == 1 or (not family_first and len(words[-1]) > 1):
        words = [words[-1], *words[:-1]]
    return f"{words[0]}^{' '.join(words[1:])}", "order unknown"


def _names(text: str) -> str:
    words = (word.rstrip(".") for word in text.split())
    return " ".join(word for word in words if word and word not in _TITLES)
