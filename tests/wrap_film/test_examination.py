"""Body part, side and view: only what a label or the manifest says in words."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tasks.wrap.film.examination import Examination, examination_of
from tasks.wrap.film.ocr import LabelText, TextLine
from tests.wrap_film.objects import save, whole_object


def label(*lines: str, confidence: float = 0.95, second: tuple[str, ...] | None = None) -> LabelText:
    def read(texts: tuple[str, ...]) -> tuple[TextLine, ...]:
        return tuple(TextLine(tuple((word, confidence) for word in text.split())) for text in texts)

    return LabelText(read(lines), read(second or lines), mirrored=False)


@pytest.mark.parametrize(
    ("lines", "part", "side", "view"),
    [
        (("CHEST PA",), "CHEST", None, "272479007"),
        (("LEFT KNEE LAT",), "KNEE", "L", "399067008"),
        (("RT HAND", "AP"), "HAND", "R", "399348003"),
        (("C-SPINE LATERAL",), "CSPINE", None, "399067008"),
        (("LEFT CHEST",), "CHEST", None, None),  # which side of the picture, not of a pair
        (("KNEE AP AND LAT",), "KNEE", None, None),  # two views
        (("HAND AND WRIST",), None, None, None),  # two parts
        (("LEFT AND RIGHT KNEE",), "KNEE", None, None),
        (("CITY CHEST HOSPITAL",), None, None, None),
        (("LEFT",), None, None, None),
        (("PAUL HANDLEY",), None, None, None),  # no words of their own
    ],
)
def test_words_of_a_label(lines: tuple[str, ...], part: str | None, side: str | None, view: str | None) -> None:
    found = examination_of([label(*lines)], {})
    assert (found.body_part, found.laterality, found.view.value if found.view else None) == (part, side, view)


def test_what_is_not_certain_or_read_differently_says_nothing() -> None:
    assert examination_of([label("CHEST PA", confidence=0.6)], {}) == Examination()
    assert examination_of([label("CHEST PA", second=("CHEST PR",))], {}) == Examination()


def test_the_manifest_says_what_the_label_does_not() -> None:
    listed = {"body_part": "Knee", "laterality": "left", "view": "ap"}
    found = examination_of([], listed)
    assert (found.body_part, found.laterality, found.description) == ("KNEE", "L", "LEFT KNEE ANTERO-POSTERIOR")
    assert examination_of([label("RIGHT KNEE")], listed).laterality is None
    assert examination_of([label("HAND")], listed).body_part is None


def test_a_film_that_names_its_part_is_valid_without_a_doubt(
    wrap: Callable[..., Any], tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    picture = Image.fromarray(np.random.default_rng(5).integers(60, 80, (1200, 1200), np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((90, 90, 700, 260), fill=235)
    for line, text in enumerate(("CHEST PA", "ID: 50012036")):
        draw.text((110, 110 + 70 * line), text, fill=10, font=ImageFont.load_default(52))
    data = io.BytesIO()
    picture.save(data, "TIFF")
    outcome, staging = wrap("a.tif", data.getvalue(), dpi=150.0)
    (row,) = outcome.rows["objects"]
    assert (row["body_part"], row["image_laterality"], row["view"]) == ("CHEST", None, "postero-anterior")
    dataset = whole_object(row, staging)
    assert (dataset.BodyPartExamined, dataset.SeriesDescription, "Laterality" in dataset) == ("CHEST", "CHEST", False)
    file = save(row, staging, tmp_path / "object.dcm")
    checked = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    said = (checked.stdout + checked.stderr).splitlines()
    assert [line for line in said if line.startswith(("Error", "Warning"))] == []
