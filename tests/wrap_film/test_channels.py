"""Palettes, and colour scans of films without colour."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import QuarantineError
from tasks.wrap.film.channels import from_palette, is_colourless
from tests.wrap_film.test_objects import picture


@given(entries=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=256), seed=st.integers(0, 2**32 - 1))
def test_a_palette_shows_its_colours(entries: list[tuple[int, int, int]], seed: int) -> None:
    palette = np.array(entries, np.uint8)
    indices = np.random.default_rng(seed).integers(0, len(entries), (9, 13)).astype(np.uint8)
    pixels, bits, photometric = from_palette(indices, palette, 8)
    shown = pixels if photometric == "RGB" else np.repeat(pixels[..., None], 3, axis=2)
    assert np.array_equal(shown, palette[indices])
    assert bits == 8


def test_black_and_white_palettes_give_single_bits() -> None:
    indices = (picture(8) > 127).astype(np.uint8)
    for palette, expected in (([0, 255], indices), ([255, 0], 1 - indices)):
        pixels, bits, photometric = from_palette(indices, np.repeat(np.array(palette, np.uint8)[:, None], 3, axis=1), 1)
        assert (bits, photometric) == (1, "MONOCHROME2")
        assert np.array_equal(pixels, expected)
    with pytest.raises(QuarantineError, match="more colours"):
        from_palette(indices + np.uint8(1), np.zeros((2, 3), np.uint8), 8)


def test_a_colour_scan_of_a_film_is_told_from_colour() -> None:
    gray = np.repeat(np.tile(picture(8), (9, 9))[..., None], 3, axis=2)
    assert is_colourless(gray)
    noisy = gray.astype(int) + np.random.default_rng(1).integers(-2, 3, gray.shape)
    noisy = noisy.clip(0, 255).astype(np.uint8)
    assert not is_colourless(noisy)
    assert is_colourless(noisy, noise=4)
    noisy[-1, -1] = (90, 100, 110)  # one pixel of a coloured sticker
    assert not is_colourless(noisy, noise=4)
