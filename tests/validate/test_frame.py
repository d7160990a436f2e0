"""The frame against other readers of the same bytes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tasks.pixel_data import header_bytes
from tasks.validate.frame import COLUMNS, NUMBER_KEYWORDS, TEXT_KEYWORDS, header_frame

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def row(header: bytes, **columns: Any) -> dict[str, Any]:
    base = dict.fromkeys(("transfer_syntax_uid", "patient_id", "study_instance_uid", "sop_instance_uid", "sop_class_uid"))
    return {"object_key": "o", "item_key": "i", "kind": "dicom", "pixel_header": None, "header": header, **base, **columns}


def test_values_by_keyword() -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Müller^Änne"
    dataset.ImageType = ["ORIGINAL", "SECONDARY"]
    dataset.StudyDate = ""
    dataset.Rows = 4000
    dataset.NumberOfFrames = "3"
    record = header_frame([row(header_bytes(dataset))], NOW).frame.iloc[0]
    assert record["PatientName"] == "Müller^Änne"
    assert record["ImageType"] == "ORIGINAL\\SECONDARY"
    assert record["StudyDate"] is None
    assert (record["Rows"], record["NumberOfFrames"]) == (4000, 3)
    assert record["today"] == "20260301"
    assert not record["has_pixels"]


def test_latin_1_and_a_declared_set_that_is_wrong() -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = "Müller"
    latin = header_bytes(dataset)
    assert header_frame([row(latin)], NOW).frame["PatientName"][0] == "Müller"
    wrong = latin.replace(b"ISO_IR 100", b"ISO_IR 192")
    assert header_frame([row(wrong)], NOW).frame["PatientName"][0] == "Müller"


def test_pixels_are_compared_as_described() -> None:
    dataset = Dataset()
    dataset.Rows, dataset.Columns, dataset.BitsStored = 3, 4, 12
    same = header_bytes(dataset)
    dataset.BitsStored = 16
    frame = header_frame([row(same, pixel_header=same), row(header_bytes(dataset), pixel_header=same)], NOW).frame
    assert list(frame["header_pixels"] == frame["staged_pixels"]) == [True, False]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_frame(data: bytes) -> None:
    frame = header_frame([row(data), row(b"\x10\x00\x20\x00LO\x02\x00P1", object_key="good")], NOW)
    assert list(frame.frame.columns) == list(COLUMNS)
    assert list(frame.frame["object_key"])[-1] == "good"
    assert "good" not in frame.unreadable


def test_the_frame_has_its_columns_without_rows() -> None:
    assert list(header_frame([], NOW).frame.columns) == list(COLUMNS)


@pytest.mark.filterwarnings("ignore")
def test_real_headers_say_what_pydicom_reads(realdata: Path) -> None:
    """Where pydicom can write a header anew as Explicit VR Little Endian, the frame has its numbers and identifiers."""
    compared = 0
    for path in sorted((realdata / "dicom").rglob("*")):
        if not path.is_file() or compared >= 120:
            continue
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            dataset = Dataset({tag: element for tag, element in dataset.items() if tag.group < 0x7FE0})
            header = header_bytes(dataset)
        except Exception:  # broken on purpose; that is other tests' business
            continue
        if not header:
            continue
        frame = header_frame([row(header)], NOW)
        assert not frame.unreadable, path.name
        record = frame.frame.iloc[0]
        again = pydicom.filereader.read_dataset(pydicom.filebase.DicomBytesIO(header), False, True)
        for keyword in NUMBER_KEYWORDS:
            if isinstance(value := again.get(keyword), int):
                assert record[keyword] == value, (path.name, keyword)
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", "Modality", "PhotometricInterpretation"):
            assert keyword in TEXT_KEYWORDS
            if isinstance(value := again.get(keyword), str):
                assert (record[keyword] or "") == value.strip(), (path.name, keyword)
        compared += 1
    assert compared > 50
