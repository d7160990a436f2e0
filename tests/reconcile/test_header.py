"""Final headers, judged by dicom3tools and DCMTK where the standard is to be obeyed."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.errors import ReviewError
from tasks.pixel_data import header_bytes, read_data_set
from tasks.reconcile.header import FilmStudy, compose_header
from tasks.reconcile.index import Person
from tasks.reconcile.revision import Revision, as_it_is, revision_of
from tasks.reconcile.texts import to_utf8

from .rows import NOW, film, film_header, legacy, written

PERSON = Person("1001", "Müller", "Jörg", "19310312", "M", "STE")
SERIES = "2.25.2"
STUDY = FilmStudy("19600101", "R123", "CHEST, HAND", ("2.25.7", SERIES), {})


def compose(row: dict[str, Any], person: Person = PERSON) -> tuple[dict[str, Any], Dataset]:
    full = {"instance_number": 1, **row}
    if row["kind"] == "film":
        full["series_instance_uid"] = SERIES
    result = compose_header(full, person, STUDY, NOW, "STE")
    assert result == compose_header(full, person, STUDY, NOW, "STE")
    return result, read_data_set(result["header"])


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # of values broken on purpose


def old() -> Dataset:
    """A legacy CR header in Latin-1 with another hospital's patient."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3.1"
    header.StudyDate, header.StudyTime, header.AccessionNumber = "19990101", "", "F77"
    header.Modality, header.Manufacturer, header.StudyDescription = "CR", "Foreign", "Schädel"
    header.PatientName, header.PatientID, header.PatientBirthDate = "Mueller^Joerg", "X9", "19310312"
    header.PatientSex, header.OtherPatientIDs = "M", "Y8"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    header.StudyID, header.SeriesNumber, header.InstanceNumber = "", "4", "9"
    header.PatientOrientation = ""
    return header


def test_a_film_gets_patient_study_and_number_and_no_past() -> None:
    result, header = compose(film_header(film("a")))
    assert (str(header.PatientName), header.PatientID, header.IssuerOfPatientID) == ("Müller^Jörg", "1001", "STE")
    assert (header.StudyDate, header.AccessionNumber, header.InstanceNumber) == ("19600101", "R123", 1)
    assert (header.StudyDescription, header.SeriesNumber) == ("CHEST, HAND", 2)
    assert header.SpecificCharacterSet == "ISO_IR 192" and "Müller".encode() in result["header"]
    assert "OriginalAttributesSequence" not in header and "OtherPatientIDsSequence" not in header
    assert (result["original"], result["changes"], result["trailer"]) == (None, "[]", b"")
    assert len(header.ContributingEquipmentSequence) == 1


