"""JPEG XL: pixels as they were encoded, and whether anything was lost on the way, told from the stream."""

from contextlib import suppress
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decode import decode
from tests.wrap_film.test_objects import picture

GRAY, COLOUR = picture(8), picture(8, 3)
SMOOTH = cv2.GaussianBlur(COLOUR, (9, 9), 0)
SMOOTH_GRAY = np.ascontiguousarray(SMOOTH[:, :, 0])


def film_of(data: bytes) -> Any:
    return decode(bytes(data), "image/jxl", 1)


@given(
    rows=st.integers(1, 300),
    columns=st.integers(1, 300),
    bits=st.integers(8, 16),
    seed=st.integers(0, 2**32 - 1),
    effort=st.sampled_from([3, 7]),  # the fastest aborts the process that encodes some sizes
    boxes=st.booleans(),
)
def test_lossless_gray(rows: int, columns: int, bits: int, seed: int, effort: int, boxes: bool) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns)).astype(np.uint8 if bits == 8 else np.uint16)
    film = film_of(imagecodecs.jpegxl_encode(pixels, bitspersample=bits, effort=effort, usecontainer=boxes))
    assert np.array_equal(film.pixels, pixels)
    assert (film.bits_stored, film.photometric, film.ratio) == (bits, "MONOCHROME2", None)


@pytest.mark.parametrize("effort", [1, 3, 5, 7])
def test_lossless_colour(effort: int) -> None:
    film = film_of(imagecodecs.jpegxl_encode(COLOUR, effort=effort))
    assert np.array_equal(film.pixels, COLOUR)
    assert (film.bits_stored, film.photometric, film.ratio) == (8, "RGB", None)


LOSSY = {
    "in XYB": imagecodecs.jpegxl_encode(SMOOTH, distance=1.0),
    "in XYB, gray": imagecodecs.jpegxl_encode(SMOOTH_GRAY, distance=1.0),
    "of a JPEG": imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(SMOOTH), usecontainer=True),
    "of a JPEG that is forgotten": imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(SMOOTH), usecontainer=False),
    "of a gray JPEG": imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(SMOOTH_GRAY), usecontainer=False),
}


@pytest.mark.parametrize("kind", LOSSY)
def test_what_was_lossy_says_so(kind: str) -> None:
    data = LOSSY[kind]
    film = film_of(data)
    assert film.method is None
    assert film.ratio is not None and film.ratio == pytest.approx(film.pixels.nbytes / len(data), rel=0.5)
    expected = SMOOTH if film.pixels.ndim == 3 else SMOOTH_GRAY
    assert np.abs(film.pixels.astype(int) - expected).mean() < 6


def test_what_is_not_wrapped_yet_goes_to_review() -> None:
    with_alpha = imagecodecs.jpegxl_encode(np.dstack([COLOUR, GRAY]))
    for data in (with_alpha, imagecodecs.jpegxl_encode(picture(16, 3)), imagecodecs.jpegxl_encode(GRAY / np.float32(255))):
        with pytest.raises(ReviewError, match="not wrapped yet"):
            film_of(data)


@given(data=st.data())
def test_damage_raises_only_our_errors_and_a_cut_is_told(data: st.DataObject) -> None:
    whole = bytes(imagecodecs.jpegxl_encode(GRAY, usecontainer=data.draw(st.booleans())))
    with pytest.raises(QuarantineError):
        film_of(whole[: data.draw(st.integers(0, len(whole) - 2))])
    at = data.draw(st.integers(0, len(whole) - 1))
    with suppress(QuarantineError, ReviewError):
        film_of(whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :])


def test_a_blank_picture_out_of_a_few_bytes_is_not_decoded() -> None:
    small = imagecodecs.jpegxl_encode(np.zeros((8, 8), np.uint8))
    assert film_of(small).pixels.shape == (8, 8)
    fields = 0 | 2 << 1 | (16384 - 1) << 3 | 1 << 21 | 1 << 24  # D.3.1: not small, U32 way 2 (18 bits), ratio 1:1, defaults
    with pytest.raises(QuarantineError, match="bomb"):
        film_of(b"\xff\x0a" + fields.to_bytes(8, "little") + bytes(100))
