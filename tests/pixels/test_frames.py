"""Pixels that are damaged, or not what their header says, are refused and never filled up; frames come one at a time."""

import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import AllTransferSyntaxes

from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_codecs import NATIVE, can_decode, is_known, is_lossy
from tasks.pixel_data import decoded_frames, pixel_hash
from tests.pixels.reference import (
    BASELINE,
    DEFLATED_FRAMES,
    EXPLICIT,
    HTJ2K,
    IMPLICIT,
    JPEG_2000,
    JPEG_2000_LOSSY,
    JPEG_LS,
    JPEG_LS_NEAR,
    JPEG_XL,
    LOSSLESS,
    LOSSLESS_70,
    RLE,
    UNCOMPRESSED_FRAMES,
    codestream,
    compressed,
    described,
    native,
    with_pixels,
)

PICTURE = np.random.default_rng(7).integers(0, 4096, (1, 40, 56)).astype(np.uint16)
LOSSY_PICTURE = (PICTURE // 16).astype(np.uint8)
EVERY = (*LOSSLESS, BASELINE, JPEG_LS_NEAR, JPEG_2000_LOSSY)
CHECKED = (JPEG_LS, JPEG_2000, HTJ2K, JPEG_XL, RLE, UNCOMPRESSED_FRAMES, DEFLATED_FRAMES)


def picture(syntax: str) -> tuple[NDArray[Any], Dataset]:
    frames = LOSSY_PICTURE if is_lossy(syntax) else PICTURE
    return frames, described(frames, stored=8 if frames.dtype == np.uint8 else 12)


def decode(dataset: Dataset) -> list[NDArray[Any]]:
    return list(decoded_frames(dataset))


# An uncompressed frame that lost its last byte to padding looks like a whole one.
@pytest.mark.parametrize("syntax", [syntax for syntax in EVERY if syntax != UNCOMPRESSED_FRAMES])
def test_a_codestream_cut_short_anywhere_is_refused(syntax: str) -> None:
    frames, dataset = picture(syntax)
    stream = codestream(frames[0], syntax, dataset).removesuffix(b"\0")
    # Of some codecs the last bytes say nothing that the decoder needs; what it gives then is the whole picture.
    whole = decode(with_pixels(dataset, encapsulate([stream]), syntax, "OB"))
    for length in (*range(0, len(stream) - 1, 97), *range(len(stream) - 12, len(stream))):
        try:
            (got,) = decode(with_pixels(dataset, encapsulate([stream[:length] or b"\0\0"]), syntax, "OB"))
        except QuarantineError:
            continue
        np.testing.assert_array_equal(got, whole[0])


# CharLS looks for the end of a damaged code for eight seconds before it gives up, so JPEG-LS is not among them.
@pytest.mark.parametrize("syntax", [syntax for syntax in EVERY if syntax not in (JPEG_LS, JPEG_LS_NEAR)])
@given(at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=40))
@settings(deadline=None)
def test_bytes_overwritten_anywhere_raise_only_our_errors(syntax: str, at: float, junk: bytes) -> None:
    frames, dataset = picture(syntax)
    stream = bytearray(codestream(frames[0], syntax, dataset))
    place = int(at * (len(stream) - len(junk)))
    stream[place : place + len(junk)] = junk
    try:
        (got,) = decode(with_pixels(dataset, encapsulate([bytes(stream)]), syntax, "OB"))
    except (QuarantineError, ReviewError):
        return
    assert got.shape == frames.shape[1:]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_native_pixels_that_are_too_short_are_refused(syntax: str) -> None:
    value = native(PICTURE)
    for length in (0, 1, len(value) // 2, len(value) - 1):
        with pytest.raises(QuarantineError, match="cut off"):
            pixel_hash(with_pixels(described(PICTURE, stored=12), value[:length], syntax))


@pytest.mark.parametrize("syntax", EVERY)
@pytest.mark.parametrize("change", [{"Rows": 41}, {"Columns": 55}, {"SamplesPerPixel": 3}, {"NumberOfFrames": 2}])
def test_a_header_that_contradicts_the_codestreams_is_refused(syntax: str, change: dict[str, int]) -> None:
    frames, dataset = picture(syntax)
    value = compressed(frames, syntax, dataset)
    for keyword, number in change.items():
        setattr(dataset, keyword, number)
    with pytest.raises(QuarantineError):
        decode(with_pixels(dataset, value, syntax, "OB"))


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated", "PhotometricInterpretation"])
def test_what_is_missing_is_named(keyword: str) -> None:
    for value in (None, ""):
        dataset = with_pixels(described(PICTURE, stored=12), native(PICTURE), EXPLICIT)
        if value is None:
            delattr(dataset, keyword)
        else:
            dataset[keyword] = DataElement(keyword, dataset[keyword].VR, value, validation_mode=config.IGNORE)
        with pytest.raises(QuarantineError, match=keyword):
            pixel_hash(dataset)


@pytest.mark.parametrize(
    "change",
    [{"BitsAllocated": 12}, {"BitsAllocated": 1, "SamplesPerPixel": 3}, {"PhotometricInterpretation": "YBR_PARTIAL_420"}],
)
def test_packings_that_are_not_read_go_to_a_person(change: dict[str, Any]) -> None:
    dataset = with_pixels(described(PICTURE, stored=12), native(PICTURE), EXPLICIT)
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    with pytest.raises(ReviewError, match="not read yet"):
        pixel_hash(dataset)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "SamplesPerPixel"])