def test_film_objects_conform(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    files = []
    for number, name in enumerate("ab", start=1):
        row = film_header(film(name, study_instance_uid="2.25.1", series_instance_uid=SERIES, instance_number=number))
        files.append(written(compose(row)[0], tmp_path / f"{name}.dcm"))
        found = subprocess.run([debian_tool("dciodvfy"), files[-1]], capture_output=True, text=True, check=False)
        assert not [line for line in found.stderr.splitlines() if line.startswith("Error")], found.stderr
    found = subprocess.run([debian_tool("dcentvfy"), *files], capture_output=True, text=True, check=False)
    assert found.stdout + found.stderr == ""


def test_what_a_legacy_header_said_is_kept() -> None:
    result, header = compose(legacy("x", "1.2.3", "1.2.3.1", old()))
    (event,) = header.OriginalAttributesSequence
    (before,) = event.ModifiedAttributesSequence
    assert (str(before.PatientName), before.PatientID, before.OtherPatientIDs) == ("Mueller^Joerg", "X9", "Y8")
    assert before.AccessionNumber == "F77" and header.AccessionNumber == ""
    assert "PatientBirthDate" not in before and "OtherPatientIDs" not in header
    assert (event.ReasonForTheAttributeModification, event.SourceOfPreviousValues) == ("COERCE", "discs")
    assert event.AttributeModificationDateTime == "20260102030405.000000+0000"
    assert header.StudyDescription == "Schädel" and (header.SeriesNumber, header.InstanceNumber) == (4, 9)
    code = header.ContributingEquipmentSequence[-1].PurposeOfReferenceCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("109103", "DCM")
    assert result["original"] == header_bytes(old())
    changes = {change["keyword"]: change for change in json.loads(result["changes"])}
    assert (changes["PatientID"]["from"], changes["PatientID"]["to"]) == ("X9", "1001")
    assert "StudyInstanceUID" not in changes


def test_earlier_modifications_stay_before_ours() -> None:
    dataset = old()
    earlier = Dataset()
    earlier.ModifyingSystem, earlier.ModifiedAttributesSequence = "Other", Sequence([Dataset()])
    dataset.OriginalAttributesSequence = Sequence([earlier])
    _, header = compose(legacy("x", "1.2.3", "1.2.3.1", dataset))
    assert [item.ModifyingSystem for item in header.OriginalAttributesSequence] == ["Other", "Filmroom"]


def test_nothing_modified_leaves_no_event() -> None:
    dataset = old()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID, dataset.IssuerOfPatientID, dataset.AccessionNumber = (
        "Müller^Jörg",
        "1001",
        "STE",
        "",
    )
    dataset.ReferringPhysicianName = ""
    del dataset.OtherPatientIDs
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.840.99.1", "1.2.840.99", "1.2.840.99.2"
    result, header = compose(legacy("x", "1.2.840.99", "1.2.840.99.1", dataset, series_instance_uid="1.2.840.99.2"))
    assert "OriginalAttributesSequence" not in header
    assert [change["keyword"] for change in json.loads(result["changes"])] == ["ContributingEquipmentSequence"]


def test_values_that_break_their_vr_are_kept_as_bytes_and_others_stay_as_they_came() -> None:
    dataset = old()
    data = header_bytes(dataset).replace(b"\x08\x0019310312", b"\x08\x0012.03.31")
    broken = data.replace(b"IS\x02\x009 ", b"IS\x02\x009x")
    row = legacy("x", "1.2.3", "2.25.77", dataset)
    result, header = compose({**row, "source_header": broken})
    event = header.OriginalAttributesSequence[0]
    assert [item.NonconformingDataElementValue for item in event.NonconformingModifiedAttributesSequence] == [b"12.03.31"]
    assert event.NonconformingModifiedAttributesSequence[0].SelectorAttribute == 0x00100030
    assert (header.PatientBirthDate, header.SOPInstanceUID) == ("19310312", "2.25.77")
    assert event.ModifiedAttributesSequence[0].SOPInstanceUID == "1.2.3.1"
    assert b"IS\x02\x009x" in result["header"]


def test_legacy_headers_conform_to_what_they_are(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    """Nothing that dciodvfy calls an error lies in the sequences that we add."""
    result, _ = compose(legacy("x", "1.2.3", "1.2.3.1", old()))
    path = written(result, tmp_path / "x.dcm")
    found = subprocess.run([debian_tool("dciodvfy"), path], capture_output=True, text=True, check=False)
    ours = ("OriginalAttributes", "ModifiedAttributes", "ContributingEquipment", "Patient", "SpecificCharacterSet")
    assert not [line for line in found.stderr.splitlines() if line.startswith("Error") and any(o in line for o in ours)]


def test_pixel_attributes_are_copied() -> None:
    pixels = Dataset()
    pixels.PhotometricInterpretation, pixels.Rows, pixels.PlanarConfiguration = "RGB", 7, 0
    dataset = old()
    dataset.Rows, dataset.PlanarConfiguration = 6, 1
    _, header = compose({**legacy("x", "1.2.3", "1.2.3.1", dataset), "pixel_header": header_bytes(pixels)})
    assert (header.PhotometricInterpretation, header.Rows, header.PlanarConfiguration) == ("RGB", 7, 0)


def test_the_trailer_follows_the_headers_character_set() -> None:
    trailer = Dataset()
    trailer.add_new(0x7FE10010, "LO", "MAKER")
    plain = header_bytes(trailer)
    trailer.add_new(0x7FE11001, "LO", "Schädel".encode("latin-1"))
    row = legacy("x", "1.2.3", "1.2.3.1", old())
    assert compose({**row, "source_trailer": plain})[0]["trailer"] == plain
    assert "Schädel".encode() in compose({**row, "source_trailer": header_bytes(trailer)})[0]["trailer"]


@pytest.mark.parametrize("person", [Person("1", "A^B=C\\D", "E\n", "", ""), Person("1", "", "", "", "", "")])
def test_names_of_the_index_stay_within_their_component(person: Person) -> None:
    _, header = compose(film_header(film("a")), person)
    assert str(header.PatientName) in ("A B C D^E", "")
    assert header.PatientBirthDate == "" and header.PatientSex == ""


def in_utf8(dataset: Dataset) -> Revision:
    revision = revision_of(header_bytes(dataset), [])
    to_utf8(revision)
    as_it_is(revision.dataset)
    return revision


def raw(name: bytes, declared: str | None) -> Dataset:
    dataset = Dataset()
    if declared is not None:
        dataset.SpecificCharacterSet = declared
    dataset.add_new(0x00081030, "LO", name)
    return read_data_set(header_bytes(dataset))


@pytest.mark.parametrize(
    ("value", "declared", "text", "repaired"),
    [
        ("Schädel".encode("latin-1"), "ISO_IR 100", "Schädel", False),
        ("Schädel".encode("latin-1"), "iso-ir 100", "Schädel", False),
        ("Череп".encode("iso8859-5"), "ISO_IR 144", "Череп", False),
        ("Schädel".encode(), None, "Schädel", True),
        ("Schädel".encode("latin-1"), None, "Schädel", True),
        (b"skull", "ISO_IR 6", "skull", False),
        # Declared wrongly: the bytes as Python's codecs write them, and what the declared set makes of them is no text.
        ("Schädel".encode("latin-1"), "ISO_IR 192", "Schädel", True),
        ("Schädel".encode(), "ISO_IR 100", "Schädel", True),
        ("Łódź, Šimůnek".encode(), "ISO_IR 101", "Łódź, Šimůnek", True),
        ("Schädel".encode("latin-1"), "ISO_IR 999", "Schädel", True),
        (b"it\x92s", "ISO_IR 100", "it\u2019s", True),
        (b"it\x92s", None, "it\u2019s", True),
        (b"10\xb0, 5 \xb5m", None, "10°, 5 µm", True),
        ("김희중".encode("euc_kr"), "\\ISO 2022 IR 149", "김희중", True),
        ("Череп".encode(), None, "Череп", True),
        ("山田".encode("iso2022_jp"), None, "山田", True),
        (b"\x1b$)C" + "김희중".encode("euc_kr"), "ISO_IR 100", "김희중", True),
        ("Κρανίο".encode("iso8859-7"), "ISO_IR 126", "Κρανίο", False),
    ],
)
def test_texts_become_utf8(value: bytes, declared: str | None, text: str, repaired: bool) -> None:
    revision = in_utf8(raw(value, declared))
    assert [change["keyword"] for change in revision.changes] == ["StudyDescription"] * repaired + ["SpecificCharacterSet"] * (
        declared != "ISO_IR 192"
    )
    assert text.encode() in header_bytes(revision.dataset)


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        ("Череп".encode("cp1251"), None),  # in Latin-1 it would be a row of accented letters
        ("Череп".encode("cp1251"), "ISO_IR 192"),
        ("山田".encode("shift_jis"), None),
        ("CT 田".encode("shift_jis"), None),  # whose first byte would be a quotation mark
        ("山田".encode("euc_jp"), "\\ISO 2022 IR 87"),
        (b"\xe4", "ISO_IR 999"),
        (b"a\x81b", "ISO_IR 100"),
        (b"\x1b%Gx", None),  # an escape sequence that DICOM does not have
    ],
)
def test_texts_that_are_not_what_is_declared_go_to_a_person(value: bytes, declared: str | None) -> None:
    with pytest.raises(ReviewError, match="character set"):
        in_utf8(raw(value, declared))


