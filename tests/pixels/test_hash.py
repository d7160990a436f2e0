"""The same picture has the same hash, however a data set carries it; another picture, or another meaning of it, has another."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.encaps import encapsulate

from tasks.errors import QuarantineError
from tasks.pixel_data import decoded_frames, pixel_hash
from tests.pixels.reference import (
    BASELINE,
    BIG,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000_LOSSY,
    JPEG_LS,
    JPEG_LS_NEAR,
    LOSSLESS,
    LOSSLESS_70,
    RLE,
    codestream,
    compressed,
    described,
    native,
    reference_hash,
    with_pixels,
)

GRAY = st.sampled_from(LOSSLESS)
COLOUR = st.sampled_from([s for s in LOSSLESS if s != LOSSLESS_70])  # this library's lossless JPEG writes one component


@st.composite
def pictures(draw: st.DrawFn, samples: int = 1, types: tuple[str, ...] = ("u1", "u2", "i2")) -> tuple[NDArray[Any], int]:
    """Frames x rows x columns [x samples] of odd and even sizes, and Bits Stored; signs fill the word."""
    kind = np.dtype(draw(st.sampled_from(types)))
    allocated = kind.itemsize * 8
    stored = draw(st.integers(allocated // 2 + 1, allocated))
    shape = (draw(st.integers(1, 3)), draw(st.integers(4, 9)), draw(st.integers(4, 9)))
    low, high = (-(2 ** (stored - 1)), 2 ** (stored - 1)) if kind.kind == "i" else (0, 2**stored)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    frames = rng.integers(low, high, (*shape, samples) if samples > 1 else shape).astype(kind)
    frames.flat[:2] = low, high - 1
    return frames, stored


def hash_of(frames: NDArray[Any], stored: int, syntax: str, *, photometric: str = "MONOCHROME2", **options: Any) -> str:
    dataset = described(frames, stored=stored, photometric=photometric)
    value = compressed(frames, syntax, dataset) if syntax in LOSSLESS else native(frames, **options)
    if options.get("planar"):
        dataset.PlanarConfiguration = 1
    digest, kind = pixel_hash(with_pixels(dataset, value, syntax, "OW" if frames.dtype.itemsize > 1 else "OB"))
    assert kind == "decoded"
    return digest


def as_hashed(frames: NDArray[Any], stored: int) -> NDArray[Any]:
    """Negative values without the sign above Bits Stored."""
    return frames.view(f"u{frames.dtype.itemsize}") & (2**stored - 1) if frames.dtype.kind == "i" else frames


@given(pictures(), GRAY)
def test_gray_native_and_compressed_have_the_hash_of_the_definition(picture: tuple[NDArray[Any], int], syntax: str) -> None:
    frames, stored = picture
    wanted = reference_hash(as_hashed(frames, stored), stored=stored, signed=frames.dtype.kind == "i")
    for one in (EXPLICIT, IMPLICIT, syntax):
        assert hash_of(frames, stored, one) == wanted
    assert hash_of(frames, stored, BIG, big=True) == wanted


@given(pictures(samples=3, types=("u1", "u2")), COLOUR)
def test_colour_has_one_hash_by_pixel_and_by_plane(picture: tuple[NDArray[Any], int], syntax: str) -> None:
    frames, stored = picture
    wanted = reference_hash(frames, stored=stored, photometric="RGB")
    assert hash_of(frames, stored, EXPLICIT, photometric="RGB") == wanted
    assert hash_of(frames, stored, EXPLICIT, photometric="RGB", planar=1) == wanted
    assert hash_of(frames, stored, syntax, photometric="RGB") == wanted


@given(st.integers(1, 4), st.integers(1, 11), st.integers(1, 11), st.integers(0, 2**32))
def test_frames_of_one_bit_follow_each_other_without_a_gap(count: int, rows: int, columns: int, seed: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 2, (count, rows, columns)).astype(np.uint8)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()  # PS3.5 section 8.1.1, Annex D
    packed += b"\0" * (len(packed) % 2)
    dataset = with_pixels(described(frames, stored=1, allocated=1), packed, EXPLICIT, "OB")
    assert pixel_hash(dataset)[0] == reference_hash(frames, stored=1)
    words = np.frombuffer(packed, "<u2").byteswap().tobytes()
    assert pixel_hash(with_pixels(described(frames, stored=1, allocated=1), words, BIG, "OW"))[0] == pixel_hash(dataset)[0]


def test_eight_bits_in_big_endian_words_are_turned_and_as_octets_are_not() -> None:
    frames = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    wanted = reference_hash(frames, stored=8)
    for value, vr in ((b"\0\1\2\3\4\5", "OB"), (b"\1\0\3\2\5\4", "OW")):  # PS3.5 section 7.3
        assert pixel_hash(with_pixels(described(frames, stored=8), value, BIG, vr))[0] == wanted


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_floating_point_pixels(kind: str) -> None:
    frames = np.linspace(-1, 1, 12, dtype=kind).reshape(2, 2, 3)
    dataset = described(frames, stored=frames.dtype.itemsize * 8)
    keyword = "FloatPixelData" if kind == "<f4" else "DoubleFloatPixelData"
    setattr(dataset, keyword, frames.tobytes())
    assert pixel_hash(dataset) == (reference_hash(frames, stored=frames.dtype.itemsize * 8), "decoded")


def test_what_stands_above_bits_stored_is_part_of_the_hash_but_for_the_sign() -> None:
    plain = np.array([[[0x0FFF, 0x07FF]]], np.int16)
    extended = np.array([[[-1, 0x07FF]]], np.int16)
    overlay = np.array([[[0x1FFF, 0x07FF]]], np.int16)
    plain_hash, extended_hash, overlay_hash = (hash_of(frames, 12, EXPLICIT) for frames in (plain, extended, overlay))
    assert plain_hash == extended_hash != overlay_hash
    unsigned = np.array([[[0xFFFF, 0x07FF]]], np.uint16)
    assert hash_of(unsigned, 12, EXPLICIT) != hash_of(unsigned & 0x0FFF, 12, EXPLICIT)


def test_left_justified_words_keep_their_low_bits() -> None:
    def digest(word: int) -> str:
        dataset = described(np.array([[[word]]], np.int16), stored=12)
        dataset.HighBit = 15
        return pixel_hash(with_pixels(dataset, word.to_bytes(2, "little"), EXPLICIT))[0]

    assert len({digest(word) for word in (0x7FF0, 0x7FF1, 0x0800, 0x0801)}) == 4


@given(pictures(), st.data())
def test_another_sample_or_another_meaning_is_another_hash(picture: tuple[NDArray[Any], int], data: st.DataObject) -> None:
    frames, stored = picture
    digests = {hash_of(frames, stored, EXPLICIT), hash_of(frames, stored, EXPLICIT, photometric="MONOCHROME1")}
    other = frames.copy()
    at = data.draw(st.integers(0, frames.size - 1))
    other.flat[at] ^= 1
    digests.add(hash_of(other, stored, EXPLICIT))
    digests.add(hash_of(frames.transpose(0, 2, 1), stored, EXPLICIT))
    assert len(digests) == 4 - (frames.shape[1] == frames.shape[2] and bool((frames == frames.transpose(0, 2, 1)).all()))


def test_the_container_of_bits_allocated_holds_what_a_codec_gives() -> None:
    frames = np.arange(64, dtype=np.uint16).reshape(1, 8, 8)  # 8 bits stored in 16: codecs give bytes
    dataset = described(frames, stored=8)
    value = compressed(frames.astype(np.uint8), JPEG_LS, dataset)
    decoded = with_pixels(dataset, value, JPEG_LS)
    (frame,) = decoded_frames(decoded)
    assert frame.dtype == np.dtype("<u2")
    assert pixel_hash(decoded)[0] == hash_of(frames, 8, EXPLICIT)
    narrow = described(frames.astype(np.uint8), stored=8)
    wide = compressed(frames + 256, JPEG_LS, dataset)
    with pytest.raises(QuarantineError, match="more bits than Bits Allocated"):
        pixel_hash(with_pixels(narrow, wide, JPEG_LS))


@pytest.mark.parametrize("syntax", [BASELINE, JPEG_LS_NEAR, JPEG_2000_LOSSY])
def test_lossy_pixels_are_hashed_as_codestreams_whatever_pads_or_parts_them(syntax: str) -> None:
    frames = (np.arange(48 * 48, dtype=np.uint16).reshape(1, 48, 48) % 251).astype(np.uint8)
    dataset = described(frames, stored=8)
    stream = codestream(frames[0], syntax, dataset)
    whole = pixel_hash(with_pixels(dataset, encapsulate([stream]), syntax, "OB"))
    assert whole[1] == "codestream"
    for other in (
        encapsulate([stream], fragments_per_frame=3, has_bot=False),
        encapsulate([stream], fragments_per_frame=2),
        encapsulate([stream + b"\0"]) if len(stream) % 2 else encapsulate([stream]),
    ):
        assert pixel_hash(with_pixels(dataset, other, syntax, "OB")) == whole
    assert pixel_hash(with_pixels(dataset, encapsulate([stream[:-6] + b"\0\0" + stream[-4:]]), syntax, "OB")) != whole


def test_run_length_of_one_bit_is_read_with_a_byte_and_with_a_bit_a_pixel() -> None:
    frames = np.random.default_rng(1).integers(0, 2, (2, 8, 24)).astype(np.uint8)
    as_bytes = described(frames, stored=8)
    one_bit = described(frames, stored=1, allocated=1)
    packed = np.packbits(frames, axis=2, bitorder="little")  # 3 octets a row
    for value in (compressed(frames, RLE, as_bytes), compressed(packed, RLE, described(packed, stored=8))):
        assert pixel_hash(with_pixels(one_bit.copy(), value, RLE, "OB"))[0] == (reference_hash(frames, stored=1))