def test_a_picture_without_extent_is_refused(keyword: str) -> None:
    dataset = with_pixels(described(PICTURE, stored=12), native(PICTURE), EXPLICIT)
    setattr(dataset, keyword, 0)
    with pytest.raises(QuarantineError, match="zero"):
        pixel_hash(dataset)


@pytest.mark.parametrize("syntax", CHECKED)
def test_frames_are_told_apart_with_and_without_offset_tables(syntax: str) -> None:
    frames = np.random.default_rng(3).integers(0, 4096, (3, 20, 30)).astype(np.uint16)
    dataset = described(frames, stored=12)
    streams = [codestream(frame, syntax, dataset) for frame in frames]
    values = [encapsulate(streams), encapsulate(streams, has_bot=False), encapsulate(streams, fragments_per_frame=2)]
    digests = {pixel_hash(with_pixels(dataset.copy(), value, syntax, "OB")) for value in values}
    extended, offsets, lengths = encapsulate_extended(streams)
    dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    digests.add(pixel_hash(with_pixels(dataset, extended, syntax, "OB")))
    assert digests == {pixel_hash(with_pixels(described(frames, stored=12), native(frames), EXPLICIT))}


def test_fragments_without_tables_or_ends_are_refused() -> None:
    frames = np.zeros((2, 8, 8), np.uint16)
    dataset = described(frames, stored=12)
    streams = [codestream(frame, RLE, dataset) for frame in frames]
    with pytest.raises(QuarantineError):
        pixel_hash(with_pixels(dataset, encapsulate(streams, fragments_per_frame=2, has_bot=False), RLE, "OB"))
    for value in (b"", b"\xfe\xff\x00\xe0", encapsulate(streams)[:-3], b"no fragments"):
        with pytest.raises(QuarantineError):
            pixel_hash(with_pixels(dataset, value, RLE, "OB"))


def test_a_deflated_frame_is_inflated_no_further_than_a_frame() -> None:
    bomb = codestream(np.zeros((4000, 4000), np.uint8), DEFLATED_FRAMES, Dataset())
    dataset = described(np.zeros((1, 8, 8), np.uint8), stored=8)
    tracemalloc.start()
    with pytest.raises(QuarantineError, match="longer than its header"):
        pixel_hash(with_pixels(dataset, encapsulate([bomb]), DEFLATED_FRAMES, "OB"))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("syntax", [LOSSLESS_70, BASELINE, JPEG_LS, JPEG_2000, HTJ2K])
def test_a_codestream_of_another_size_is_refused_before_memory_is_taken_for_it(syntax: str) -> None:
    small = np.zeros((1, 40, 56), np.uint8)
    dataset = described(small, stored=8)
    stream = codestream(small[0], syntax, dataset)
    size = struct.pack(">LL", 56, 40) if syntax in (JPEG_2000, HTJ2K) else struct.pack(">HH", 40, 56)
    bomb = stream.replace(size, struct.pack(">LL" if len(size) == 8 else ">HH", 60_000, 60_000), 1)
    assert bomb != stream
    with pytest.raises(QuarantineError, match="60000 x 60000, its header says 40 x 56"):
        decode(with_pixels(dataset, encapsulate([bomb]), syntax, "OB"))


@pytest.mark.parametrize("syntax", [JPEG_LS, RLE, DEFLATED_FRAMES, BASELINE])
def test_many_frames_are_not_held_at_once(syntax: str) -> None:
    frame = np.zeros((512, 512), np.uint8)
    dataset = described(frame[None], stored=8)
    stream = codestream(frame, syntax, dataset)
    dataset.NumberOfFrames = 100
    dataset = with_pixels(dataset, encapsulate([stream] * 100), syntax, "OB")
    tracemalloc.start()
    pixel_hash(dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * frame.nbytes + 4 * len(dataset.PixelData), "a hundred frames would be 26 MB"


def test_every_transfer_syntax_of_the_standard_is_native_or_proved_by_value_or_by_codestream() -> None:
    unknown = {str(syntax) for syntax in AllTransferSyntaxes if not is_known(syntax)}
    # JPEG 2000 Part 2, many frames in one codestream; JPIP, whose pixels lie elsewhere; ST 2110, which is never stored.
    assert unknown <= {f"1.2.840.10008.1.2.4.{n}" for n in (92, 93, 94, 95, 204, 205)} | {
        f"1.2.840.10008.1.2.7.{n}" for n in (1, 2, 3)
    }
    for syntax in AllTransferSyntaxes:
        if is_known(syntax):
            assert syntax in NATIVE or can_decode(syntax) or is_lossy(syntax)
            assert (syntax in NATIVE) == (not syntax.is_encapsulated)


def test_a_video_is_one_codestream() -> None:
    frames = np.zeros((50, 16, 16, 3), np.uint8)
    dataset = described(frames, stored=8, photometric="YBR_PARTIAL_420")
    one, two = (encapsulate([b"\0\0\1\xb3" * 60], fragments_per_frame=n, has_bot=False) for n in (1, 4))
    digests = {pixel_hash(with_pixels(dataset.copy(), value, "1.2.840.10008.1.2.4.102", "OB")) for value in (one, two)}
    assert len(digests) == 1
    assert digests.pop()[1] == "codestream"
