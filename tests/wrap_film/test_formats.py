"""Less common formats of scans: read as independent readers do, with what they declare of bits and loss."""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decode import decode


def _pixels(seed: int, rows: int, columns: int, largest: int, samples: int = 1) -> NDArray[Any]:
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    kind = np.uint8 if largest < 256 else np.uint16
    return np.random.default_rng(seed).integers(0, largest + 1, shape).astype(kind)


def _pil(pixels: NDArray[Any], form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def _seen_by_opencv(data: bytes) -> NDArray[Any]:
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert seen is not None
    return seen if seen.ndim == 2 else seen[:, :, ::-1]


SIZES = {"rows": st.integers(1, 40), "columns": st.integers(1, 40), "seed": st.integers(0, 2**32 - 1)}


@given(**SIZES, largest=st.integers(1, 65535), plain=st.booleans(), note=st.sampled_from([b"\n", b" ", b"\n# by hand\n"]))
def test_graymap(rows: int, columns: int, seed: int, largest: int, plain: bool, note: bytes) -> None:
    pixels = _pixels(seed, rows, columns, largest)
    body = " ".join(map(str, pixels.ravel())).encode() if plain else pixels.astype(">u2" if largest > 255 else "u1").tobytes()
    data = b"P%d%b%d %d\n%d\n" % (2 if plain else 5, note, columns, rows, largest) + body
    film = decode(data, "image/x-portable-anymap", 1)
    assert np.array_equal(film.pixels, pixels)
    assert film.bits_stored == largest.bit_length()
    assert (film.photometric, film.ratio) == ("MONOCHROME2", None)


@given(**SIZES, plain=st.booleans())
def test_bitmap_ones_are_black(rows: int, columns: int, seed: int, plain: bool) -> None:
    ones = _pixels(seed, rows, columns, 1)
    body = "".join(map(str, ones.ravel())).encode() if plain else np.packbits(ones, axis=1).tobytes()
    data = b"P%d\n%d %d\n" % (1 if plain else 4, columns, rows) + body
    film = decode(data, "image/x-portable-anymap", 1)
    assert np.array_equal(film.pixels, ones)
    assert (film.photometric, film.bits_stored) == ("MONOCHROME1", 1)
    assert np.array_equal(_seen_by_opencv(data) > 0, ones == 0)


@given(**SIZES, largest=st.sampled_from([255, 65535]))
def test_graymap_as_opencv_reads_it(rows: int, columns: int, seed: int, largest: int) -> None:
    encoded, data = cv2.imencode(".pgm", _pixels(seed, rows, columns, largest))
    assert encoded
    assert np.array_equal(decode(data.tobytes(), "image/x-portable-anymap", 1).pixels, _seen_by_opencv(data.tobytes()))


COLOUR_FORMATS = {"image/x-portable-anymap": "PPM", "image/bmp": "BMP", "image/webp": "WEBP", "image/jp2": "JPEG2000"}


@pytest.mark.parametrize("media_type", COLOUR_FORMATS)
def test_lossless_colour(media_type: str) -> None:
    pixels = _pixels(1, 37, 53, 255, samples=3)
    options = {"lossless": True} if media_type == "image/webp" else {}
    data = _pil(pixels, COLOUR_FORMATS[media_type], **options)
    film = decode(data, media_type, 1)
    assert np.array_equal(film.pixels, pixels)
    assert np.array_equal(film.pixels, _seen_by_opencv(data))
    assert (film.photometric, film.bits_stored, film.ratio) == ("RGB", 8, None)


def test_windows_bitmap_with_palettes() -> None:
    gray = _pixels(2, 21, 33, 255)
    film = decode(_pil(gray, "BMP", dpi=(150, 150)), "image/bmp", 1)
    assert np.array_equal(film.pixels, gray)
    assert film.dpi == pytest.approx((150, 150), rel=1e-3)
    black_and_white = gray > 127
    film = decode(_pil(black_and_white, "BMP"), "image/bmp", 1)
    assert np.array_equal(film.pixels, black_and_white)
    assert (film.bits_stored, film.photometric) == (1, "MONOCHROME2")
    coloured = Image.fromarray(gray).quantize(16)
    coloured.putpalette([value for index in range(16) for value in (index, 2 * index, 3 * index)])
    buffer = io.BytesIO()
    coloured.save(buffer, "BMP")
    film = decode(buffer.getvalue(), "image/bmp", 1)
    assert film.photometric == "RGB"
    assert np.array_equal(film.pixels, np.asarray(coloured.convert("RGB")))


@given(**SIZES, bits=st.integers(2, 16))
def test_jpeg_ls(rows: int, columns: int, seed: int, bits: int) -> None:
    pixels = _pixels(seed, rows, columns, 2**bits - 1)
    film = decode(bytes(imagecodecs.jpegls_encode(pixels, out=4 * pixels.nbytes + 4096)), "image/jls", 1)
    assert np.array_equal(film.pixels, pixels)
    assert (film.photometric, film.ratio) == ("MONOCHROME2", None)


@given(**SIZES, bits=st.integers(1, 16), form=st.sampled_from(["jp2", "j2k"]))
def test_reversible_jpeg_2000(rows: int, columns: int, seed: int, bits: int, form: str) -> None:
    pixels = _pixels(seed, rows, columns, 2**bits - 1)
    data = imagecodecs.jpeg2k_encode(pixels, codecformat=form, reversible=True, level=0, bitspersample=bits)
    film = decode(bytes(data), "image/jp2" if form == "jp2" else "image/j2c", 1)
    assert np.array_equal(film.pixels, pixels)
    assert (film.bits_stored, film.photometric, film.ratio) == (bits, "MONOCHROME2", None)


LOSSY: dict[str, tuple[str, Callable[[NDArray[Any]], bytes], str | None]] = {
    "near-lossless JPEG-LS": ("image/jls", lambda p: bytes(imagecodecs.jpegls_encode(p, level=3)), "ISO_14495_1"),
    "irreversible JPEG 2000": (
        "image/j2c",
        lambda p: bytes(imagecodecs.jpeg2k_encode(p, level=30, codecformat="j2k", reversible=False)),
        "ISO_15444_1",
    ),
    "VP8 in WebP": ("image/webp", lambda p: _pil(np.stack([p] * 3, axis=-1), "WEBP", quality=60), None),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_was_lossy_says_so(name: str) -> None:
    media_type, encode, method = LOSSY[name]
    pixels = cv2.GaussianBlur(_pixels(3, 128, 128, 255), (9, 9), 0)
    data = encode(pixels)
    film = decode(data, media_type, 1)
    assert film.method == method
    assert film.ratio is not None and film.ratio == pytest.approx(film.pixels.nbytes / len(data), rel=0.1)
    assert np.abs(film.pixels.astype(int).reshape(128, 128, -1)[:, :, 0] - pixels).max() <= 40


def test_what_is_not_wrapped_yet_is_no_guess() -> None:
    with pytest.raises(ReviewError, match="several pictures"):
        decode(b"P5 2 1 255\n\x01\x02" * 2, "image/x-portable-anymap", 1)
    colour = bytes(imagecodecs.jpeg2k_encode(_pixels(5, 40, 40, 255, samples=3), level=0, codecformat="jp2", reversible=True))
    space = colour.index(b"colr") + 7
    assert colour[space : space + 4] == (16).to_bytes(4, "big")
    ycc = colour[:space] + (18).to_bytes(4, "big") + colour[space + 4 :]
    with pytest.raises(ReviewError, match="colour space"):
        decode(ycc, "image/jp2", 1)


SAMPLES = {
    "image/x-portable-anymap": b"P5 9 7 255\n" + bytes(63),
    "image/bmp": _pil(_pixels(4, 7, 9, 255), "BMP"),
    "image/jls": bytes(imagecodecs.jpegls_encode(_pixels(4, 37, 39, 4095))),
    "image/j2c": bytes(imagecodecs.jpeg2k_encode(_pixels(4, 37, 39, 4095), level=0, codecformat="j2k", reversible=True)),
    "image/jp2": bytes(imagecodecs.jpeg2k_encode(_pixels(4, 37, 39, 4095), level=0, codecformat="jp2", reversible=True)),
    "image/webp": _pil(_pixels(4, 37, 39, 255, samples=3), "WEBP", lossless=True),
}


@pytest.mark.parametrize("media_type", SAMPLES)
@given(data=st.data())
def test_damage_raises_only_our_errors_and_a_cut_is_told(media_type: str, data: st.DataObject) -> None:
    whole = SAMPLES[media_type]
    at = data.draw(st.integers(2, len(whole) - 1))
    with pytest.raises(QuarantineError):
        decode(whole[: at // 2 + 1], media_type, 1)
    damaged = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    with suppress(QuarantineError, ReviewError):
        decode(damaged, media_type, 1)
