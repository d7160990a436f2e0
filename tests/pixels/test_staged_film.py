"""A film's staged pixels: the bytes that its codec gives, the hash of the definition, never other pixels than the scan's."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from tasks.errors import QuarantineError
from tasks.pixel_data import SEQUENCE_DELIMITER, compose, decoded_frames, header_bytes, pixel_hash
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.encode import CODECS, StagedFilm, stage_film
from tests.pixels.reference import (
    BASELINE,
    EXPLICIT,
    HTJ2K,
    JPEG_2000,
    JPEG_LS,
    RLE,
    codestream,
    described,
    native,
    reference_hash,
)

KEY = "ab" + "0" * 30
SYNTAXES = {"jpeg-ls": JPEG_LS, "jpeg2000": JPEG_2000, "htj2k": HTJ2K, "rle": RLE, "none": EXPLICIT}
# A folder is shared by the examples of a test: what is staged has its content in its name.
shared = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def films(draw: st.DrawFn) -> tuple[NDArray[Any], int, str]:
    """Pixels of any size, Bits Stored and photometric interpretation; flat, noise, or extremes side by side."""
    samples = draw(st.sampled_from([1, 1, 1, 3]))
    stored = draw(st.sampled_from([8] if samples == 3 else [1, 2, 4, 8, 10, 12, 14, 16]))
    shape = (draw(st.integers(1, 40)), draw(st.integers(1, 40)), *((3,) if samples == 3 else ()))
    kind = np.uint16 if stored > 8 else np.uint8
    top = 2**stored - 1
    texture = draw(st.sampled_from(["flat", "noise", "extremes"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if texture == "flat":
        pixels = np.full(shape, rng.integers(0, top + 1), kind)
    else:
        pixels = (rng.integers(0, top + 1, shape) if texture == "noise" else top * rng.integers(0, 2, shape)).astype(kind)
    photometric = "RGB" if samples == 3 else draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
    return pixels, stored, photometric


def attributes_of(pixels: NDArray[Any], stored: int, photometric: str) -> Dataset:
    single = stored == 1 and photometric == "MONOCHROME2"
    return described(pixels[None], stored=stored, allocated=1 if single else None, photometric=photometric)


def stage(pixels: NDArray[Any], stored: int, photometric: str, codec: str, folder: Path) -> tuple[StagedFilm, bytes]:
    film = DecodedFilm(pixels, stored, photometric)
    staged = stage_film(film, attributes_of(pixels, stored, photometric), codec, folder, KEY)
    return staged, (folder / staged.element.path).read_bytes()


def packed_bits(pixels: NDArray[Any]) -> bytes:
    """PS3.5 8.1.1: the first pixel is the lowest bit of the first byte."""
    return np.packbits(pixels, bitorder="little").tobytes()


@given(films(), st.sampled_from(sorted(SYNTAXES)))
@shared
def test_bytes_and_hash_are_those_of_the_definition(tmp_path: Path, film: tuple[NDArray[Any], int, str], codec: str) -> None:
    pixels, stored, photometric = film
    attributes = attributes_of(pixels, stored, photometric)
    staged, element = stage(*film, codec, tmp_path)
    assert (staged.pixel_sha256, staged.pixel_hash_kind) == (
        reference_hash(pixels[None], stored=stored, photometric=photometric),
        "decoded",
    )
    # As whoever reads the object back sees it, with the decoders that readers use.
    dataset = compose(header_bytes(attributes), element, b"", staged.transfer_syntax)
    assert pixel_hash(dataset) == (staged.pixel_sha256, "decoded")
    np.testing.assert_array_equal(next(decoded_frames(dataset)), pixels)
    packed = attributes.BitsAllocated == 1
    assert staged.transfer_syntax == (EXPLICIT if packed else SYNTAXES[codec])
    if packed:
        assert (
            element[12:].ljust(len(element), b"\0")[: -(-pixels.size // 8)] == np.packbits(pixels, bitorder="little").tobytes()
        )
    elif codec == "none":
        assert element[12:] == native(pixels[None])
    elif codec not in ("rle", "jpeg-ls"):  # RLE may be written in several ways; CharLS takes more room for noise
        stream = codestream(pixels, SYNTAXES[codec], attributes)
        assert element[12:] == encapsulate([stream], has_bot=False) + SEQUENCE_DELIMITER


@pytest.mark.parametrize("codec", ["jpeg-ls", "jpeg2000", "htj2k", "rle"])
@given(st.integers(0, 29), st.integers(0, 39), st.integers(0, 15))
@shared
def test_a_codec_that_changes_a_pixel_stages_nothing(tmp_path: Path, codec: str, row: int, column: int, bit: int) -> None:
    pixels = np.random.default_rng(5).integers(0, 65536, (30, 40)).astype(np.uint16)
    syntax, right = CODECS[codec]
    wrong = pixels.copy()
    wrong[row, column] ^= 1 << bit
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CODECS, codec, (syntax, lambda _: right(wrong)))
        with pytest.raises(QuarantineError, match="did not give the same pixels back"):
            stage(pixels, 16, "MONOCHROME2", codec, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("codec", ["jpeg-ls", "jpeg2000", "htj2k", "rle"])
@given(st.floats(0, 1))
@shared
def test_a_codestream_that_is_cut_short_is_not_staged_for_what_a_decoder_makes_of_it(
    tmp_path: Path, codec: str, share: float
) -> None:
    pixels = np.random.default_rng(6).integers(0, 65536, (30, 40)).astype(np.uint16)
    syntax, right = CODECS[codec]
    stream = right(pixels)
    cut = stream[: int(share * (len(stream) - 64))]  # of some codecs the last bytes hold no pixel
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CODECS, codec, (syntax, lambda _: cut))
        with pytest.raises(QuarantineError):
            stage(pixels, 16, "MONOCHROME2", codec, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_view_in_another_order_is_staged_as_it_is_seen(tmp_path: Path) -> None:
    scan = np.random.default_rng(7).integers(0, 4096, (21, 34)).astype(">u2")
    seen = np.rot90(scan)
    for codec in SYNTAXES:
        staged, _ = stage(seen, 12, "MONOCHROME2", codec, tmp_path)
        assert staged.pixel_sha256 == reference_hash(seen[None], stored=12)


def test_a_kept_codestream_is_staged_byte_for_byte(tmp_path: Path) -> None:
    pixels = np.random.default_rng(8).integers(0, 256, (16, 24)).astype(np.uint8)
    stream = bytes(imagecodecs.jpeg_encode(pixels, level=90))
    film = DecodedFilm(imagecodecs.jpeg_decode(stream), 8, "MONOCHROME2", codestream=stream, transfer_syntax=UID(BASELINE))
    staged = stage_film(film, described(pixels[None], stored=8), "jpeg-ls", tmp_path, KEY)
    assert stream in (tmp_path / staged.element.path).read_bytes()
    assert (staged.transfer_syntax, staged.pixel_hash_kind) == (BASELINE, "codestream")
