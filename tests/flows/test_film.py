"""`filmroom film`: the digitizing vendor's quick check of one scan, without a migration."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image, ImageDraw, ImageFont

from tests.flows.command import filmroom


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    picture = Image.fromarray(np.random.default_rng(3).integers(90, 110, (1200, 1000), np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((90, 90, 760, 330), fill=235)
    font = ImageFont.load_default(44)
    for line, text in enumerate(("NAME: HARKER, WILHELMINA", "ID: 50012036", "DOB: 12 MAR 1931", "EXAM DATE: 04 APR 1964")):
        draw.text((110, 100 + 56 * line), text, fill=15, font=font)
    file = tmp_path / "J1_PA.tif"
    tifffile.imwrite(file, np.asarray(picture).astype(np.uint16) << 4, resolution=(150, 150), resolutionunit="INCH")
    return file


def test_facts_fields_and_header_are_shown(scan: Path) -> None:
    said = filmroom("film", scan)
    assert (said.code, said.faults) == (0, ())
    for part in (
        "page 1: done",
        "HARKER^WILHELMINA  (ocr",
        "50012036  (ocr",
        "19310312  (ocr",
        "19640404  (ocr",
        "Nominal Scanned Pixel Spacing       DS: [0.16933333, 0.16933333]",
        "Patient's Name                      PN: ''",
    ):
        assert part in said.out, part
    assert "Pixel Data" not in said.out


def test_written_objects_are_valid_and_have_the_pixels_of_the_scan(
    scan: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    said = filmroom("film", scan, "--out", tmp_path / "check", "--json")
    assert said.code == 0
    assert json.loads(said.out)[0]["fields"]["patient_id"]["value"] == "50012036"
    (file,) = (tmp_path / "check").iterdir()
    plain = tmp_path / "plain.dcm"
    subprocess.run([debian_tool("dcmdjpls"), file, plain], check=True, stdin=subprocess.DEVNULL)
    np.testing.assert_array_equal(pydicom.dcmread(plain).pixel_array, tifffile.imread(scan))
    checked = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    assert not [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("Error")]


def test_what_cannot_be_wrapped_says_why(scan: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(scan.read_bytes()[:3000])
    said = filmroom("film", broken)
    assert said.code == 1
    assert "quarantined (a truncated TIFF" in said.out
    assert filmroom("film", tmp_path / "none.tif").code == 2


def test_settings_come_from_the_migration_that_holds_the_scan(scan: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "filmroom.toml"
    text = '[project]\nname="check"\nworkspace="ws"\n[wrap]\ncodec="rle"\n[[source]]\nkind="film"\npath="{}"\n'
    configuration.write_text(text.format("."))
    said = filmroom("film", scan, "-c", configuration, "--json")
    assert json.loads(said.out)[0]["transfer_syntax_uid"] == "1.2.840.10008.1.2.5"
    assert not (tmp_path / "ws").exists()
    (tmp_path / "other").mkdir()
    configuration.write_text(text.format("other"))
    assert filmroom("film", scan, "-c", configuration).code == 2


def test_a_turned_jpeg_has_its_presentation_state_beside_it(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    exif = Image.Exif()
    exif[274] = 6  # turn it by 90 degrees clockwise
    pixels = np.random.default_rng(2).integers(0, 255, (300, 240), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    said = filmroom("film", tmp_path / "a.jpg", "--out", tmp_path / "check")
    assert (said.code, said.faults) == (0, ())
    film, state = (pydicom.dcmread(file) for file in sorted((tmp_path / "check").iterdir()))
    assert (state.Modality, state.ImageRotation, film.Rows) == ("PR", 90, 300)
    for file in (tmp_path / "check").iterdir():
        checked = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
        assert not [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("Error")]
