"""What every legacy header is mended of, and that each change can be taken back by its record alone."""

import json
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.pixel_data import header_bytes, read_data_set
from tasks.reconcile.header import FilmStudy, compose_header
from tasks.reconcile.index import Person
from tasks.uids import is_valid_uid, valid_or_mapped
from tests.wrap_dicom.test_headers import element

from . import undone
from .rows import NOW, legacy

PERSON = Person("1001", "Müller", "Jörg", "19310312", "M", "STE")
SC = "1.2.840.10008.5.1.4.1.1.7"
STUDY = FilmStudy("", "", "", (), {})

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # of values broken on purpose


def compose(header: bytes, patient: str = "X9", group: str = "cd/1", **more: Any) -> dict[str, Any]:
    row = legacy("x", "1.2.840.99.1", "1.2.840.99.3", patient_id=patient, series_instance_uid="1.2.840.99.2")
    row |= {"source_header": header, "group_key": group, "instance_number": 1, "sop_class_uid": SC, **more}
    return compose_header(row, PERSON, STUDY, NOW, "STE")


def referring(uid: str, *, study: str = "1.2.840.99.1") -> Dataset:
    """A structured report that refers to an instance in its evidence and in its content (PS3.3 C.17.2.3, C.17.3)."""
    dataset, evidence, series, image, content, within = (Dataset() for _ in range(6))
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.99.3"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, "1.2.840.99.2", uid
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = SC, uid
    series.SeriesInstanceUID, series.ReferencedSOPSequence = uid, Sequence([image])
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = uid, Sequence([series])
    within.ReferencedSOPClassUID, within.ReferencedSOPInstanceUID = SC, uid
    content.ValueType, content.ReferencedSOPSequence = "IMAGE", Sequence([within])
    dataset.CurrentRequestedProcedureEvidenceSequence, dataset.ContentSequence = Sequence([evidence]), Sequence([content])
    old = Dataset()
    old.ReferencedSOPClassUID, old.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", uid
    dataset.ReferencedStudySequence = Sequence([old])
    return dataset


@pytest.mark.parametrize("uid", ["1.2.3", "1.02.840.5.1.99", "1.2.840.99.", "abc", "1." + "2" * 70])
def test_references_to_a_uid_that_is_none_follow_the_object_that_has_it(uid: str) -> None:
    final = read_data_set(compose(header_bytes(referring(uid)))["header"])
    instance = valid_or_mapped(uid, "instance", "cd/1", "X9")
    assert is_valid_uid(instance) and instance.startswith("2.25.")
    (evidence,), (content,) = final.CurrentRequestedProcedureEvidenceSequence, final.ContentSequence
    (series,) = evidence.ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == instance
    assert content.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == instance
    assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == SC
    study = valid_or_mapped(uid, "study", "cd/1", "X9")
    assert evidence.StudyInstanceUID == study == final.ReferencedStudySequence[0].ReferencedSOPInstanceUID
    assert series.SeriesInstanceUID == valid_or_mapped(uid, "series", "cd/1", "X9")
    assert is_valid_uid(final.FrameOfReferenceUID)
    assert len({instance, study, series.SeriesInstanceUID, final.FrameOfReferenceUID}) == 4


def test_another_medium_or_patient_has_other_uids_and_the_same_has_the_same() -> None:
    header = header_bytes(referring("1.2.3"))
    first = compose(header)
    assert compose(header) == first
    others = [compose(header, patient="X8"), compose(header, group="cd/2")]
    frames = {read_data_set(result["header"]).FrameOfReferenceUID for result in (first, *others)}
    assert len(frames) == 3


def test_valid_uids_stay_wherever_they_stand() -> None:
    result = compose(header_bytes(referring("1.2.840.99.77")))
    keywords = {change["keyword"] for change in json.loads(result["changes"])}
    assert not {keyword for keyword in keywords if keyword.endswith("UID")}
    assert result["header"].count(b"1.2.840.99.77") == 6


