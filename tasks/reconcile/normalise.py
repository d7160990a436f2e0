"""Names, numbers and dates in the form in which they are compared."""

import re
import unicodedata


def name_words(name: str | None) -> str:
    """The words of a name, upper case, without accents and punctuation, sorted: order does not count."""
    plain = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode().upper()
    return " ".join(sorted(re.findall(r"[A-Z]+", plain.replace("'", ""))))


def digits(identifier: str | None) -> str:
    """An identifier's letters and digits, upper case."""
    return re.sub(r"[^0-9A-Z]", "", (identifier or "").upper())


def da(text: str | None) -> str:
    """A date as YYYYMMDD, or nothing."""
    plain = re.sub(r"\D", "", text or "")
    return plain if len(plain) == 8 else ""
