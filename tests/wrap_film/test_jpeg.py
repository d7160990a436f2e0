"""JPEG of 8 and 12 bits and lossless JPEG: what is kept is what DCMTK decodes; Exif says how a film lies."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decode import decode
from tests.wrap_film.objects import save
from tests.wrap_film.test_objects import picture, pil

GRAY, COLOUR = picture(8), picture(8, 3)
SMOOTH_12 = cv2.GaussianBlur(np.tile(picture(12), (2, 2)), (7, 7), 0)


def film_of(data: bytes) -> Any:
    return decode(data, "image/jpeg", 1)


@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 60),
    bits=st.sampled_from([8, 12, 16]),
    predictor=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
)
def test_lossless_gray_is_kept(rows: int, columns: int, bits: int, predictor: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns)).astype(np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.jpeg8_encode(pixels, bitspersample=bits, lossless=True, predictor=predictor)
    film = film_of(data)
    assert np.array_equal(film.pixels, pixels)
    assert film.transfer_syntax == (JPEGLosslessSV1 if predictor == 1 else JPEGLossless)
    assert (film.bits_stored, film.photometric, film.ratio) == (bits, "MONOCHROME2", None)
    if (
        predictor != 6 or min(rows, columns) > 2
    ):  # which this reader, written by others, does not take in a single row or column
        assert np.array_equal(imagecodecs.ljpeg_decode(film.codestream), pixels)


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15, 16])
def test_lossless_gray_of_any_depth(bits: int) -> None:
    pixels = picture(bits)
    film = film_of(imagecodecs.ljpeg_encode(pixels, bitspersample=bits))
    assert np.array_equal(film.pixels, pixels)
    assert film.bits_stored == bits


KEPT: dict[str, tuple[bytes, str, int]] = {
    "lossless 8": (imagecodecs.jpeg8_encode(GRAY, lossless=True), JPEGLosslessSV1, 0),
    "lossless 8, predictor 6": (imagecodecs.jpeg8_encode(GRAY, lossless=True, predictor=6), JPEGLossless, 0),
    "lossless 12": (imagecodecs.jpeg8_encode(picture(12), bitspersample=12, lossless=True), JPEGLosslessSV1, 0),
    "lossless 16": (imagecodecs.jpeg8_encode(picture(16), bitspersample=16, lossless=True), JPEGLosslessSV1, 0),
    "lossless colour": (
        imagecodecs.jpeg8_encode(COLOUR, lossless=True, colorspace="RGB", outcolorspace="RGB"),
        JPEGLosslessSV1,
        0,
    ),
    # The inverse cosine transforms of two libraries may differ by one (T.83 allows it).
    "extended 12": (imagecodecs.jpeg8_encode(SMOOTH_12, level=90, bitspersample=12), JPEGExtended12Bit, 1),
}


@pytest.mark.parametrize("kind", KEPT)
def test_dcmtk_decodes_what_was_kept(
    kind: str, wrap: Callable[..., Any], tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    data, syntax, difference = KEPT[kind]
    outcome, staging = wrap("a.jpg", data)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert row["transfer_syntax_uid"] == syntax
    file = save(row, staging, tmp_path / "object.dcm")
    checked = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    assert "Error" not in checked.stdout + checked.stderr
    subprocess.run([debian_tool("dcmdjpeg"), "+cn", file, tmp_path / "plain.dcm"], check=True, capture_output=True)
    plain = pydicom.dcmread(tmp_path / "plain.dcm")
    found = plain.pixel_array.astype(int)
    assert np.abs(found - film_of(data).pixels).max() <= difference
    assert plain.get("LossyImageCompression") == ("01" if difference else "00")
    assert plain.BitsStored == film_of(data).bits_stored


def test_what_lossless_jpeg_does_not_hold_whole_goes_to_review() -> None:
    data = bytearray(KEPT["lossless 8"][0])
    scan = data.index(b"\xff\xda")
    length = int.from_bytes(data[scan + 2 : scan + 4], "big")
    data[scan + 1 + length] |= 1  # the point transform, last of the scan header (T.81 B.2.3)
    with pytest.raises(ReviewError, match="point transform"):
        film_of(bytes(data))
    ycc = imagecodecs.jpeg8_encode(COLOUR, lossless=True, colorspace="YCbCr", outcolorspace="YCbCr")
    with pytest.raises(ReviewError, match="colours"):
        film_of(ycc)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_says_how_a_film_lies(orientation: int) -> None:
    exif = Image.Exif()
    exif[274], exif[282], exif[283], exif[296], exif[306] = orientation, 300.0, 150.0, 2, "1999:03:04 05:06:07"
    data = pil(GRAY, "JPEG", exif=exif)
    film = film_of(data.replace(b"\x01\x01\x00\x48\x00\x48", b"\x01\x00\x00\x01\x00\x01"))
    shown = np.rot90(np.fliplr(film.pixels) if film.mirrored else film.pixels, -(film.turn or 0) // 90)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert turned is not None and np.array_equal(shown, np.asarray(turned))
    assert film.dpi == pytest.approx((150, 300))
    assert film.scanned_at == "19990304050607"
    assert "segment APP1" in film.left_out


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_says_nothing() -> None:
    data = pil(GRAY, "JPEG")
    for noise in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40):
        segment = b"Exif\0\0" + noise
        damaged = data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
        film = film_of(damaged)
        assert (film.turn, film.scanned_at) == (None, None)
        assert np.array_equal(film.pixels, film_of(data).pixels)


def test_what_is_cut_is_named() -> None:
    data = pil(GRAY, "JPEG")
    comment = b"\xff\xfe\x00\x0aDOE JANE"
    film = film_of(data[:2] + comment + data[2:] + b"more")
    assert film.left_out == ("a comment", "segment APP0", "4 bytes behind the picture")


def test_a_blank_picture_of_a_few_bytes_is_not_decoded() -> None:
    blank = bytearray(imagecodecs.jpeg8_encode(np.zeros((16, 16), np.uint8), level=10))
    frame = blank.index(b"\xff\xc0")
    blank[frame + 5 : frame + 9] = b"\x40\x00\x40\x00"  # 16384 rows and columns
    with pytest.raises(QuarantineError, match="bomb"):
        film_of(bytes(blank))
