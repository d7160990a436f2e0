"""What is damaged is quarantined and not altered, and says why without the words of the file; what is odd is survived."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from tasks.errors import FilmroomError, QuarantineError, ReviewError
from tasks.wrap.dicom.elements import MOST_NESTED
from tasks.wrap.dicom.identity import identity
from tasks.wrap.dicom.read import read_object
from tests.pixels.reference import BIG, EXPLICIT, IMPLICIT, JPEG_LS, codestream, described
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.objects import PICTURE, data_set_bytes, file_bytes, legacy
from tests.wrap_dicom.test_headers import CLASS, deflated, element

SYNTAXES = (EXPLICIT, IMPLICIT, BIG, JPEG_LS)


@cache
def plain_file(syntax: str) -> bytes:
    value = encapsulate([codestream(PICTURE[0], JPEG_LS, described(PICTURE, stored=12))]) if syntax == JPEG_LS else None
    return file_bytes(legacy(syntax=syntax, value=value))


def reason_of(data: bytes) -> str:
    with pytest.raises(QuarantineError) as raised:
        read_object(data)
    return str(raised.value)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_file_that_is_cut_off_is_taken_for_a_whole_one(syntax: str, take: Take) -> None:
    data = plain_file(syntax)
    ends = set(element_ends(data))
    for length in range(128, len(data)):
        try:
            legacy_object = read_object(data[:length])
        except (QuarantineError, ReviewError):
            continue
        # Cut between two elements a data set is still one: it has no pixels, or nothing behind them. A single NUL pads.
        assert length in ends or (length - 1 in ends and data[length - 1] == 0)
        if legacy_object.pixels is None:
            outcome, _ = take(data[:length])
            assert outcome.outcome in ("quarantined", "review"), outcome
            assert "unexpected" not in outcome.reason


def element_ends(data: bytes) -> list[int]:
    """Where top-level elements end: where pydicom finds the values of the next ones, less 8 or 12 bytes before those."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    found = [dataset.get_item(tag) for tag in list(dataset.keys())]
    values = [raw.value_tell if isinstance(raw, RawDataElement) else raw.file_tell for raw in found]
    return [value - size for value in values if value is not None for size in (8, 12)] + [len(data)]


@given(syntax=st.sampled_from(SYNTAXES), at=st.floats(0.05, 1), junk=st.binary(min_size=1, max_size=12))
@settings(deadline=None)
def test_bytes_overwritten_anywhere_raise_only_our_errors(syntax: str, at: float, junk: bytes) -> None:
    data = bytearray(plain_file(syntax))
    place = int(at * (len(data) - len(junk)))
    data[place : place + len(junk)] = junk
    try:
        read_object(bytes(data))
    except FilmroomError as error:
        assert len(str(error)) < 120


@given(st.binary(max_size=400))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    for start in (b"", b"\0" * 128 + b"DICM", CLASS):
        try:
            read_object(start + data)
        except FilmroomError:
            continue


@given(at=st.floats(0, 1), junk=st.binary(min_size=1, max_size=4), syntax=st.sampled_from(SYNTAXES[:3]))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_overwritten_the_whole_stage_has_a_reason(at: float, junk: bytes, syntax: str, take: Take) -> None:
    data = bytearray(plain_file(syntax))
    place = 132 + int(at * (len(data) - 132 - len(junk)))
    data[place : place + len(junk)] = junk
    outcome, _ = take(bytes(data))
    assert "unexpected" not in outcome.reason
    assert outcome.outcome == "done" or outcome.reason


@pytest.mark.parametrize("length", [0, 1, 3, 2**31 - 1, 2**32 - 2, 2**32 - 1])
def test_wrong_lengths_are_refused(length: int) -> None:
    for vr in (b"OB", b"UN", b"SQ", b"UT"):
        head = struct.pack("<HH", 0x0042, 0x0011) + vr + b"\0\0" + struct.pack("<L", length)
        reason = reason_of(CLASS + head + b"\1\2\3\4\5\6\7\x08\x09")
        assert any(word in reason for word in ("cut off", "no length", "no item", "do not end", "value representation"))


def test_sequences_that_do_not_hold_together_are_refused() -> None:
    item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(CLASS)) + CLASS
    tag = 0x00081140
    whole = read_object(CLASS[:0] + element(0x00080005, b"CS", b"ISO_IR 100") + CLASS + element(tag, b"SQ", item))
    assert len(whole.dataset.ReferencedImageSequence) == 1
    for value in (item[:-1], item + b"\0\0", item[:4] + b"\xff\0\0\0" + item[8:], b"\xfe\xff\x0d\xe0\0\0\0\0", CLASS):
        reason_of(CLASS + element(tag, b"SQ", value))
    open_ended = element(tag, b"SQ", item)[:8] + b"\xff\xff\xff\xff" + item
    assert "cut off" in reason_of(CLASS + open_ended)
    assert len(read_object(CLASS + open_ended + b"\xfe\xff\xdd\xe0\0\0\0\0").dataset.ReferencedImageSequence) == 1


