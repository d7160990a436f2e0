"""Check digits of the hospital's numbers: the scheme is found in the index itself, for registration follows it and no one else.

A number read that breaks the scheme was misread, or is another hospital's: it cannot be a person's of this index.
"""

from collections.abc import Callable, Mapping, Sequence

from stdnum import damm, luhn, verhoeff
from stdnum.gb import nhs
from stdnum.iso7064 import mod_11_2, mod_11_10

# HL7 table 0061 (M10 is Luhn's, ISO is ISO 7064 mod 11,10) and what else hospitals use; NHS is modulus 11 over ten digits.
_SCHEMES: Mapping[str, Callable[[str], bool]] = {
    "M10": luhn.is_valid,
    "ISO": mod_11_10.is_valid,
    "ISO mod 11-2": mod_11_2.is_valid,
    "NHS": nhs.is_valid,
    "Verhoeff": verhoeff.is_valid,
    "Damm": damm.is_valid,
}
_ENOUGH = 200  # numbers; that so many follow a scheme by chance is out of the question
_FOLLOW = 0.99  # of the numbers; the rest were typed before there were check digits


def scheme_of(numbers: Sequence[str]) -> str | None:
    """The scheme that at least 99% of some different numbers (200 or more, in normal form) follow; `None` where none is."""
    if len(numbers) < _ENOUGH:
        return None
    for name, follows in _SCHEMES.items():
        if sum(follows(number) for number in numbers) >= _FOLLOW * len(numbers):
            return name
    return None


def follows(scheme: str | None, number: str) -> bool:
    """Whether a number has the right check digit; any has where there is no scheme."""
    return scheme is None or _SCHEMES[scheme](number)
