"""Labels that are hard to read: cut off, faint, over shades; what is not whole is not given, what is whole is read."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tasks.wrap.film.ink import ink_of, on_even_ground
from tasks.wrap.film.labels import read_fields
from tasks.wrap.film.ocr import read_labels
from tasks.wrap.film.text import LabelText, TextLine

YEARS = (1955, 2004)
LINES = ("NAME: VANDERBERG, WINIFRED", "ID: 97633526", "BORN 01-AUG-1934")


def written(ground: NDArray[np.float32], letters: float, lines: tuple[str, ...] = LINES, left: int = 80) -> NDArray[np.uint8]:
    """A film of the ground given (rows x columns, 0 to 255) with lines of letters 24 pixels high, and a little grain."""
    layer = Image.new("L", ground.shape[::-1])
    draw = ImageDraw.Draw(layer)
    for number, text in enumerate(lines):
        draw.text((left, 300 + 52 * number), text, fill=255, font=ImageFont.load_default(34))
    ink = np.asarray(layer, np.float32) / 255
    grain = np.random.default_rng(1).normal(0, 2, ground.shape)
    return np.clip(ground + (letters - ground) * ink + grain, 0, 255).astype(np.uint8)


def given(film: NDArray[np.uint8]) -> dict[str, str]:
    return {field: reading.value for field, reading in read_fields(read_labels(film, "auto"), YEARS).items()}


def test_a_line_is_followed_onto_a_ground_nearly_as_light_as_its_letters() -> None:
    ground = np.tile(np.interp(np.arange(1300), (0, 300, 480, 1300), (40, 60, 205, 205)), (1000, 1)).astype(np.float32)
    assert given(written(ground, 238)) == {
        "patient_name": "VANDERBERG^WINIFRED",
        "patient_id": "97633526",
        "birth_date": "19340801",
    }


@pytest.mark.parametrize("darker", [False, True])
def test_a_faint_label_is_read(darker: bool) -> None:
    ground = np.full((1000, 1300), 60, np.float32)
    ground[:, 900:] = 250  # the rest of the film uses all of its shades
    ground[600:, :] = 5
    assert given(written(ground, 46 if darker else 74))["patient_id"] == "97633526"


def edge_after(text: str, left: int = 80) -> int:
    """The column at which that much of a line ends."""
    return left + int(ImageFont.load_default(34).getlength(text))


@pytest.mark.parametrize("seen", ["ID: 9763352", "ID: 97633", "ID: 976335"])
def test_what_the_edge_of_the_picture_cuts_off_is_not_given(seen: str) -> None:
    film = written(np.full((1000, 1300), 60, np.float32), 230)[:, : edge_after(seen)]
    values = given(np.ascontiguousarray(film))
    assert "patient_id" not in values and "patient_name" not in values and "birth_date" not in values


def test_a_name_cut_off_at_the_left_is_not_given() -> None:
    film = written(np.full((1000, 1300), 60, np.float32), 230, ("CLARKE, NED", "    ID: 97633526", "    BORN 01-AUG-1934"))
    values = given(np.ascontiguousarray(film[:, edge_after("C") :]))
    assert values == {"patient_id": "97633526", "birth_date": "19340801"}


def test_figures_that_go_on_after_a_gap_are_no_number() -> None:
    def read(text: str) -> LabelText:
        line = TextLine(tuple((word, 0.99) for word in text.split()))
        return LabelText((line,), (line,), mirrored=False)

    assert read_fields([read("ID: 97633 526")], YEARS) == {}
    assert read_fields([read("XR NO X7484 18")], YEARS) == {}
    assert read_fields([read("ID: 97633526 WARD")], YEARS)["patient_id"].value == "97633526"


def label(*lines: tuple[str, str], sure: float = 0.99) -> LabelText:
    """A label by what the first and the second reader read of each line."""
    first, second = zip(*lines, strict=True)

    def read(texts: tuple[str, ...]) -> tuple[TextLine, ...]:
        return tuple(TextLine(tuple((word, sure) for word in text.split())) for text in texts)

    return LabelText(read(first), read(second), mirrored=False)


def test_a_heading_is_no_part_of_a_name() -> None:
    """A reader loses the gap behind a heading, and a line that is cut leaves a heading alone."""
    number = ("ID: 97633526", "ID: 97633526")
    assert "patient_name" not in read_fields([label(("NAMEWEBER^ANNA", "NAMEWEBER^ANNA"), number)], YEARS)
    assert "patient_name" not in read_fields([label(("ACCESSION X", "ACCESSION X"), number)], YEARS)


def test_a_year_of_figures_that_look_like_letters_is_no_month() -> None:
    line = "D.O.B. 1880-10-24"
    assert read_fields([label((line, line), ("EXAM 1957-12-07", "EXAM 1957-12-07"))], YEARS)["birth_date"].value == "18801024"


def test_what_one_reader_reads_shorter_is_not_given_by_the_other_alone() -> None:
    lines = [("ID: 97633526", "ID: 97633526"), ("EXAM 1957-12-07", "EXAM 1957-12-07"), ("ACC X74", "ACC X7484")]
    assert "accession" not in read_fields([label(*lines)], YEARS)


def test_ink_is_strokes_and_no_shade() -> None:
    """A window of 9 fills a stroke of 3 pixels, 90 darker than its ground, and leaves a slope and a step alone."""
    picture = np.tile(np.arange(60, 160, dtype=np.uint8), (40, 1))
    picture[:, 80:] = 20
    picture[:, 40:43] -= 90
    ink = ink_of(picture, 9, 0.01)
    assert ink[20, 41] >= 88 and ink[:, :36].max() <= 5 and ink[:, 84:].max() == 0


def test_a_line_on_an_even_ground_is_black_on_white() -> None:
    shades = np.tile(np.linspace(100, 250, 200), (44, 1))
    shades[10:34, 50:54] -= 60
    shades[10:34, 150:154] -= 60
    even = on_even_ground(shades.astype(np.uint8), 31)
    assert even[22, 52] < 30 and even[22, 152] < 30 and np.median(even) > 240


def test_text_that_lies_mirrored_on_its_head_is_not_taken_for_upright() -> None:
    """Seen so, many letters look like others: what is read of them for certain is little."""
    lines = ("BIRTH DATE 10-APR-1964", "STUDY DATE 12-MAY-1985", "ID: 86468051")
    film = np.flipud(written(np.full((1000, 1300), 225, np.float32), 20, lines))
    labels = read_labels(np.ascontiguousarray(film), "auto")
    assert [(found.turn, found.mirrored) for found in labels] == [(180, True)]
    fields = {field: reading.value for field, reading in read_fields(labels, YEARS).items()}
    assert fields == {"birth_date": "19640410", "study_date": "19850512", "patient_id": "86468051"}
