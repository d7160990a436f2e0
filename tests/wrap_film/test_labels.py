"""What labels say: dates and names by the rules of the field, readings of rendered and of real films."""

import csv
import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.label_films import label_film
from benchmarks.labels import outcome
from tasks.wrap.film.columns import label_columns
from tasks.wrap.film.dates import parse_date
from tasks.wrap.film.decode import decode
from tasks.wrap.film.labels import Reading, read_fields
from tasks.wrap.film.ocr import read_labels
from tasks.wrap.film.text import LabelText, TextLine
from tests.wrap_film.conftest import MEDIA_TYPES

YEARS = (1955, 2004)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 MAR 1931", "19310312"),
        ("12-MAR-1931", "19310312"),
        ("MARCH 12, 1931", "19310312"),
        ("04-0CT-1965", "19651004"),
        ("03/12/1931", "19310312"),
        ("25/12/1931", "19311225"),
        ("12.03.1931", "19310312"),
        ("1931-03-12", "19310312"),
        ("4/20/23", "19230420"),
        ("03-12-1931", None),
        ("31.02.1931", None),
        ("13/13/1931", None),
        ("12.03.1831", None),
        ("12 FOO 1931", None),
        ("1905", None),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    assert parse_date(text, (1900, 1999)) == expected


def test_two_digit_years_need_one_century() -> None:
    assert parse_date("4/20/23", (1900, 2029)) is None
    assert parse_date("4/20/77", (1900, 2029)) == "19770420"


@given(st.dates(date(1900, 1, 1), date(1999, 12, 31)))
def test_every_style_of_a_date_is_read_as_that_date(day: date) -> None:
    styles = ("%d %b %Y", "%d-%b-%y", "%B %d, %Y", "%m/%d/%Y", "%m/%d/%y", "%d.%m.%Y", "%d.%m.%y", "%Y-%m-%d", "%Y/%m/%d")
    for style in styles:
        assert parse_date(day.strftime(style), (1900, 1999)) == day.strftime("%Y%m%d"), style


@given(st.text(max_size=30))
def test_no_text_breaks_the_date_parser(text: str) -> None:
    value = parse_date(text, (1900, 1999))
    assert value is None or 1900 <= date.fromisoformat(value).year <= 1999


def label(*lines: str, confidence: float = 0.95, second: tuple[str, ...] | None = None) -> LabelText:
    def read(texts: tuple[str, ...]) -> tuple[TextLine, ...]:
        return tuple(TextLine(tuple((word, confidence) for word in text.split())) for text in texts)

    return LabelText(read(lines), read(second or lines), mirrored=False)


def values(*labels: LabelText, years: tuple[int, int] = YEARS) -> dict[str, str]:
    return {field: reading.value for field, reading in read_fields(labels, years).items()}


def test_headed_fields() -> None:
    lines = (
        "ST ELSEWHERE HOSPITAL",
        "NAME: CLARKE, NED",
        "ID: 97633526",
        "BD: 08/01/1974 M",
        "DATE 04/21/1991",
        "XR NO B8837369",
    )
    assert values(label(*lines)) == {
        "accession": "B8837369",
        "birth_date": "19740801",
        "institution": "ST ELSEWHERE HOSPITAL",
        "patient_id": "97633526",
        "patient_name": "CLARKE^NED",
        "sex": "M",
        "study_date": "19910421",
    }


def test_caret_names_whatever_the_caret_is_taken_for() -> None:
    for caret in ('"', "^", "\u201d", "~", " ^ "):
        assert values(label(f"HOHN{caret}BRAIDEN", "MRN 10630854"))["patient_name"] == "HOHN^BRAIDEN"


def test_bare_lines_count_only_on_a_label() -> None:
    assert values(label("ERIN DELACY", "14-APR-1967", "ID: 23855478")) == {
        "patient_id": "23855478",
        "patient_name": "DELACY^ERIN",
        "study_date": "19670414",
    }
    assert values(label("MOBILE ERECT")) == {}
    assert values(label("ERIN DELACY", "14-APR-1967")) == {}
    assert "patient_name" not in values(label("ID: 23855478", "MOBILE ERECT"))
    assert "patient_name" not in values(label("ID: 23855478", "ERIN DELACY", "JOHN SMITH"))