def test_the_whole_sequence_is_kept_of_what_was_changed_in_it() -> None:
    """PS3.3 C.12.1.1.9: the entire prior value of the sequence, and no value in it that breaks its VR."""
    (event,) = read_data_set(compose(header_bytes(referring("1.2.3")))["header"]).OriginalAttributesSequence
    (before,) = event.ModifiedAttributesSequence
    (evidence,) = before.CurrentRequestedProcedureEvidenceSequence
    assert (evidence.StudyInstanceUID, before.FrameOfReferenceUID) == ("1.2.3", "1.2.3")
    (event,) = read_data_set(compose(header_bytes(referring("1.02.3")))["header"]).OriginalAttributesSequence
    (before,) = event.ModifiedAttributesSequence
    (evidence,) = before.CurrentRequestedProcedureEvidenceSequence
    assert (evidence.StudyInstanceUID, before.FrameOfReferenceUID) == ("", "")
    bad = [item for item in event.NonconformingModifiedAttributesSequence if item.SelectorAttribute == 0x0020000D]
    assert [(item.SelectorSequencePointer, item.SelectorSequencePointerItems) for item in bad] == [(0x0040A375, 1)]
    assert {item.NonconformingDataElementValue for item in event.NonconformingModifiedAttributesSequence} == {b"1.02.3"}


@pytest.mark.parametrize(
    ("vr", "tag", "value", "mended"),
    [
        ("DA", 0x00080020, b"1991.02.28", "19910228"),
        ("DA", 0x00080020, b"1991.02.30", None),  # no day
        ("DA", 0x00080020, b"28.02.1991", None),  # which is which is not said
        ("DA", 0x00080020, b"91.02.28", None),
        ("TM", 0x00080030, b"10:19:38.290000", "101938.290000"),
        ("TM", 0x00080030, b"07.27.30.0000 ", "072730.0000"),
        ("TM", 0x00080030, b"10:19:38", "101938"),
        ("TM", 0x00080030, b"25:19:38", None),
        ("TM", 0x00080030, b"101938.29", None),
    ],
)
def test_dates_and_times_of_acr_nema_are_written_as_dicom_does(vr: str, tag: int, value: bytes, mended: str | None) -> None:
    result = compose(element(0x00080016, b"UI", SC.encode() + b"\0") + element(tag, vr.encode(), padded(vr, value)))
    final = read_data_set(result["header"])
    assert bytes(final.get_item(tag).value).decode().strip() == (mended or value.decode().strip())
    recorded = [change for change in json.loads(result["changes"]) if change["tag"] == f"{tag:08X}"]
    assert [(change["from"].strip(), change["to"]) for change in recorded] == (
        [(value.decode().strip(), mended)] if mended else []
    )
    if mended:
        (event,) = final.OriginalAttributesSequence
        (kept,) = event.NonconformingModifiedAttributesSequence
        assert (kept.SelectorAttribute, kept.NonconformingDataElementValue) == (tag, padded(vr, value))


def test_what_kind_of_object_it_is_is_said_where_the_header_does_not() -> None:
    acr = element(0x00080010, b"SH", b"ACR-NEMA 2.0") + element(0x00080060, b"CS", b"CT")
    final = read_data_set(compose(acr)["header"])
    assert (final.SOPClassUID, final.ConversionType, final.Modality) == (SC, "DI", "CT")
    final = read_data_set(compose(element(0x00080060, b"CS", b"CT"))["header"])
    assert (final.SOPClassUID, "ConversionType" in final) == (SC, False)


def test_texts_beyond_their_declared_set_are_kept_as_bytes() -> None:
    utf8 = "Schädel ".encode()  # an even number of bytes, with its padding
    utf8 += b" " * (len(utf8) % 2)
    header = element(0x00080005, b"CS", b"ISO_IR 100") + element(0x00081030, b"LO", utf8)
    header += element(0x00100010, b"PN", "Müller^X".encode("latin-1"))
    result = compose(header)
    final = read_data_set(result["header"])
    assert final.StudyDescription == "Schädel"
    (event,) = final.OriginalAttributesSequence
    (before,) = event.ModifiedAttributesSequence
    assert (before.SpecificCharacterSet, str(before.PatientName), before.StudyDescription) == ("ISO_IR 100", "Müller^X", "")
    (kept,) = event.NonconformingModifiedAttributesSequence
    assert (kept.SelectorAttribute, kept.NonconformingDataElementValue) == (0x00081030, utf8)