def names(dataset: Dataset) -> list[str]:
    return [str(element.value) for element in dataset.iterall() if element.VR == "PN"]


# As DCMTK 3.6.7 converts them (`dcmconv +U8`), the Japanese ones, which it cannot, by PS3.5 Annex H.
NAMES = {
    "chrArab": "قباني^لنزار",
    "chrFren": "Buc^Jérôme",
    "chrFrenMulti": "Buc^Jérôme",
    "chrGerm": "Äneas^Rüdiger",
    "chrGreek": "Διονυσιος",
    "chrH31": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "chrHbrw": "שרון^דבורה",
    "chrI2": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrJapMulti": "やまだ^たろう",
    "chrJapMultiExplicitIR6": "やまだ^たろう",
    "chrKoreanMulti": "김희중",
    "chrRuss": "Люкceмбypг",  # noqa: RUF001 - some of its letters are Latin ones
    "chrX1": "Wang^XiaoDong=王^小東",
    "chrX2": "Wang^XiaoDong=王^小东",
}


def test_real_character_sets(realdata: Path) -> None:
    """The names of the real character set samples are the right characters in UTF-8, in sequences too (beside pydicom)."""
    files = {path.stem: path for path in sorted((realdata / "dicom").rglob("chr*.dcm"))}
    assert set(NAMES) <= set(files)
    for stem, path in files.items():
        ours = in_utf8(pydicom.dcmread(path, stop_before_pixels=True)).dataset
        written = read_data_set(header_bytes(ours))
        assert written.SpecificCharacterSet == "ISO_IR 192"
        assert names(written) == names(pydicom.dcmread(path, stop_before_pixels=True)), stem
        if stem in NAMES:
            assert NAMES[stem].encode() in header_bytes(ours), stem


def test_a_presentation_state_refers_to_the_series_that_its_film_came_into() -> None:
    row = film_header(film("a"))
    state = read_data_set(row["source_header"])
    image, series = Dataset(), Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.2", "2.25.11"
    series.SeriesInstanceUID, series.ReferencedImageSequence = "2.25.12", [image]
    state.ReferencedSeriesSequence = [series]
    state.PresentationCreationDate = state.PresentationCreationTime = ""
    row |= {"source_header": header_bytes(state), "instance_number": 1, "series_instance_uid": SERIES, "pixel_header": None}
    study = FilmStudy("", "", "", ("2.25.13", SERIES), {"2.25.11": "2.25.13"})
    header = read_data_set(compose_header(row, PERSON, study, NOW, "STE")["header"])
    assert header.ReferencedSeriesSequence[0].SeriesInstanceUID == "2.25.13"
    assert (header.PresentationCreationDate, header.PresentationCreationTime) == ("20260102", "030405")
    assert header.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID == "2.25.11"
