"""Whatever encoding a header comes in, its values leave as the bytes they came as, in Explicit VR Little Endian."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.pixel_data import read_data_set
from tasks.wrap.dicom.read import read_object
from tests.pixels.reference import BIG, EXPLICIT, IMPLICIT
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.objects import PICTURE, data_set_bytes, file_bytes, legacy, whole

ENCODINGS = {EXPLICIT: (False, True), IMPLICIT: (True, True), BIG: (False, False)}


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_a_header_is_the_same_from_every_encoding(syntax: str, take: Take) -> None:
    source = legacy(syntax=syntax)
    outcome, staging = take(file_bytes(source))
    assert outcome.outcome == "done", outcome.reason
    got, plain = whole(outcome.rows["objects"][0], staging), read_data_set(data_set_bytes(legacy()))
    assert [element.tag for element in got] == [element.tag for element in plain]
    for element in plain:
        if element.tag.is_private and syntax == IMPLICIT:
            continue  # nobody knows the VR of a private value that comes without one
        assert got[element.tag] == element, element.tag


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 2) -> Dataset:
    """Data sets with values of every width and sign, text of odd and even length, and sequences in sequences."""
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66"
    dataset.StudyDescription = draw(st.text("abcdefgh ", max_size=9)).strip()
    dataset.ReferencedFrameNumbers = draw(st.lists(st.integers(1, 60000), max_size=3))
    dataset.SimpleFrameList = draw(st.lists(st.integers(0, 2**32 - 1), max_size=3))
    dataset.ReferencePixelX0 = draw(st.integers(-(2**31), 2**31 - 1))
    dataset.FrameIncrementPointer = draw(st.sampled_from([0x00181063, [0x00181063, 0x00182001]]))
    dataset.RecommendedDisplayFrameRateInFloat = draw(st.floats(width=32, allow_nan=False, allow_infinity=False))
    dataset.RealWorldValueSlope = draw(st.floats(allow_nan=False, allow_infinity=False))
    dataset.RedPaletteColorLookupTableData = np.array(draw(st.lists(st.integers(0, 65535), max_size=5)), "<u2").tobytes()
    dataset.TextValue = draw(st.text("abc\n", max_size=40)).strip()
    dataset.EncapsulatedDocument = draw(st.binary(max_size=6).filter(lambda b: len(b) % 2 == 0))
    if depth:
        dataset.ReferencedSeriesSequence = Sequence(draw(st.lists(data_sets(depth - 1), max_size=2)))
    return dataset


def swapped(dataset: Dataset) -> Dataset:
    """pydicom writes the bytes of OW as they are given, which in big endian have to be turned."""
    for element in dataset.iterall():
        if element.VR == "OW" and element.value:
            element.value = np.frombuffer(element.value, "<u2").byteswap().tobytes()
    return dataset


@given(data_sets(), st.sampled_from(sorted(ENCODINGS)), st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_data_set_is_read_as_it_was_written(dataset: Dataset, syntax: str, undefined: bool) -> None:
    implicit, little = ENCODINGS[syntax]
    wanted = read_data_set(data_set_bytes(dataset))
    for element in dataset.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
    encoded = data_set_bytes(swapped(dataset) if not little else dataset, implicit, little)
    assert read_data_set(read_object(encoded).header) == wanted


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
        return head + b"\0\0" + struct.pack("<L", len(value)) + value
    return head + struct.pack("<H", len(value)) + value


CLASS = element(0x00080016, b"UI", b"1.2.840.10008.5.1.4.1.1.66\0"[:26])


@pytest.mark.parametrize(
    "odd",
    [
        [element(0x00100010, b"PN", b"M\xfcller^J\xf6rg ")],  # no character set declared
        [element(0x00080005, b"CS", b"ISO_IR 999"), element(0x00100010, b"PN", b"\xb0\xb1\xb2\xb3")],
        [element(0x00281050, b"DS", b"12,5")],
        [element(0x00200013, b"IS", b"one ")],
        [element(0x00080020, b"DA", b"2004.01.19")],
        [element(0x00281052, b"US", b"\1\2\3\4")],  # another VR than the dictionary's
        [element(0x00091010, b"UN", b"private ")],
        [element(0x00100020, b"LO", b"x" * 80)],
        [element(0x00080060, b"CS", b"lower case")],
    ],
)
def test_values_that_break_their_rules_are_not_touched(odd: list[bytes], take: Take) -> None:
    outcome, _ = take(CLASS + b"".join(odd))
    assert outcome.outcome == "done", outcome.reason
    in_order = sorted([CLASS, *odd], key=lambda one: struct.unpack("<HH", one[:4]))
    assert outcome.rows["objects"][0]["source_header"] == b"".join(in_order)


def test_an_odd_length_is_padded_and_too_long_a_value_becomes_unknown() -> None:
    assert element(0x00100020, b"LO", b"odd ") in read_object(CLASS + element(0x00100020, b"LO", b"odd")).header
    implicit = struct.pack("<HHL", 8, 0x16, 26) + CLASS[8:] + struct.pack("<HHL", 0x10, 0x20, 70000) + b"x" * 70000
    assert element(0x00100020, b"UN", b"x" * 70000) in read_object(implicit).header


def test_group_lengths_and_trailing_padding_go_and_all_else_stays(take: Take) -> None:
    lengths = element(0x00080000, b"UL", b"\x22\0\0\0") + CLASS + element(0x00100000, b"UL", b"\0\0\0\0")
    outcome, _ = take(lengths + element(0x00100020, b"LO", b"4711") + element(0xFFFCFFFC, b"OB", b"\0" * 6) + b"\0" * 300)
    row = outcome.rows["objects"][0]
    assert row["source_header"] + row["source_trailer"] == CLASS + element(0x00100020, b"LO", b"4711")


def test_the_vr_that_hangs_on_the_sign_follows_it(take: Take) -> None:
    for frames in (PICTURE, PICTURE.astype(np.int16)):
        source = legacy(frames, stored=12, syntax=IMPLICIT)
        outcome, staging = take(file_bytes(source))
        got = whole(outcome.rows["objects"][0], staging)
        vr = str(got["PixelPaddingValue"].VR)
        assert vr == ("SS" if frames.dtype.kind == "i" else "US")
        assert got.PixelPaddingValue == source.PixelPaddingValue


def deflated(body: bytes) -> bytes:
    meta = element(0x00020010, b"UI", b"1.2.840.10008.1.2.1.99")
    deflate = zlib.compressobj(wbits=-15)
    return b"\0" * 128 + b"DICM" + meta + deflate.compress(body) + deflate.flush()


@pytest.mark.parametrize("start", ["preamble", "no preamble", "DICM only", "no meta", "no syntax", "deflated", "wrong syntax"])
def test_every_way_to_begin_gives_the_same_object(start: str, take: Take) -> None:
    body = data_set_bytes(legacy())
    meta = element(0x00020010, b"UI", EXPLICIT.encode() + b"\0")
    data = {
        "preamble": b"\0" * 128 + b"DICM" + meta + body,
        "no preamble": meta + body,
        "DICM only": b"DICM" + meta + body,
        "no meta": body,
        "no syntax": b"\0" * 128 + b"DICM" + element(0x00020000, b"UL", b"\xff\xff\0\0") + body,
        "deflated": deflated(body),
        "wrong syntax": b"\0" * 128 + b"DICM" + element(0x00020010, b"UI", IMPLICIT.encode() + b"\0") + body,
    }[start]
    outcome, staging = take(data)
    assert outcome.outcome == "done", outcome.reason
    (plain,) = take(file_bytes(legacy()))[0].rows["objects"]
    assert whole(outcome.rows["objects"][0], staging) == whole(plain, staging)


def test_a_standard_element_that_was_called_unknown_gets_its_vr_back() -> None:
    named = element(0x00080060, b"CS", b"CR")
    assert named in read_object(CLASS + element(0x00080060, b"UN", b"CR")).header