def nested(depth: int, defined: bool) -> bytes:
    body = CLASS
    for _ in range(depth):
        size = struct.pack("<L", len(body)) if defined else b"\xff\xff\xff\xff"
        body = b"\xfe\xff\x00\xe0" + size + body + (b"" if defined else b"\xfe\xff\x0d\xe0\0\0\0\0")
        size = struct.pack("<L", len(body)) if defined else b"\xff\xff\xff\xff"
        body = b"\x08\0\x40\x11SQ\0\0" + size + body + (b"" if defined else b"\xfe\xff\xdd\xe0\0\0\0\0")
    return CLASS + body


@pytest.mark.parametrize("defined", [True, False])
def test_sequences_nested_without_end_are_refused(defined: bool) -> None:
    assert read_object(nested(MOST_NESTED, defined)).header == nested(MOST_NESTED, defined)
    for depth in (MOST_NESTED + 1, 3000):
        assert "nested without end" in reason_of(nested(depth, defined))


def test_deflated_data_sets_that_are_damaged_or_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = deflated(CLASS)
    assert read_object(whole).header == CLASS
    assert "cut off" in reason_of(whole[:-4])
    assert "damaged" in reason_of(whole[: 132 + 8 + 22] + b"\xff" * 30)
    monkeypatch.setattr("tasks.wrap.dicom.read.LARGEST_ITEM", 10_000)
    assert "2 GiB" in reason_of(deflated(CLASS + bytes(20_000)))


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 128 + b"DICM", b"\0" * 132, zlib.compress(b"x" * 99), b"%PDF-1.4\n%x", b"MM\0*\0\0\0\x08"]
)
def test_what_is_no_dicom_says_so(data: bytes) -> None:
    assert any(word in reason_of(data) for word in ("does not begin like", "no DICOM elements", "cut off"))


def removed(*keywords: str, **changed: Any) -> Dataset:
    dataset = legacy()
    for keyword in keywords:
        delattr(dataset, keyword)
    for keyword, value in changed.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("dataset", "kind", "reason"),
    [
        (removed("SOPClassUID"), "quarantined", "no SOP Class UID"),
        (removed("PixelData"), "quarantined", "an image without pixels"),
        (removed("PixelData", PixelDataProviderURL="http://pacs/1"), "review", "Pixel Data Provider URL"),
        (removed(PixelData=b""), "quarantined", "the pixel element is empty"),
        (removed(NumberOfFrames=3), "quarantined", "cut off"),
        (removed("Rows"), "quarantined", "Rows is missing"),
        (removed("BitsAllocated"), "quarantined", "BitsAllocated is missing"),
        (removed(FloatPixelData=b"\0" * 480), "review", "more than one pixel element"),
    ],
)
def test_each_lack_has_its_own_reason(dataset: Dataset, kind: str, reason: str, take: Take) -> None:
    body = data_set_bytes(dataset)
    outcome, staging = take(body)
    assert (outcome.outcome, reason in outcome.reason) == (kind, True), outcome.reason
    assert outcome.rows == {}
    assert not staging.exists()


def test_a_private_syntax_goes_to_a_person(take: Take) -> None:
    body = data_set_bytes(removed("SOPClassUID"))
    outcome, _ = take(b"\0" * 128 + b"DICM" + element(0x00020010, b"UI", b"1.2.276.0.7230010.3.9.1\0") + body, "private")
    assert (outcome.outcome, "private transfer syntax" in outcome.reason) == ("review", True)


def test_reasons_hold_no_words_of_the_file() -> None:
    name = b"DOE^JANE"
    for data in (
        name * 40,
        CLASS + name * 40,
        CLASS + element(0x00100010, b"PN", name) + name * 3,
        b"\x10\0\x10\0PN\xff\x7f" + name,
    ):
        reason = reason_of(data)
        assert "DOE" not in reason and "444F" not in reason and "4F44" not in reason


def test_hostile_files_raise_only_our_errors(realdata: Path) -> None:
    seen = 0
    for file in sorted((realdata / "hostile").rglob("*")):
        if file.is_file():
            seen += 1
            with pytest.raises(FilmroomError):
                identity(read_object(file.read_bytes()), "key", "group")
    assert seen > 100


def test_deep_data_sets_written_by_others_are_whole() -> None:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    inner = dataset
    for _ in range(20):
        item = Dataset()
        item.TextValue = "level"
        inner.ContentSequence = Sequence([item, Dataset()])
        inner = item
    assert len(read_object(data_set_bytes(dataset)).dataset.ContentSequence) == 2