def test_two_digit_birth_year_is_read_by_the_examination() -> None:
    assert values(label("DATE 5/14/1981", "DOB 4/20/23", "#28328124"))["birth_date"] == "19230420"


def test_contradictions_give_nothing() -> None:
    assert "patient_id" not in values(label("ID: 28328124", second=("ID: 28328121",)))
    assert "patient_id" not in values(label("ID: 28328124"), label("MRN 99999999"))
    both = values(label("BORN 01/18/1985", "EXAM 08/07/1968"))
    assert "birth_date" not in both and "study_date" not in both


def test_uncertain_readings_give_nothing() -> None:
    assert values(label("NAME: CLARKE, NED", "ID: 97633526", confidence=0.5)) == {}
    hand = LabelText(
        (TextLine((("PT:", 0.9), ("STUBBS", 0.9), ("TALAM", 0.9))), *(TextLine((("UHO6T74", 0.1),)),) * 2), (), False
    )
    assert read_fields([hand], YEARS) == {}


def test_manifest_fills_what_was_not_read_and_overrides_nothing() -> None:
    columns = label_columns(
        {"patient_id": Reading("111111", 0.9)},
        {"patient_id": "222222", "name": "Morrison, Sophie", "study_date": "1964-04-04", "accession": ""},
    )
    assert columns["label_patient_id"] == "111111" and columns["label_patient_id_origin"] == "ocr"
    assert columns["label_patient_name"] == "MORRISON^SOPHIE"
    assert (columns["label_study_date"], columns["label_study_date_confidence"]) == ("19640404", 0.5)
    assert columns["label_study_date_origin"] == "manifest"
    assert "label_accession" not in columns


