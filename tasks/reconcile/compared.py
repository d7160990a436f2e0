"""The columns that are compared, for records of the index and for questions alike, made from what is spelled.

Columnar: what a column says is looked at once for each different text. Shapes: a table of n rows in, one of n rows out.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import jellyfish
import pyarrow as pa
from anyascii import anyascii
from nicknames import NickNamer

from tasks.reconcile.normalise import normal_date, normal_identifier, normal_name, normal_sex

# Spellings that sound alike though no phonetic code for English joins them: how umlauts are taken apart in passports
# (ICAO Doc 9303 part 3, section 6), and doubled letters.
_TWO_LETTERS = re.compile(r"(?<=[AOU])E(?=[^AEIOUY])|(.)(?=\1)")
_EIGHT_DIGITS = re.compile(r"\d{8}", re.ASCII)

_TEXT = pa.string()
Column: TypeAlias = "pa.ChunkedArray[Any] | pa.Array[Any]"

COMPARED = pa.schema(
    [
        ("patient_id", pa.string()),
        ("family", pa.string()),
        ("given", pa.string()),
        ("family_sound", pa.string()),
        ("given_sound", pa.string()),
        ("given_formal", pa.list_(pa.string())),
        ("birth_date", pa.string()),
        ("sex", pa.string()),
        ("street", pa.string()),
        ("city", pa.string()),
        ("postcode", pa.string()),
        ("phone", pa.string()),
    ]
)


def compared(spelled: pa.Table) -> pa.Table:
    """The columns `COMPARED` of a table with the columns of `tasks.reconcile.registry.spelled`; null where nothing is known."""
    family, given = (_each(spelled[f"{part}_name"], normal_name) for part in ("family", "given"))
    columns: dict[str, Any] = {
        "patient_id": _each(spelled["patient_id"], normal_identifier),
        "family": family,
        "given": given,
        "family_sound": _each(family, sound),
        "given_sound": _each(given, sound),
        "given_formal": _each(given, formal_names, pa.list_(pa.string())),
        "birth_date": _each(spelled["birth_date"], compared_date),
        "sex": _each(spelled["sex"], normal_sex),
        "street": _each(spelled["street"], _plain),
        "city": _each(spelled["city"], _plain),
        "postcode": _each(spelled["postcode"], normal_identifier),
        "phone": _each(spelled["phone"], _telephone),
    }
    return pa.table(columns, schema=COMPARED)


def compared_date(text: str | None) -> str | None:
    """A date as `normal_date`, or the eight digits of one that is misspelled: they still tell how far it is from another."""
    return normal_date(text) or (text if text and _EIGHT_DIGITS.fullmatch(text) else None)


@lru_cache(maxsize=1 << 16)
def sound(name: str | None) -> str | None:
    """How a name in normal form sounds: the NYSIIS code (Taft 1970) of its Latin letters, umlauts in one spelling."""
    letters = "".join(c for c in anyascii(name or "").upper() if c.isalpha())
    return jellyfish.nysiis(_TWO_LETTERS.sub("", letters)) or None if letters else None


@lru_cache(maxsize=1 << 16)
def formal_names(name: str | None) -> list[str] | None:
    """The formal names that the first of some given names may be short for, itself among them, sorted."""
    first = (name or "").split(" ")[0]
    if len(first) < 2:
        return None
    return sorted({first, *(formal.upper() for formal in _nicknames().canonicals_of(first.lower()))})


@lru_cache(maxsize=1)
def _nicknames() -> NickNamer:
    return NickNamer()


def _plain(text: str | None) -> str | None:
    words = "".join(c if c.isalnum() else " " for c in anyascii(text or "").upper()).split()
    return " ".join(words) or None


def _telephone(text: str | None) -> str | None:
    """The last seven digits of a number: with or without area code, country code and trunk prefix it is the same one."""
    digits = "".join(c for c in text or "" if "0" <= c <= "9")
    return digits[-7:] if len(digits) >= 7 else None


def _each(column: Column, function: Callable[[str | None], object], kind: pa.DataType = _TEXT) -> Column:
    """`function` of every value, called once for each different one."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole.dictionary_encode()
    values = [function(value) if value else None for value in encoded.dictionary.to_pylist()]
    return pa.array(values, kind).take(encoded.indices)
