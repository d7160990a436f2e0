from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.reconcile.normalise import (
    name_words,
    names_compatible,
    normal_date,
    normal_identifier,
    normal_name,
    normal_sex,
    split_name,
)


@pytest.mark.parametrize(
    ("spelled", "normal"),
    [
        ("O'Neil", "ONEIL"),
        ("O\u2019NEIL", "ONEIL"),
        ("Glover-Smith", "GLOVER SMITH"),
        ("Müller", "MULLER"),
        ("Łukasz", "LUKASZ"),
        ("Weiß", "WEISS"),
        ("Dr. José", "JOSE"),
        ("山田", "山田"),
        (" ", None),
        (None, None),
        ("12", None),
    ],
)
def test_names_as_they_are_compared(spelled: str | None, normal: str | None) -> None:
    assert normal_name(spelled) == normal


@given(st.text(max_size=40))
def test_normal_names_stay_as_they_are(text: str) -> None:
    once = normal_name(text)
    assert normal_name(once) == once


@given(st.text(alphabet="ABCDEFG '-", max_size=12), st.text(alphabet="ABCDEFG '-", max_size=12))
def test_order_of_family_and_given_name_does_not_count(family: str, given: str) -> None:
    assert name_words(family, given) == name_words(given, family)


words = st.lists(st.text(alphabet="ABC", min_size=1, max_size=3), max_size=4).map(lambda ws: tuple(sorted(ws)))


@given(words, words)
def test_compatibility_is_symmetric_and_needs_a_word(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert names_compatible(one, other) == names_compatible(other, one)
    if names_compatible(one, other):
        assert set(one) & set(other)


def test_initials_and_missing_words_are_compatible_other_words_are_not() -> None:
    assert names_compatible(("E", "LESLIE"), ("EMMA", "LESLIE"))
    assert names_compatible(("LESLIE",), ("EMMA", "LESLIE"))
    assert not names_compatible(("ELLA", "LESLIE"), ("EMMA", "LESLIE"))
    assert not names_compatible((), ("EMMA",))


@given(st.dates(min_value=date(1000, 1, 1)))
def test_dates_year_first_are_read(day: date) -> None:
    plain = f"{day.year:04}{day.month:02}{day.day:02}"
    assert normal_date(plain) == plain
    for sign in "-./":
        assert normal_date(f"{day.year:04}{sign}{day.month}{sign}{day.day:02}") == plain


@given(st.text(alphabet="0123456789-./ ²٣", max_size=12))
def test_what_is_read_as_a_date_is_one(text: str) -> None:
    found = normal_date(text)
    if found is not None:
        assert date(int(found[:4]), int(found[4:6]), int(found[6:])) + timedelta(0)


@pytest.mark.parametrize("text", ["03/12/1931", "12.03.1931", "19311301", "19310230", "1931", "1931-03.12", ""])
def test_other_orders_and_no_dates_are_not_guessed(text: str) -> None:
    assert normal_date(text) is None


def test_identifiers_keep_their_zeros() -> None:
    assert normal_identifier(" 00 12a ") == "0012A"
    assert normal_identifier("12A") != normal_identifier("0012A")
    assert normal_identifier("  ") is None


def test_sex_and_split_names() -> None:
    assert [normal_sex(text) for text in ("f", "Male", "O", "U", None)] == ["F", "M", "O", None, None]
    assert split_name("SMITH^JOHN^A=山田^太郎") == ("SMITH", "JOHN A")
    assert split_name("SMITH, JOHN") == ("SMITH", "JOHN")
    assert split_name("SMITH") == ("SMITH", None)