def film_with_label(turn: int, mirrored: bool, *, dark: bool, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """A film of 1,400 x 1,200 pixels with a label of four lines, turned as a whole."""
    ramp = np.linspace(40, 190, 1200)[None, :] + np.linspace(0, 30, 1400)[:, None]
    picture = Image.fromarray(ramp.astype(np.uint8))
    draw, ground, ink = ImageDraw.Draw(picture), 15 if dark else 245, 240 if dark else 15
    draw.rectangle((60, 60, 560, 280), fill=ground)
    for line, text in enumerate(("NAME: CLARKE, NED", "ID: 97633526", "BORN 01-AUG-1934", "EXAM 21-APR-1971")):
        draw.text((80, 75 + 48 * line), text, fill=ink, font=ImageFont.load_default(34))
    pixels = np.asarray(picture)
    pixels = np.rot90(np.fliplr(pixels) if mirrored else pixels, turn)
    return pixels.astype(dtype) * (16 if dtype is np.uint16 else 1)


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_a_rendered_label_is_read_in_every_turn(turn: int, mirrored: bool, dark: bool) -> None:
    labels = read_labels(film_with_label(turn, mirrored, dark=dark, dtype=np.uint16), "auto")
    assert values(*labels) == {
        "birth_date": "19340801",
        "patient_id": "97633526",
        "patient_name": "CLARKE^NED",
        "study_date": "19710421",
    }
    # The film was mirrored and then turned anticlockwise; undone by mirroring first, a mirrored one turns the other way.
    assert [(label.mirrored, label.turn) for label in labels] == [(mirrored, (-90 * turn if mirrored else 90 * turn) % 360)]


@pytest.mark.parametrize("engine", ["auto", "tesserocr", "pytesseract", "rapidocr"])
def test_every_engine_reads(engine: str) -> None:
    labels = read_labels(film_with_label(0, False, dark=False, dtype=np.uint8), engine)
    assert values(*labels)["patient_id"] == "97633526"


def test_a_film_without_text_gives_nothing() -> None:
    ramp = np.linspace(0, 4095, 1000)[None, :] * np.ones((900, 1))
    assert read_labels(ramp.astype(np.uint16), "auto") == []
    assert read_labels(np.zeros((3, 5), np.uint8), "auto") == []


@pytest.mark.slow
def test_real_films_precision_before_recall(realdata: Path) -> None:
    """Printed labels: recall at least 0.97 and nothing wrong; nothing invented on the hand-written ones."""
    counts: Counter[str] = Counter()
    with (realdata / "films" / "truth.csv").open(encoding="utf-8") as lines:
        for film in csv.DictReader(lines):
            file = realdata / "films" / film["file"]
            pixels = decode(file.read_bytes(), MEDIA_TYPES[file.suffix], 1).pixels
            got = read_fields(read_labels(pixels, "auto"), YEARS)
            for field in ("patient_name", "patient_id", "birth_date", "study_date", "accession"):
                want = film[f"label_{field}"] if field != "patient_name" else f"{film['label_family']}^{film['label_given']}"
                value = got[field].value if field in got else ""
                same = sorted(re.findall(r"\w+", value)) == sorted(re.findall(r"\w+", want))
                counts["present"] += bool(want) and film["style"] != "hand"
                counts["right" if same else "wrong"] += bool(value)
    assert counts["right"] / counts["present"] >= 0.97
    assert counts["wrong"] == 0


@pytest.mark.slow
def test_made_up_films_of_every_style() -> None:
    """Two films of each style of the benchmark: most fields are read, none wrongly, and the fullest label says how it lies."""
    counts: Counter[str] = Counter()
    for number in range(14):
        film = label_film(number)
        labels = read_labels(film.pixels, "auto")
        got = read_fields(labels, YEARS)
        for field in ("patient_name", "patient_id", "birth_date", "study_date", "accession"):
            counts[outcome(field, film.fields.get(field, ""), got[field].value if field in got else "")] += 1
        if got:
            assert (labels[0].turn, labels[0].mirrored) == (film.turn, film.mirrored), number
    assert counts["wrong"] == counts["invented"] == 0
    assert counts["right"] >= 0.85 * (counts["right"] + counts["missed"])


def test_where_a_label_lies_in_the_scan() -> None:
    (found,) = read_labels(film_with_label(0, False, dark=False, dtype=np.uint8), "auto")
    left, top, width, height = found.rectangle
    # Letters begin at (80, 75), and four lines of 48 pixels follow, on a label that ends at (560, 280).
    assert 20 <= left <= 90 and 40 <= top <= 90 and 400 <= left + width <= 600 and 230 <= top + height <= 320
    assert [line.text for line in found.lines][1] == "ID: 97633526"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("NAME: O'LEARY, CLARA", "O'LEARY^CLARA"),
        ("NAME: O\u2019LEARY, CLARA", "O'LEARY^CLARA"),
        ("PATIENT NAME: HALL-BAKER^URSULA^F", "HALL-BAKER^URSULA F"),
        ("NAME SMITH, JOHN JR", "SMITH^JOHN"),
        ("NAME: DR SMITH, JOHN", "SMITH^JOHN"),
        ("NAME: SMITH, JOHN M", "SMITH^JOHN M"),
        ("NAME: SMITH", None),
        ("NAME: 12345, 678", None),
    ],
)
def test_names_under_a_heading(line: str, expected: str | None) -> None:
    assert values(label(line, "ID: 97633526")).get("patient_name") == expected


def test_words_that_only_one_engine_parts_are_agreed_on() -> None:
    assert values(label("PT: REIAER JORDAN", "ID: 97633526", second=("PT:REIAERJORDAN", "ID:97633526"))) == {
        "patient_id": "97633526",
        "patient_name": "REIAER^JORDAN",
    }


def test_slashes_may_be_day_first() -> None:
    lines = [label("DATE 03/04/1991", "ID: 97633526")]
    assert read_fields(lines, YEARS)["study_date"].value == "19910304"
    assert read_fields(lines, YEARS, day_first=True)["study_date"].value == "19910403"
