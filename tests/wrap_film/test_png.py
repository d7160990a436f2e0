"""PNG in all its colour types: pixels as Pillow and OpenCV read them."""

import io
import struct
import zlib
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decode import decode
from tests.wrap_film.test_objects import picture, pil

GRAY, COLOUR = picture(8), picture(8, 3)
# The seven passes of Adam7 (PNG 8.1): first row, first column, rows and columns between.
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def film_of(data: bytes) -> Any:
    return decode(data, "image/png", 1)


def png(pixels: NDArray[Any], depth: int, interlaced: bool) -> bytes:
    """A gray PNG of any depth, written from the specification."""

    def lines(part: NDArray[Any]) -> bytes:
        samples = (part[..., None].astype(int) >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(samples.reshape(len(part), -1).astype(np.uint8), axis=1)
        return b"".join(b"\0" + line.tobytes() for line in packed)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    parts = [pixels[top::down, left::across] for top, left, down, across in PASSES] if interlaced else [pixels]
    body = zlib.compress(b"".join(lines(part) for part in parts if part.size))
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, 0, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    depth=st.sampled_from([1, 2, 4, 8, 16]),
    seed=st.integers(0, 2**32 - 1),
    interlaced=st.booleans(),
)
def test_gray(rows: int, columns: int, depth: int, seed: int, interlaced: bool) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**depth, (rows, columns)).astype(np.uint8 if depth <= 8 else np.uint16)
    film = film_of(png(pixels, depth, interlaced))
    assert np.array_equal(film.pixels, pixels)
    assert (film.bits_stored, film.photometric) == (depth, "MONOCHROME2")


@pytest.mark.parametrize("colours", [2, 4, 16, 256])
@pytest.mark.parametrize("transparency", [None, 255])
def test_palettes(colours: int, transparency: int | None) -> None:
    def with_palette(entries: NDArray[Any]) -> tuple[bytes, NDArray[Any]]:
        indices = (GRAY.astype(int) * colours // 256).astype(np.uint8)
        image = Image.fromarray(indices).convert("L")
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette(entries.astype(np.uint8).ravel().tolist())
        buffer = io.BytesIO()
        options = {} if transparency is None else {"transparency": bytes([transparency] * colours)}
        image.save(buffer, "PNG", bits=colours.bit_length() - 1, **options)
        return buffer.getvalue(), entries[indices].astype(np.uint8)

    data, seen = with_palette(np.repeat(np.linspace(0, 255, colours).astype(int)[:, None], 3, axis=1))
    film = film_of(data)
    assert film.photometric == "MONOCHROME2"
    assert film.bits_stored == (1 if colours == 2 else 8)
    assert np.array_equal(film.pixels * (255 if colours == 2 else 1), seen[:, :, 0])
    data, seen = with_palette(np.stack([np.arange(colours), 255 - np.arange(colours), np.full(colours, 7)], axis=1))
    film = film_of(data)
    assert (film.photometric, film.bits_stored) == ("RGB", 8)
    assert np.array_equal(film.pixels, seen)


@pytest.mark.parametrize("kind", ["gray 8", "gray 16", "colour"])
def test_opaque_alpha_is_left_out_and_said_so(kind: str) -> None:
    pixels = {"gray 8": GRAY, "gray 16": picture(16), "colour": COLOUR}[kind]
    alpha = np.full(GRAY.shape, np.iinfo(pixels.dtype).max, pixels.dtype)
    film = film_of(imagecodecs.png_encode(np.dstack([pixels, alpha])))
    assert np.array_equal(film.pixels, pixels)
    assert film.left_out == ("an opaque alpha channel",)
    alpha[5, 6] -= 1
    with pytest.raises(ReviewError, match="transparency"):
        film_of(imagecodecs.png_encode(np.dstack([pixels, alpha])))


def test_a_blank_picture_out_of_a_few_bytes_is_decoded_only_where_it_is_small() -> None:
    assert film_of(pil(np.zeros((3000, 3000), np.uint8), "PNG")).pixels.shape == (3000, 3000)
    with pytest.raises(QuarantineError, match="bomb"):
        film_of(pil(np.zeros((9000, 9000), np.uint8), "PNG", compress_level=1))
