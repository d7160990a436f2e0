"""Attribute matching against the rules and examples of PS3.4 C.2.2.2."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.pacs.matching import matches

_WORDS = st.text(st.sampled_from("abAB ^.[]+1"), max_size=8)


@pytest.mark.parametrize(
    ("vr", "stored", "wanted", "expected"),
    [
        # C.2.2.2.1 single value: exact, case sensitive but for person names
        ("LO", "Chest", "Chest", True),
        ("LO", "Chest", "chest", False),
        ("PN", "Smith^John", "SMITH^JOHN^^^", True),
        ("PN", "Smith^John", "Smith", False),
        ("CS", "CR ", "CR", True),
        ("IS", "007", "7", True),
        ("IS", "0", "0", True),
        ("IS", "", "0", False),
        # C.2.2.2.3 universal
        ("DA", "", "", True),
        # C.2.2.2.4 wild cards: * any sequence with none, ? one character; not in UIDs, dates, numbers
        ("PN", "SMITH^JOHN", "smi*", True),
        ("PN", "SMITH^JOHN", "*john", True),
        ("PN", "SMITH^JOHN", "sm?th^j*", True),
        ("PN", "SMTH^JOHN", "sm?th^j*", False),
        ("LO", "", "*", True),
        ("LO", "a.b", "a?b", True),
        ("LO", "a[b]", "a[b]*", True),
        ("UI", "1.2.3", "1.2.*", False),
        # a name in three groups (PS3.5 6.2.1): asked in one group, any group answers
        ("PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田*", True),
        ("PN", "Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou", True),
        ("PN", "Yamada^Tarou=山田^太郎", "=山田*", True),
        ("PN", "Yamada^Tarou", "=山田*", False),
        # C.2.2.2.5 ranges, ends included
        ("DA", "19870314", "19870314-19870314", True),
        ("DA", "19870314", "19870315-", False),
        ("DA", "19870314", "-19870313", False),
        ("DA", "19870314", "-19870314", True),
        ("DA", "1987.03.14", "19870314", True),
        ("DA", "", "19000101-20991231", False),
        ("TM", "1015", "10-11", True),
        ("TM", "10:15:00", "101500-101500", True),
        ("TM", "101559.5", "1015", True),
        ("TM", "1016", "-1015", False),
        # C.2.2.2.2 a list of UIDs; several stored values
        ("UI", "1.2.3", "1.2.4\\1.2.3", True),
        ("UI", "1.2.3", "1.2.4\\1.2", False),
        ("CS", "CR\\DX", "DX", True),
    ],
)
def test_a_rule_of_the_standard(vr: str, stored: str, wanted: str, expected: bool) -> None:
    assert matches(vr, stored, wanted) is expected


@given(_WORDS, st.text(st.sampled_from("abAB*?1"), min_size=1, max_size=6))
def test_wild_cards_are_those_of_fnmatch(stored: str, wanted: str) -> None:
    expected = fnmatch.fnmatchcase(stored.strip(), wanted)
    assert matches("LO", stored, wanted) is expected


@given(_WORDS)
def test_a_value_matches_itself_and_everything_matches_a_star(value: str) -> None:
    assert matches("LO", value, "*")
    assert matches("LO", value, value)
    assert matches("PN", value, value.swapcase())


@given(st.dates(), st.dates(), st.dates())
def test_a_range_of_dates_is_the_calendars(value: object, low: object, high: object) -> None:
    text = [moment.strftime("%Y%m%d").rjust(8, "0") for moment in (value, low, high)]  # type: ignore[attr-defined]
    assert matches("DA", text[0], f"{text[1]}-{text[2]}") is (low <= value <= high)  # type: ignore[operator]


@given(st.sampled_from(["DA", "TM", "PN", "UI", "IS", "LO"]), st.text(max_size=20), st.text(max_size=20))
def test_no_text_raises(vr: str, stored: str, wanted: str) -> None:
    assert matches(vr, stored, wanted) in (True, False)
