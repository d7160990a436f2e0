"""Identity is the header's own words; a UID that is none is minted per medium and patient, and stays the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RE_VALID_UID

from tasks.pixel_data import read_data_set
from tasks.uids import is_valid_uid
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.objects import data_set_bytes, legacy
from tests.wrap_dicom.test_headers import CLASS, element
from tests.wrap_dicom.test_real import composed


@given(st.from_regex(r"[0-9.]{1,70}", fullmatch=True) | st.from_regex(RE_VALID_UID, fullmatch=True))
def test_a_valid_uid_is_one_by_the_standard_of_some_length(uid: str) -> None:
    parts = uid.split(".")
    well_formed = all(part.isascii() and part.isdigit() and (part == "0" or part[0] != "0") for part in parts)
    assert is_valid_uid(uid) == (well_formed and len(parts) >= 3 and 8 <= len(uid) <= 64)


def uids(take: Take, name: str, group: str = "cd/1", **changed: object) -> list[str]:
    dataset = legacy()
    for keyword, value in changed.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            dataset[keyword].value = value
    outcome, _ = take(data_set_bytes(dataset), name, group_key=group)
    (row,) = outcome.rows["objects"]
    return [row["study_instance_uid"], row["series_instance_uid"], row["sop_instance_uid"]]


def test_valid_uids_are_kept(take: Take) -> None:
    assert uids(take, "a") == [f"1.2.826.0.1.3680043.8.498.{number}" for number in (2, 3, 1)]


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_a_uid_that_is_none_is_mapped_per_medium_and_patient(take: Take) -> None:
    first = uids(take, "a", StudyInstanceUID="1.2.3")[0]
    assert is_valid_uid(first) and first.startswith("2.25.")
    assert uids(take, "b", StudyInstanceUID="1.2.3")[0] == first
    others = {
        uids(take, "c", group="cd/2", StudyInstanceUID="1.2.3")[0],
        uids(take, "d", StudyInstanceUID="1.2.3", PatientID="4712")[0],
        uids(take, "e", StudyInstanceUID="1.2.4")[0],
    }
    assert len(others | {first}) == 4


def test_an_instance_without_uid_has_that_of_its_meta_or_one_of_its_own(take: Take) -> None:
    (one, two) = (uids(take, name, SOPInstanceUID=None)[2] for name in ("a", "b"))
    assert one != two
    dataset = legacy()
    del dataset.SOPInstanceUID
    meta = element(0x00020003, b"UI", b"1.2.840.99.1")
    outcome, _ = take(b"\0" * 128 + b"DICM" + meta + data_set_bytes(dataset), "c")
    assert outcome.rows["objects"][0]["sop_instance_uid"] == "1.2.840.99.1"


@pytest.mark.parametrize(
    ("elements", "column", "value"),
    [
        (element(0x00100010, b"PN", b"DOE^JANE^^^ "), "patient_name", "DOE^JANE"),
        (element(0x00080005, b"CS", b"ISO_IR 100") + element(0x00100010, b"PN", b"M\xfcller "), "patient_name", "Müller"),
        # PS3.5 annex H: an alphabetic, an ideographic and a phonetic group; the first that is not empty is the name
        (
            element(0x00080005, b"CS", b"\\ISO 2022 IR 87") + element(0x00100010, b"PN", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^x "),
            "patient_name",
            "Yamada^Tarou",
        ),
        (
            element(0x00080005, b"CS", b"ISO_IR 192") + element(0x00100010, b"PN", "=山田^太郎".encode()),
            "patient_name",
            "山田^太郎",
        ),
        (element(0x00100030, b"DA", b"1931.03.12"), "birth_date", "19310312"),
        (element(0x00100030, b"DA", b"19311301"), "birth_date", None),
        (element(0x00100040, b"CS", b"F "), "sex", "F"),
        (element(0x00100040, b"CS", b"W "), "sex", None),
        (element(0x00080080, b"LO", b"  St. Elsewhere "), "institution", "St. Elsewhere"),
        (element(0x00100020, b"LO", b"a\\b "), "patient_id", "a\\b"),
        (element(0x00100020, b"LO", b""), "patient_id", None),
    ],
)
def test_labels_are_read_from_the_header(elements: bytes, column: str, value: str | None, take: Take) -> None:
    outcome, _ = take(CLASS + elements)
    (row,) = outcome.rows["objects"]
    assert row.get(f"label_{column}") == value
    assert row.get(f"label_{column}_origin") == ("header" if value else None)
    assert row.get(f"label_{column}_confidence") == (1.0 if value else None)


def test_a_text_beyond_its_character_set_is_read_with_doubt(take: Take) -> None:
    outcome, _ = take(element(0x00080005, b"CS", b"ISO_IR 192") + CLASS + element(0x00100010, b"PN", b"M\xfcller "))
    assert outcome.rows["objects"][0]["label_patient_name_confidence"] == 0.5


def test_an_object_without_pixels_is_its_header(take: Take) -> None:
    outcome, staging = take(CLASS + element(0x00100020, b"LO", b"4711"))
    (row,) = outcome.rows["objects"]
    assert {"path", "pixel_sha256", "pixel_hash_kind", "rows"}.isdisjoint(row)
    assert (row["pixel_header"], row["source_header"]) == (b"", CLASS + element(0x00100020, b"LO", b"4711"))
    assert not staging.exists()


@pytest.mark.filterwarnings("ignore:Invalid value")
def test_a_report_refers_to_the_image_that_got_a_new_uid(take: Take) -> None:
    """All three UIDs of an image are none; what a report on the same disc says of it follows, and no other disc does."""
    image = legacy()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = "1.2.3", "1.2.4", "1.2.5"
    report, series, referenced, study = (Dataset() for _ in range(4))
    report.SOPClassUID, report.PatientID = "1.2.840.10008.5.1.4.1.1.88.11", image.PatientID
    report.StudyInstanceUID, report.SeriesInstanceUID, report.SOPInstanceUID = "1.2.3", "1.2.840.99.2", "1.2.840.99.3"
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = image.SOPClassUID, "1.2.5"
    series.SeriesInstanceUID, series.ReferencedSOPSequence = "1.2.4", Sequence([referenced])
    study.StudyInstanceUID, study.ReferencedSeriesSequence = "1.2.3", Sequence([series])
    report.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    final = {}
    for name, dataset, group in (("image", image, "cd/1"), ("report", report, "cd/1"), ("other", image, "cd/2")):
        (row,) = take(data_set_bytes(dataset), name, group_key=group)[0].rows["objects"]
        final[name] = read_data_set(composed(row)["header"])
    (study,) = final["report"].CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    uids = (study.StudyInstanceUID, series.SeriesInstanceUID, series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
    assert uids == tuple(
        final["image"][keyword].value for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    assert final["report"].StudyInstanceUID == final["image"].StudyInstanceUID
    assert all(is_valid_uid(uid) for uid in uids)
    assert final["other"].SOPInstanceUID != final["image"].SOPInstanceUID
