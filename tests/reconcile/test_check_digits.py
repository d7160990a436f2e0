"""Check digits; the examples are those of the schemes' own descriptions."""

import random

import pytest

from tasks.reconcile.check_digits import follows, scheme_of


@pytest.mark.parametrize(
    ("scheme", "number", "wrong"),
    [
        ("M10", "79927398713", "79927398710"),  # Luhn, US patent 2,950,048
        ("NHS", "9434765919", "9434765918"),  # NHS Data Dictionary
        ("ISO", "794623", "794624"),  # ISO 7064, example of mod 11,10: 0794 gives 5; 79462 gives 3
        ("Verhoeff", "2363", "2364"),
        ("Damm", "5724", "5725"),
    ],
)
def test_examples_of_the_schemes(scheme: str, number: str, wrong: str) -> None:
    assert follows(scheme, number)
    assert not follows(scheme, wrong)
    assert follows(None, wrong)


def luhn(payload: str) -> str:
    """The number with its check digit, from the definition: every second digit from the right doubled."""
    doubled = [int(digit) * (2 if at % 2 == 0 else 1) for at, digit in enumerate(reversed(payload))]
    return payload + str(-sum(digit // 10 + digit % 10 for digit in doubled) % 10)


def test_the_scheme_is_found_in_the_numbers_and_only_there() -> None:
    numbers = random.Random(1).sample(range(10**6, 10**7), 300)
    plain = [str(number) for number in numbers]
    assert scheme_of(plain) is None
    checked = [luhn(number) for number in plain]
    assert scheme_of(checked) == "M10"
    assert scheme_of([*checked[:-2], plain[0], plain[1]]) == "M10"  # two from before there were check digits
    assert scheme_of(checked[:100]) is None
