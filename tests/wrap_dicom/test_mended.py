"""What reading mends: each fault made here on purpose, and the object the same as without it; what was done is recorded."""

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_data import read_data_set
from tasks.reconcile.revision import revision_of
from tasks.wrap.dicom.read import read_object
from tests.pixels.reference import IMPLICIT, reference_hash
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.objects import PICTURE, data_set_bytes, file_bytes, legacy
from tests.wrap_dicom.test_headers import CLASS, element

NUMBER = element(0x00200013, b"IS", b"7 ")
NAME = element(0x00100020, b"LO", b"4711")


def without_vr(vr: bytes, tag: int, value: bytes) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + struct.pack("<H", len(value)) + value


def implicit(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


@pytest.mark.parametrize("vr", [b"  ", b"\0\0", b"??", b"ox", b"\xff\xfe"])
def test_a_vr_that_nobody_can_read_is_that_of_the_dictionary(vr: bytes) -> None:
    read = read_object(CLASS + without_vr(vr, 0x00100020, b"4711") + NUMBER)
    assert read.header == CLASS + NAME + NUMBER
    assert [(change["keyword"], change["from"], change["to"]) for change in read.changes] == [("PatientID", "", "LO")]
    private = read_object(CLASS + NAME + without_vr(vr, 0x00211001, b"abcd") + element(0x00280030, b"DS", b"1\\1 "))
    assert private.header[len(CLASS + NAME) :] == element(0x00211001, b"UN", b"abcd") + element(0x00280030, b"DS", b"1\\1 ")


def test_an_unreadable_vr_whose_length_fits_in_no_way_or_in_two_is_not_guessed() -> None:
    for value in (b"4711x", b"\xff\x7f"):
        with pytest.raises(QuarantineError, match="value representation"):
            read_object(CLASS + without_vr(b"  ", 0x00100020, b"")[:6] + b"\x40\x00" + value + NUMBER)


def test_elements_without_a_vr_in_an_explicit_data_set_are_read() -> None:
    """As some modalities write one group, or the items of a sequence, in Implicit VR (PS3.5 section 7.1.3)."""
    read = read_object(CLASS + implicit(0x00100020, b"4711") + implicit(0x00200013, b"7 "))
    assert read.header == CLASS + NAME + NUMBER
    content = implicit(0x00081150, b"1.2.840.10008.5.1.4.1.1.2\0") + implicit(0x00081155, b"1.2.840.99.7")
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    (reference,) = read_object(CLASS + element(0x00081140, b"SQ", item) + NAME).dataset.ReferencedImageSequence
    assert (reference.ReferencedSOPInstanceUID, reference.ReferencedSOPClassUID.name) == ("1.2.840.99.7", "CT Image Storage")


def test_explicit_items_in_an_unknown_sequence_of_undefined_length_are_read() -> None:
    """Against PS3.5 section 6.2.2, note 4, as some archives wrote what they did not know."""
    content = (
        element(0x00081155, b"UI", b"1.2.840.99.7") + element(0x00081199, b"UN", b"") + without_vr(b"??", 0x00200013, b"7 ")
    )
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    unknown = struct.pack("<HH2sHL", 0x0008, 0x1140, b"UN", 0, 0xFFFFFFFF) + item
    (reference,) = read_object(CLASS + unknown + NAME).dataset.ReferencedImageSequence
    assert (reference.ReferencedSOPInstanceUID, reference.InstanceNumber) == ("1.2.840.99.7", 7)


def test_elements_out_of_order_are_put_in_order() -> None:
    read = read_object(CLASS + NUMBER + NAME)
    assert (read.header, read.changes) == (CLASS + NAME + NUMBER, ())
    body = b"".join((CLASS, implicit(0x00091001, b"abcd"), implicit(0x00090010, b"FILMROOM TEST ")))
    assert read_object(implicit(0x00080016, CLASS[8:]) + body[len(CLASS) :]).header.endswith(
        element(0x00090010, b"LO", b"FILMROOM TEST ") + element(0x00091001, b"UN", b"abcd")
    )


def test_delimiters_where_nothing_is_to_be_delimited_go_and_items_there_are_refused() -> None:
    for stray in (0xE00D, 0xE0DD):
        delimiter = struct.pack("<HHL", 0xFFFE, stray, 0)
        assert read_object(CLASS + delimiter + NAME + NUMBER).header == CLASS + NAME + NUMBER
        content = NUMBER + delimiter
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content  # of defined length, and delimited all the same
        (reference,) = read_object(CLASS + element(0x00081140, b"SQ", item) + NAME).dataset.ReferencedImageSequence
        assert list(reference.keys()) == [0x00200013]
    with pytest.raises(QuarantineError, match="outside of a sequence"):
        read_object(CLASS + struct.pack("<HHL", 0xFFFE, 0xE000, len(NAME)) + NAME)


def test_private_elements_without_a_creator_stay() -> None:
    orphan = element(0x00091001, b"LO", b"whose?")
    assert read_object(CLASS + orphan).header == CLASS + orphan


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (b"7 ", b"7 ", b"7 "),
        (b"7 ", b"8 ", b"7 "),  # as DCMTK and GDCM have it
        (b"", b"8 ", b"8 "),
        (b"7 ", b"", b"7 "),
    ],
)
def test_of_an_element_that_stands_twice_one_counts_and_the_other_is_recorded(first: bytes, second: bytes, kept: bytes) -> None:
    twice = [element(0x00200013, b"IS", value) for value in (first, second)]
    read = read_object(CLASS + NAME + twice[0] + twice[1])
    assert read.header == CLASS + NAME + element(0x00200013, b"IS", kept)
    (change,) = read.changes
    other = twice[1] if kept == first else twice[0]
    assert (change["tag"], base64.b64decode(change["beside"])) == ("00200013", other)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(b"".join(twice))) + b"".join(twice)
    within = read_object(CLASS + element(0x00081140, b"SQ", item))
    assert within.dataset.ReferencedImageSequence[0].get_item(0x00200013).value == kept
    assert [change["tag"] for change in within.changes] == ["00081140[0].00200013"]


