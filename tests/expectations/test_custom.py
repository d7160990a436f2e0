"""Dates and UIDs of the rules against other readings of the standard."""

import re
from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from expectations.custom import parsed_date
from expectations.rules import read_suite

UID_RULE = next(e for e in read_suite("study").expectations if e["meta"]["rule"] == "study-uid-valid")["kwargs"]["regex"]
NAME_RULE = next(e for e in read_suite("patient").expectations if e["meta"]["rule"] == "patient-name-form")["kwargs"]["regex"]


@given(st.dates(min_value=date(1000, 1, 1)))
def test_each_date_reads_as_itself(day: date) -> None:
    assert parsed_date(day.strftime("%Y%m%d")) == datetime(day.year, day.month, day.day)


@given(st.text(max_size=10))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    parsed = parsed_date(text)
    assert parsed is None or parsed.strftime("%Y%m%d") == text.zfill(8)


@given(st.text(alphabet="0123456789.", max_size=70))
def test_uids_are_judged_as_by_pydicom(text: str) -> None:
    if "." in text:  # pydicom lets one component pass; PS3.5 9.1 speaks of <root>.<suffix>
        assert bool(re.match(UID_RULE, text)) == UID(text, validation_mode=0).is_valid


def test_names_of_ps3_5() -> None:
    for name in ("Adams^John Robert Quincy^^Rev.^B.A. M.Div.", "Doe^John", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Smith"):
        assert re.match(NAME_RULE, name)
    for name in ("a^b^c^d^e^f", "a=b=c=d", "a\\b"):
        assert not re.match(NAME_RULE, name)
