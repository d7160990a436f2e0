"""Barcodes: written by a writer and by others, read wherever and however they lie, and nothing read that is none."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.wrap.film.barcodes import Barcode, read_barcodes
from tasks.wrap.film.labels import Reading, read_fields
from tasks.wrap.film.text import LabelText, TextLine

YEARS = (1955, 2004)
FORMATS = {
    "Code 128": "J157256",
    "Code 39": "J157256",
    "ITF": "12345670",
    "Codabar": "A12345670A",
    "Data Matrix": "J157256",
    "QR Code": "J157256",
    "PDF417": "J157256",
}


def film_with_barcode(code: str, text: str, at: tuple[int, int] = (700, 300), turn: int = 0) -> tuple[NDArray[np.uint8], Any]:
    """A film of 1,400 x 1,600 pixels with a barcode on a white sticker, and its (left, top, width, height)."""
    formats = {str(known): known for known in zxingcpp.barcode_formats_list()}
    bars = np.asarray(zxingcpp.create_barcode(text, formats[code]).to_image(scale=4))
    bars = np.rot90(bars, turn)
    film = np.clip(np.linspace(40, 190, 1600)[None, :] + np.linspace(0, 30, 1400)[:, None], 0, 255).astype(np.uint8)
    left, top = at
    film[top - 20 : top + bars.shape[0] + 20, left - 20 : left + bars.shape[1] + 20] = 245
    film[top : top + bars.shape[0], left : left + bars.shape[1]] = bars
    return film, (left, top, bars.shape[1], bars.shape[0])


@pytest.mark.parametrize(("code", "text"), FORMATS.items())
@pytest.mark.parametrize("turn", range(4))
def test_every_code_in_every_turn(code: str, text: str, turn: int) -> None:
    film, (left, top, width, height) = film_with_barcode(code, text, turn=turn)
    (found,) = read_barcodes(film)
    assert (found.text, found.format) == (text, code)
    assert found.turn == 90 * turn  # the barcode was turned anticlockwise
    x, y, across, down = found.rectangle
    assert left - 8 <= x and top - 8 <= y and x + across <= left + width + 8 and y + down <= top + height + 8


def test_twelve_bits_colour_and_a_large_scan() -> None:
    film, _ = film_with_barcode("Code 128", "J157256")
    assert read_barcodes(film.astype(np.uint16) * 16)[0].text == "J157256"
    assert read_barcodes(np.dstack([film] * 3))[0].text == "J157256"
    large = cv2.resize(film, (8000, 7000), interpolation=cv2.INTER_NEAREST)
    (found,) = read_barcodes(large)
    assert found.rectangle[0] == pytest.approx(5 * (700 + 40), abs=30)  # ten narrow bars of quiet zone come first


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=12))
@hypothesis_settings(max_examples=15)
def test_any_number_comes_back(text: str) -> None:
    film, _ = film_with_barcode("Code 128", text)
    assert [code.text for code in read_barcodes(film)] == [text]


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (400, 500), (400, 500, 3)])
def test_noise_says_nothing(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(3).integers(0, 4096, shape, np.uint16)
    assert read_barcodes(noise) == []


def label(*lines: str, second: tuple[str, ...] | None = None) -> LabelText:
    def read(texts: tuple[str, ...]) -> tuple[TextLine, ...]:
        return tuple(TextLine(tuple((word, 0.95) for word in text.split())) for text in texts)

    return LabelText(read(lines), read(second or lines), mirrored=False)


def code(text: str) -> Barcode:
    return Barcode(text, "Code 128", (0, 0, 10, 10), 0)


def test_a_number_that_only_a_barcode_says_is_evidence() -> None:
    assert read_fields([], YEARS, [code("12345678")]) == {}
    assert "accession" not in read_fields([label("ID: 23855478", "DATE 04/21/1991")], YEARS, [code("J157256")])


def test_a_number_that_the_label_prints_under_a_heading_is_settled() -> None:
    # One engine misread it, so that print alone says nothing.
    misread = label("ID: 28328124", second=("ID: 28328121",))
    assert read_fields([misread], YEARS, [code("28328124")])["patient_id"] == Reading("28328124", 0.999, "barcode")
    assert "patient_id" not in read_fields([misread], YEARS, [code("28328129")])
    assert read_fields([label("ACC NO B8837369")], YEARS, [code("B8837369")])["accession"].origin == "barcode"


def test_a_heading_in_the_barcode_settles_it_but_not_against_print() -> None:
    assert read_fields([], YEARS, [code("MRN:23855478")])["patient_id"].value == "23855478"
    assert "patient_id" not in read_fields([], YEARS, [code("MRN:23855478"), code("MRN:11111111")])
    assert "patient_id" not in read_fields([label("ID: 97633526")], YEARS, [code("MRN:23855478")])


def test_barcode_photographs(realdata: Path) -> None:
    """At least 95% of a reader's own test pictures, of the codes we read, none wrong, nothing where there is none."""
    right, wrong, missed = [], [], []
    for file in sorted((realdata / "ocr" / "barcodes" / "zxing-cpp").glob("*/*")):
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) if file.suffix in (".png", ".jpg", ".webp") else None
        truth = file.with_suffix(".txt")
        if picture is None or not (truth.exists() or file.parent.name.startswith("falsepositives")):
            continue
        want = truth.read_bytes().decode("utf-8", "replace").strip() if truth.exists() else None
        got = [found.text.strip() for found in read_barcodes(picture)]
        (right if want in got or (want is None and not got) else missed if not got else wrong).append(file.name)
    assert wrong == []
    assert len(right) >= 0.95 * (len(right) + len(missed)) and len(right) > 100