@pytest.mark.parametrize("tag", [0x00100010, 0x00100020, 0x0020000D, 0x00080018, 0x00280010])
def test_an_element_that_says_twice_whose_it_is_and_differs_goes_to_a_person(tag: int) -> None:
    for values in ((b"one ", b"two "), (b"one ", b"one ")):
        data = b"".join(element(tag, b"UN", value) for value in values)
        if len(set(values)) == 1:
            assert len(read_object(CLASS + data).changes) == 2  # one left out, one that got its VR again
            continue
        with pytest.raises(ReviewError, match="twice") as raised:
            read_object(CLASS + data)
        assert "one" not in str(raised.value).removeprefix("element")


def acr_nema(**more: Any) -> Dataset:
    """A gray image as ACR-NEMA 300-1988 has it: no UIDs, no photometric interpretation, dates with dots."""
    dataset = Dataset()
    dataset.add_new(0x00080001, "UL", 4711)
    dataset.RecognitionCode, dataset.StudyDate, dataset.Modality = "ACR-NEMA 2.0", "1991.02.28", "CT"
    dataset.PatientName, dataset.PatientID, dataset.StudyID = "DOE^JANE", "4711", "3"
    dataset.Rows, dataset.Columns = PICTURE.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.add_new(0x7FE00010, "OW", PICTURE.tobytes())
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_an_acr_nema_image_in_colour_is_not_called_gray(take: Take) -> None:
    outcome, _ = take(data_set_bytes(acr_nema(SamplesPerPixel=3), implicit=True))
    assert (outcome.outcome, outcome.reason[:25]) == ("quarantined", "PhotometricInterpretation")


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_an_acr_nema_image_becomes_a_secondary_capture_image_with_its_own_pixels(take: Take) -> None:
    outcome, _ = take(data_set_bytes(acr_nema(), implicit=True))
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert row["sop_class_uid"] == "1.2.840.10008.5.1.4.1.1.7"
    assert (row["label_study_date"], row["modality"], row["photometric"]) == ("19910228", "CT", "MONOCHROME2")
    assert row["pixel_sha256"] == reference_hash(PICTURE, stored=12)
    described = read_data_set(row["pixel_header"])
    assert (described.SamplesPerPixel, described.PhotometricInterpretation) == (1, "MONOCHROME2")
    assert b"1991.02.28" in row["source_header"]
    assert [change["keyword"] for change in json.loads(row["source_changes"])] == [
        "LengthToEnd",
        "SamplesPerPixel",
        "PhotometricInterpretation",
    ]


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_acr_nema_images_of_one_examination_are_a_study_and_others_are_not(take: Take) -> None:
    def study(name: str, **more: Any) -> tuple[str, str]:
        (row,) = take(data_set_bytes(acr_nema(**more), implicit=True), name)[0].rows["objects"]
        return row["study_instance_uid"], row["series_instance_uid"]

    first = study("a", InstanceNumber=1)
    assert study("b", InstanceNumber=2) == first
    assert study("c", SeriesNumber=2) != first and study("c", SeriesNumber=2)[0] == first[0]
    for name, more in {"d": {"StudyDate": "1991.03.01"}, "e": {"PatientName": "DOE^JOHN", "PatientID": ""}}.items():
        assert study(name, **more)[0] != first[0]


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_pixels_packed_in_twelve_bits_are_unpacked(take: Take) -> None:
    flat = PICTURE.ravel()
    bits = (flat[:, None] >> np.arange(12)) & 1  # each value from its lowest bit on, without a gap (PS3.5-1993 section 8.1)
    packed = np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes()
    dataset = acr_nema(BitsAllocated=12)
    dataset["PixelData"].value = packed
    outcome, staging = take(data_set_bytes(dataset, implicit=True))
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert row["pixel_sha256"] == reference_hash(PICTURE, stored=12)
    assert (staging / row["path"]).read_bytes()[12:] == PICTURE.tobytes()
    dataset["PixelData"].value = packed[:-3]
    outcome, _ = take(data_set_bytes(dataset, implicit=True), "short")
    assert (outcome.outcome, "its header describes" in outcome.reason) == ("quarantined", True)


