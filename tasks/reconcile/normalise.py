"""Names, identifiers, dates and sexes in the one spelling in which they are compared; what cannot be read as one is `None`."""

import re
import unicodedata
from datetime import date
from functools import lru_cache

# Letters that NFKD does not take apart, as registries transliterate them (ICAO Doc 9303 part 3, section 6).
# Applied after upper case, which makes SS of a sharp s.
_LETTERS = str.maketrans({"Æ": "AE", "Œ": "OE", "Ø": "OE", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "ẞ": "SS"})
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`\u00b4.]")
_TITLES = frozenset({"MR", "MRS", "MS", "MISS", "DR", "PROF"})

_DATES = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})([-./])(\d{1,2})\5(\d{1,2})", re.ASCII)


@lru_cache(maxsize=1 << 16)
def normal_name(text: str | None) -> str | None:
    """A name part in capitals without accents, apostrophes and titles, words parted by one blank; `None` where nothing is left.

    Letters of scripts other than Latin stay as they are. A hyphen parts words, an apostrophe does not (O'NEIL is ONEIL).
    """
    if not text:
        return None
    # Taken apart first, for letters such as a superscript o have capitals only then; and again, for capitals may be composed.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).upper().translate(_LETTERS))
    letters = "".join(c for c in _APOSTROPHES.sub("", folded) if not unicodedata.combining(c))
    words = "".join(c if c.isalpha() else " " for c in letters).split()
    return " ".join(word for word in words if word not in _TITLES) or None


def name_words(*parts: str | None) -> tuple[str, ...]:
    """The words of all parts of a name, sorted, so that family and given name may stand in either order."""
    return tuple(sorted(word for part in parts for word in (normal_name(part) or "").split()))


def split_name(text: str | None) -> tuple[str | None, str | None]:
    """Family name and given names, as spelled, of `FAMILY^GIVEN^MIDDLE`, `FAMILY, GIVEN` or a bare family name."""
    if not text:
        return None, None
    alphabetic = text.split("=")[0]
    parts = alphabetic.split("^") if "^" in alphabetic else alphabetic.split(",", 1)
    family = parts[0].strip() or None
    given = " ".join(part.strip() for part in parts[1:3] if part.strip()) or None
    return family, given


def names_compatible(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one name may be a shorter spelling of the other: each word, or an initial for it, stands in the longer one.

    At least one whole word must be shared; an empty name is compatible with none.
    """
    shorter, longer = sorted((one, other), key=lambda words: (len(words), sum(map(len, words)), words))
    left = list(longer)
    rest = []
    for word in shorter:
        if word in left:
            left.remove(word)
        else:
            rest.append(word)
    if len(rest) == len(shorter):
        return False
    for word in rest:
        match = next((other for other in left if _initial(word, other)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _initial(one: str, other: str) -> bool:
    return (len(one) == 1 or len(other) == 1) and one[0] == other[0]


def normal_identifier(text: str | None) -> str | None:
    """An identifier in capitals without blanks; leading zeros count, for in some hospitals they tell people apart."""
    return "".join((text or "").upper().split()) or None


def normal_date(text: str | None) -> str | None:
    """A calendar date as YYYYMMDD, from YYYYMMDD or year first with `-`, `.` or `/`; other orders are not guessed."""
    match = _DATES.fullmatch((text or "").strip())
    if match is None:
        return None
    year, month, day = (int(match.group(first) or match.group(second)) for first, second in ((1, 4), (2, 6), (3, 7)))
    try:
        return date(year, month, day).strftime("%Y%m%d") if year >= 1000 else None
    except ValueError:
        return None


def normal_sex(text: str | None) -> str | None:
    """`M`, `F` or `O`, from a letter or an English word; `None` where unknown."""
    word = (text or "").strip().upper()
    return {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O"}.get(word)