def test_former_values_that_an_earlier_revision_kept_are_not_touched() -> None:
    dataset, event, before = Dataset(), Dataset(), Dataset()
    dataset.SpecificCharacterSet, dataset.SOPClassUID = "ISO_IR 100", SC
    before.SpecificCharacterSet = "ISO_IR 144"
    before.add_new(0x00081030, "LO", "Череп")
    before.StudyInstanceUID = "1.2.3"
    event.ModifiedAttributesSequence, event.ModifyingSystem = Sequence([before]), "Other"
    dataset.OriginalAttributesSequence = Sequence([event])
    final = read_data_set(compose(header_bytes(dataset))["header"])
    (kept,) = final.OriginalAttributesSequence[0].ModifiedAttributesSequence
    assert (kept.SpecificCharacterSet, kept.StudyDescription, kept.StudyInstanceUID) == ("ISO_IR 144", "Череп", "1.2.3")


UIDS = st.sampled_from(["1.2.3", "1.2.840.99.7", "", "1.02.840.3.4", "0"])
SETS = {"ISO_IR 100": "latin-1", "ISO_IR 144": "iso8859-5", "ISO_IR 192": "utf-8", "": "ascii", "YSO_IR 100": "ascii"}


@st.composite
def items(draw: st.DrawFn, codec: str, depth: int) -> list[bytes]:
    """Encoded elements of every sort that is changed, well-formed or not, in order."""
    letters = {"latin-1": "aäöü", "iso8859-5": "aЖЩЮ", "utf-8": "aäЖ漢", "ascii": "abc"}[codec]
    words = st.text(letters + "b ", max_size=8).map(lambda text: text.encode(codec))
    found = {
        0x00080000: ("UL", draw(st.binary(min_size=4, max_size=4))),
        0x00080020: ("DA", draw(st.sampled_from([b"1991.02.28", b"19910228", b"", b"28.2.1991"]))),
        0x00080030: ("TM", draw(st.sampled_from([b"10:11:12", b"101112", b"noon"]))),
        0x00081030: ("LO", draw(words)),
        0x00090010: ("LO", b"FILMROOM TEST"),
        0x00091001: ("LO", draw(words)),
        0x00100010: ("PN", draw(words)),
        0x00100020: ("LO", draw(words)),
        0x00100030: ("DA", draw(st.sampled_from([b"1931.03.12", b"19310312", b"12.03.31"]))),
        0x0020000D: ("UI", draw(UIDS).encode()),
        0x00200052: ("UI", draw(UIDS).encode()),
        0x00081155: ("UI", draw(UIDS).encode()),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(found)), min_size=1))
    encoded = {tag: element(tag, found[tag][0].encode(), padded(*found[tag])) for tag in chosen}
    if depth and draw(st.booleans()):
        inner = draw(st.lists(items(codec, depth - 1).map(b"".join), min_size=1, max_size=2))
        content = b"".join(b"\xfe\xff\x00\xe0" + len(one).to_bytes(4, "little") + one for one in inner)
        encoded[0x00081115] = element(0x00081115, b"SQ", content)
    return [encoded[tag] for tag in sorted(encoded)]


def padded(vr: str, value: bytes) -> bytes:
    return value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)


@given(st.data(), st.sampled_from(sorted(SETS)))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
def test_taking_back_all_changes_gives_the_header_as_it_came(data: st.DataObject, declared: str) -> None:
    charset = [element(0x00080005, b"CS", declared.encode())] if declared else []
    elements = [one for one in data.draw(items(SETS[declared], 2)) if one[2:4] != b"\0\0"]  # those go when it is read
    header = b"".join([*charset, element(0x00080016, b"UI", SC.encode() + b"\0"), *elements])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compose(header)
        final = undone.undone(undone.read(result["header"] + result["trailer"]), result["changes"])
        assert undone.values(final) == undone.values(undone.read(header))
        assert result["original"] == header
