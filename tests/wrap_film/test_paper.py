"""Paper is told from film, and goes into its study as the PDF it was, or as one that gives its picture back."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tasks.pixel_data import read_data_set
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.paper import looks_like_paper, pdf_of_sheet
from tests.wrap_film.objects import IDENTITY
from tests.wrap_film.papers import REPORT, sheet, text_pdf
from tests.wrap_film.test_objects import pil, tiff

Wrap = Callable[..., Any]
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"  # PS3.4 B.5
PDF = {"media_type": "application/pdf"}


def decoded(pixels: Any, bits: int = 8, photometric: str = "MONOCHROME2") -> DecodedFilm:
    return DecodedFilm(pixels, bits, "RGB" if pixels.ndim == 3 else photometric)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dpi": 300},
        {"dpi": 100},
        {"paper": (215, 190, 150)},
        {"noise": 14},
        {"tilt": 4},
        {"ink": (95, 90, 120)},
        {"lines": REPORT[:6]},
    ],
)
def test_a_sheet_of_type_is_paper(options: dict[str, Any]) -> None:
    colour = sheet(**options)
    gray = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    assert looks_like_paper(decoded(colour))
    assert looks_like_paper(decoded(gray))
    assert looks_like_paper(decoded(255 - gray, photometric="MONOCHROME1"))
    assert looks_like_paper(decoded((gray > 128).astype(np.uint8), 1))
    assert not looks_like_paper(decoded(255 - gray))


def test_no_radiograph_is_paper(realdata: Path) -> None:
    files = sorted((realdata / "radiographs").rglob("*")) + sorted((realdata / "films").rglob("*"))
    pictures = [cv2.imread(str(f), cv2.IMREAD_UNCHANGED) for f in files if f.suffix.lower() in (".png", ".jpg", ".tif")]
    assert len(pictures) > 100
    for picture in pictures:
        bits = 8 * picture.dtype.itemsize
        shown = picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., 2::-1])
        assert not looks_like_paper(decoded(shown, bits))
        assert not looks_like_paper(decoded(np.iinfo(picture.dtype).max - shown, bits))


def test_real_sheets_are_paper(realdata: Path) -> None:
    for name in ("handwritten_example.jpg", "test.png", "text_with_noise.png"):
        picture = cv2.imread(str(realdata / "ocr" / "jsl-workshop" / name))
        assert looks_like_paper(decoded(picture))


def picture_in(file: bytes) -> Image.Image:
    """The one image of a one-page PDF, as PDFium extracts it, at its own pixels."""
    document = pypdfium2.PdfDocument(file)
    (image,) = document[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
    return image.get_bitmap().to_pil()


@pytest.mark.parametrize("kind", ["colour", "gray", "bits", "white is zero"])
def test_a_scanned_sheet_comes_back_out_of_its_pdf(kind: str, wrap: Wrap) -> None:
    colour = sheet(dpi=100)
    gray = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    bits = gray > 128
    name, data, expected = {
        "colour": ("a.png", pil(colour, "PNG"), colour),
        "gray": ("a.tif", tiff(gray, photometric="minisblack"), gray),
        "bits": ("a.png", pil(bits, "PNG"), bits.astype(np.uint8) * 255),
        "white is zero": ("a.tif", tiff(255 - gray, photometric="miniswhite"), gray),
    }[kind]
    outcome, _ = wrap(name, data)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    dataset = read_data_set(row["source_header"])
    assert (row["sop_class_uid"], row["modality"], dataset.ConversionType) == (ENCAPSULATED_PDF, "DOC", "SD")
    back = picture_in(dataset.EncapsulatedDocument).convert("RGB" if expected.ndim == 3 else "L")
    assert np.array_equal(np.asarray(back), expected)


def test_a_jpeg_sheet_keeps_its_coded_data_and_loses_names(wrap: Wrap) -> None:
    stream = io.BytesIO()
    Image.fromarray(sheet()).save(stream, "JPEG", quality=80, comment=b"ABERNATHY")
    outcome, _ = wrap("a.jpg", stream.getvalue())
    (row,) = outcome.rows["objects"]
    file = read_data_set(row["source_header"]).EncapsulatedDocument
    scan = stream.getvalue()[stream.getvalue().index(b"\xff\xda") :]
    assert scan in file
    assert b"ABERNATHY" not in file


def test_what_is_read_on_paper(wrap: Wrap) -> None:
    outcome, _ = wrap("a.png", pil(sheet(), "PNG"))
    (row,) = outcome.rows["objects"]
    read = (row["label_patient_name"], row["label_patient_id"], row["label_birth_date"], row["label_study_date"])
    assert read == ("ABERNATHY^MARGARET", "4471936", "19310314", "19871102")


def test_a_sheet_upside_down_is_shown_upright(wrap: Wrap) -> None:
    outcome, _ = wrap("a.png", pil(np.ascontiguousarray(np.rot90(sheet(), 2)), "PNG"))
    (row,) = outcome.rows["objects"]
    page = pypdfium2.PdfDocument(read_data_set(row["source_header"]).EncapsulatedDocument)[0]
    assert page.get_rotation() == 180


def test_a_pdf_of_text_stays_the_file_it_is(wrap: Wrap, tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    delivered = text_pdf(REPORT, ["Page 2", "Signed electronically"])
    outcome, _ = wrap("a.tif", delivered, row=PDF)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    dataset = read_data_set(row["source_header"])
    for keyword, value in IDENTITY.items():
        setattr(dataset, keyword, value)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = row["study_instance_uid"], row["series_instance_uid"]
    dataset.save_as(tmp_path / "a.dcm", implicit_vr=False, little_endian=True, enforce_file_format=True)
    subprocess.run([debian_tool("dcm2pdf"), tmp_path / "a.dcm", tmp_path / "a.pdf"], check=True)
    assert (tmp_path / "a.pdf").read_bytes()[: len(delivered)] == delivered
    done = subprocess.run([debian_tool("dciodvfy"), "-new", tmp_path / "a.dcm"], capture_output=True, text=True, check=False)
    assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))] == []


def test_the_other_pages_go_with_the_first(wrap: Wrap) -> None:
    outcome, _ = wrap("a.tif", text_pdf(REPORT, ["Page 2"]), row={**PDF, "page": 2})
    assert (outcome.outcome, outcome.rows) == ("excluded", {})


def test_a_few_words_on_a_page_are_no_document(wrap: Wrap) -> None:
    outcome, _ = wrap("a.tif", text_pdf(["FILM 1 OF 3"]), row=PDF)
    assert outcome.outcome == "review"


def test_the_same_sheet_makes_the_same_bytes() -> None:
    page = decoded(sheet(dpi=100))
    assert pdf_of_sheet(page, (100.0, 100.0), 0) == pdf_of_sheet(page, (100.0, 100.0), 0)
