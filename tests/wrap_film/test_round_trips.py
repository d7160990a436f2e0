"""From a file of every further format to an object and back: DCMTK decodes the pixels of the source, dciodvfy finds nothing."""

import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tasks.configuration import Digitizer
from tasks.pixel_data import decoded_frames
from tasks.wrap.film.decode import decode
from tasks.wrap.film.encode import as_data_set, stage_film
from tasks.wrap.film.header import pixel_attributes, sop_class_of
from tests.wrap_film.objects import save
from tests.wrap_film.pdfs import Page, image, pdf
from tests.wrap_film.test_objects import picture, tiff
from tests.wrap_film.test_tiff import packed_tiff

GRAY, WORD, TWELVE, COLOUR = picture(8), picture(16), picture(12), picture(8, 3)
BITS = (GRAY > 127).astype(np.uint8)
ROWS, COLUMNS = GRAY.shape
RAMP = np.repeat(np.arange(256, dtype=np.uint16)[:, None], 3, axis=1) * 257
REDS = np.stack([np.arange(256), np.zeros(256), 255 - np.arange(256)], axis=1).astype(np.uint16)
SMOOTH = cv2.GaussianBlur(np.tile(COLOUR, (2, 2, 1)), (9, 9), 0)
Wrap = Callable[..., Any]


def in_pdf(pixels: NDArray[Any], bits: int, space: str = "/DeviceGray", more: str = "") -> bytes:
    stream = zlib.compress(pixels.astype(">u2" if bits == 16 else "u1").tobytes())
    return pdf(Page(stream, image(ROWS, COLUMNS, bits, space, f"/Filter /FlateDecode {more}"), (36, 0, 0, 26, 0, 0)))


# By name: media type, file, the pixels (`None` where a lossy decoder decides), bits.
KINDS: dict[str, tuple[str, bytes, NDArray[Any] | None, int]] = {
    "pdf 16": ("application/pdf", in_pdf(WORD, 16), WORD, 16),
    "pdf 8": ("application/pdf", in_pdf(GRAY, 8), GRAY, 8),
    "pdf white is zero": ("application/pdf", in_pdf(GRAY, 8, more="/Decode [1 0]"), GRAY, 8),
    "pdf colour": ("application/pdf", in_pdf(COLOUR, 8, "/DeviceRGB"), COLOUR, 8),
    "jpeg xl 8": ("image/jxl", bytes(imagecodecs.jpegxl_encode(GRAY)), GRAY, 8),
    "jpeg xl 12": ("image/jxl", bytes(imagecodecs.jpegxl_encode(TWELVE, bitspersample=12)), TWELVE, 12),
    "jpeg xl colour": ("image/jxl", bytes(imagecodecs.jpegxl_encode(COLOUR)), COLOUR, 8),
    "jpeg xl lossy": ("image/jxl", bytes(imagecodecs.jpegxl_encode(SMOOTH, distance=1.0)), None, 8),
    "tiff of packed 12 bits": ("image/tiff", packed_tiff(TWELVE, 12, ">", 1), TWELVE, 12),
    "tiff of packed 10 bits, white is zero": ("image/tiff", packed_tiff(picture(10), 10, "<", 0), picture(10), 10),
    "tiff of 4 bits": ("image/tiff", packed_tiff(picture(4), 4, "<", 1), picture(4), 8),
    "tiff gray palette": ("image/tiff", tiff(GRAY, photometric="palette", colormap=RAMP.T), GRAY, 8),
    "tiff palette": (
        "image/tiff",
        tiff(GRAY, photometric="palette", colormap=REDS.T * 257),
        REDS[GRAY].astype(np.uint8),
        8,
    ),
    "tiff of jpeg tiles": (
        "image/tiff",
        tiff(SMOOTH, compression="jpeg", photometric="ycbcr", tile=(64, 64)),
        None,
        8,
    ),
    "tiff of one jpeg": ("image/tiff", tiff(SMOOTH, compression="jpeg", photometric="ycbcr"), None, 8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_dcmtk_gives_the_pixels_back(kind: str, wrap: Wrap, tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    media_type, data, pixels, bits = KINDS[kind]
    outcome, staging = wrap("a.tif", data, row={"media_type": media_type})
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    file = save(row, staging, tmp_path / "object.dcm")
    checked = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    complaints = [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith(("Error", "Warning"))]
    assert [line for line in complaints if not line.startswith("Warning - </Laterality(0020,0060)>")] == []
    tool = "dcmdjpeg" if row["transfer_syntax_uid"] == "1.2.840.10008.1.2.4.50" else "dcmdjpls"
    subprocess.run([debian_tool(tool), file, tmp_path / "plain.dcm"], check=True, capture_output=True)
    plain = pydicom.dcmread(tmp_path / "plain.dcm")
    assert plain.BitsStored == bits
    assert plain.LossyImageCompression == ("01" if pixels is None else "00")
    if pixels is not None:
        found = plain.pixel_array
        if plain.get("PlanarConfiguration") == 1:
            found = np.moveaxis(np.frombuffer(plain.PixelData, np.uint8)[: pixels.size].reshape(3, ROWS, COLUMNS), 0, -1)
        np.testing.assert_array_equal(found, pixels)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(1, 50),
    columns=st.integers(1, 50),
    bits=st.sampled_from([1, 2, 4, 8, 10, 12, 14, 16]),
    byteorder=st.sampled_from("<>"),
    photometric=st.sampled_from([0, 1]),
    codec=st.sampled_from(["jpeg-ls", "jpeg2000", "htj2k", "rle", "none"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_gray_film_comes_through_any_codec(
    rows: int, columns: int, bits: int, byteorder: str, photometric: int, codec: str, seed: int, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns)).astype(np.uint8 if bits <= 8 else np.uint16)
    order: Any = {"byteorder": byteorder, "photometric": "minisblack" if photometric else "miniswhite"}
    data = tiff(pixels, **order) if bits in (8, 16) else packed_tiff(pixels, bits, byteorder, photometric)
    film = decode(data, "image/tiff", 1)
    attributes = pixel_attributes(film, sop_class_of(film, Digitizer(dpi=150)))
    staged = stage_film(film, attributes, codec, tmp_path, "0" * 32)
    dataset = as_data_set(attributes, staged.transfer_syntax, (tmp_path / staged.element.path).read_bytes())
    np.testing.assert_array_equal(next(decoded_frames(dataset)), pixels)
    assert dataset.PhotometricInterpretation == ("MONOCHROME2" if photometric else "MONOCHROME1")