@pytest.mark.parametrize("frames", [b"1A", b"0 ", b"-2", b"x "])
def test_a_number_of_frames_that_is_none_is_that_of_the_pixels(frames: bytes, take: Take) -> None:
    three = np.concatenate([PICTURE, PICTURE + 1, PICTURE + 2])
    data = file_bytes(legacy(three))
    wrong = data.replace(element(0x00280008, b"IS", b"3 "), element(0x00280008, b"IS", frames))
    assert wrong != data
    outcome, _ = take(wrong)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert (row["frames"], row["pixel_sha256"]) == (3, reference_hash(three, stored=12))
    (change,) = json.loads(row["source_changes"])
    assert (change["keyword"], change["from"], change["to"]) == ("NumberOfFrames", frames.decode().strip(), "3")
    outcome, _ = take(wrong[:-200], "cut")
    assert outcome.outcome == "quarantined"


def test_a_class_that_only_the_file_meta_names_is_taken(take: Take) -> None:
    dataset = legacy(syntax=IMPLICIT)
    del dataset.SOPClassUID
    meta = element(0x00020002, b"UI", b"1.2.840.10008.5.1.4.1.1.7\0")
    outcome, _ = take(b"\0" * 128 + b"DICM" + meta + data_set_bytes(dataset, implicit=True))
    assert outcome.outcome == "done", outcome.reason
    assert outcome.rows["objects"][0]["sop_class_uid"] == "1.2.840.10008.5.1.4.1.1.7"


def test_lengths_of_groups_are_recorded_so_that_they_can_be_put_back() -> None:
    lengths = element(0x00080000, b"UL", b"\x22\0\0\0")
    read = read_object(lengths + CLASS + NAME)
    (change,) = read.changes
    assert (change["from"], base64.b64decode(change["original"])) == ("34", lengths)
    assert "encoding" not in change and read.header == CLASS + NAME


def test_lengths_of_groups_in_items_are_recorded_where_they_are_left_out() -> None:
    content = implicit(0x00080000, b"\x14\0\0\0") + implicit(0x00081155, b"1.2.840.99.7")
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(content)) + content
    read = read_object(implicit(0x00080016, CLASS[8:]) + implicit(0x00081140, item))
    assert list(read.dataset.ReferencedImageSequence[0].keys()) == [0x00081155]
    (change,) = read.changes
    assert (change["tag"], change["from"]) == ("00081140[0].00080000", "20")
    prior = revision_of(read.header, read.changes).prior
    assert prior.ReferencedImageSequence[0].get_item(0x00080000).value == b"\x14\0\0\0"


def test_deep_elements_that_stand_twice_are_found_in_sequences_of_any_kind() -> None:
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.840.99.7"
    outer = Dataset()
    outer.SOPClassUID, outer.ReferencedSeriesSequence = "1.2.840.10008.5.1.4.1.1.66", Sequence([inner])
    outer["ReferencedSeriesSequence"].is_undefined_length = True
    inner.is_undefined_length_sequence_item = True
    data = data_set_bytes(outer)
    one = element(0x00081155, b"UI", b"1.2.840.99.7")
    read = read_object(data.replace(one, one + one))
    assert read_data_set(read.header) == read_data_set(data)
    assert [change["tag"] for change in read.changes] == ["00081115[0].00081155"]
