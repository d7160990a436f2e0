"""The IOD check on objects made by hand: what PS3.3, PS3.5 and PS3.6 say of each."""

import re
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from tasks.errors import QuarantineError
from tasks.pixel_data import header_bytes
from tasks.validate.conformance import iod_failures
from tasks.validate.iod import check, read_elements

SECONDARY_CAPTURE = {
    "ImageType": ["ORIGINAL", "SECONDARY"],
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
    "SOPInstanceUID": "2.25.1",
    "StudyDate": "19870504",
    "StudyTime": "",
    "AccessionNumber": "",
    "Modality": "RG",
    "ConversionType": "DF",
    "Manufacturer": "",
    "ReferringPhysicianName": "",
    "PatientName": "Doe^Jane",
    "PatientID": "P1",
    "PatientBirthDate": "",
    "PatientSex": "",
    "StudyInstanceUID": "2.25.2",
    "SeriesInstanceUID": "2.25.3",
    "StudyID": "",
    "SeriesNumber": "",
    "InstanceNumber": "1",
    "PatientOrientation": "",
    "Laterality": "",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 1,
    "Columns": 2,
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelRepresentation": 0,
    "PixelData": b"\0\1",
}


def dataset_of(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in (SECONDARY_CAPTURE | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB"
    return dataset


def names(**attributes: object) -> list[str]:
    return [problem.name for problem in check(read_elements(header_bytes(dataset_of(**attributes))))]


def code(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in ({"CodeValue": "1", "CodingSchemeDesignator": "DCM", "CodeMeaning": "x"} | attributes).items():
        if value is not None:
            setattr(item, keyword, value)
    return item


def test_nothing_is_wrong_with_a_whole_object() -> None:
    assert names() == []


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"PatientID": None}, "missing PatientID"),  # type 2, PS3.3 C.7.1.1
        ({"SOPInstanceUID": ""}, "empty SOPInstanceUID"),  # type 1, C.12.1
        ({"ConversionType": None}, "missing ConversionType"),  # type 1, C.8.6.1
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "missing PlanarConfiguration"),  # 1C, C.7.6.3
        ({"PlanarConfiguration": 0}, "forbidden PlanarConfiguration"),  # 1C, and nothing says it may be there otherwise
        ({"PixelRepresentation": 2}, "value PixelRepresentation"),  # 0000H or 0001H, C.7.6.3
        ({"PatientSex": "W"}, "value PatientSex"),  # M, F, O, C.7.1.1
        ({"Rows": [1, 1]}, "count Rows"),  # PS3.6: VM 1
        ({"PatientOrientation": ["L", "F", "H"]}, "count PatientOrientation"),  # PS3.6: VM 2
        ({"ImageType": ["ORIGINAL", "THIRD"]}, "value ImageType"),  # C.7.6.1.1.2
        ({"Laterality": None}, "missing Laterality"),  # 2C, C.7.3.1: may be paired
        ({"Laterality": "", "BodyPartExamined": "CHEST"}, "forbidden Laterality"),  # PS3.16 table L-1: not paired
        ({"NumberOfFrames": 2}, "value NumberOfFrames"),  # A.8.1: a single frame
        ({"PixelData": None}, "missing PixelData"),  # 1C, C.7.6.3
        ({"ProcedureCodeSequence": [code(CodeMeaning=None)]}, "missing ProcedureCodeSequence.CodeMeaning"),  # 8.8
        (
            {"ProcedureCodeSequence": [code(CodingSchemeDesignator=None)]},
            "missing ProcedureCodeSequence.CodingSchemeDesignator",
        ),
        ({"ProcedureCodeSequence": [code(CodeValue=None, LongCodeValue="1" * 20)]}, None),
        ({"ProcedureCodeSequence": []}, "count ProcedureCodeSequence"),  # type 3: one or more items
        ({"SOPClassUID": "2.25.4"}, "class SOPClassUID"),
    ],
)
def test_what_breaks_the_iod_is_found(attributes: dict[str, object], expected: str | None) -> None:
    assert names(**attributes) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "1987.05.04"),  # ACR-NEMA; PS3.5 6.2: YYYYMMDD
        ("StudyDate", "19871304"),
        ("StudyTime", "12:30:00"),
        ("PatientAge", "12 Y"),
        ("InstanceNumber", "1.5"),
        ("PatientWeight", "70,5"),
        ("PatientWeight", "1" * 17),
        ("BodyPartExamined", "Chest"),
        ("StudyInstanceUID", "1.02.3"),
        ("StudyInstanceUID", "1." + "1" * 64),
        ("StudyID", "x" * 17),
        ("PatientID", "a\tb"),
    ],
)
def test_a_value_that_its_vr_does_not_allow_is_found(keyword: str, value: str) -> None:
    elements, tag = read_elements(header_bytes(dataset_of())), tag_for_keyword(keyword)
    assert tag is not None
    elements[tag] = dictionary_VR(tag), value.encode()
    assert f"format {keyword}" in [problem.name for problem in check(elements)]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(QuarantineError):
        check(read_elements(data))


def test_findings_are_rows_without_values() -> None:
    header = header_bytes(dataset_of(PatientSex="W", PixelData=None))
    row = {
        "object_key": "o",
        "study_instance_uid": "s",
        "header": header,
        "pixel_header": b"x",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
    }
    (failure,) = iod_failures([row, row | {"object_key": "p"}, row | {"object_key": "q", "header": b""}])
    assert failure.object_keys == ("o", "p")
    assert (failure.rule.suite, failure.rule.severity, failure.rule.column) == ("iod", "warning", "PatientSex")
    assert not re.search(r"\bW\b|Doe|P1", failure.rule.why + failure.rule.mend + failure.rule.name)


def test_sequences_without_end_are_refused() -> None:
    data = b""
    for _ in range(40):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(data)) + data
        data = struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, len(item)) + item
    with pytest.raises(QuarantineError, match="without end"):
        read_elements(data)
