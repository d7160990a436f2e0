"""The header scan against pydicom, whose values it has to give for every file, plain or odd."""

import csv
import struct
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scan import ASKED, by_pydicom
from tasks.errors import QuarantineError
from tasks.header_scan import BLOCK, scan_file, scan_head, wanted

EXPLICIT = b"1.2.840.10008.1.2.1"


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    long = vr in (b"SQ", b"OB", b"UN", b"UT")
    size = struct.pack("<HL", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + size + value


def part10(*elements: bytes) -> bytes:
    meta = element(0x00020010, b"UI", EXPLICIT)
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<L", len(meta))) + meta + b"".join(elements)


@pytest.mark.filterwarnings("ignore")
def test_values_of_all_odd_files_are_those_of_pydicom(realdata: Path) -> None:
    asked = wanted(ASKED)
    with (realdata / "dicom" / "INDEX.csv").open(newline="") as file:
        paths = [realdata / "dicom" / row["path"] for row in csv.DictReader(file)]
    assert len(paths) >= 281
    assert [path.name for path in paths if scan_file(path, asked) != by_pydicom(path)] == []


def test_elements_in_sequences_are_not_taken_for_those_of_the_object() -> None:
    inner = element(0x00100020, b"LO", b"other")
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    sequence = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + item + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    data = part10(sequence, element(0x00100020, b"LO", b"mine"))
    assert scan_head(data, wanted(["PatientID"])) == {"PatientID": "mine"}


def test_a_header_longer_than_the_block_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.dcm"
    path.write_bytes(part10(element(0x00081030, b"UT", b"x" * BLOCK), element(0x00100020, b"LO", b"far away")))
    assert scan_file(path, wanted(["PatientID"])) == {"PatientID": "far away"}


@pytest.mark.filterwarnings("ignore")
@given(st.text(max_size=30).filter(lambda text: not any(ord(letter) < 32 or letter == "\\" for letter in text)))
def test_a_name_in_any_script_is_read_as_pydicom_reads_it(name: str) -> None:
    data = part10(element(0x00080005, b"CS", b"ISO_IR 192"), element(0x00100010, b"PN", name.encode()))
    expected = str(pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)).PatientName).strip("\0 ")
    assert scan_head(data, wanted(["PatientName"])).get("PatientName", "") == expected


def test_what_is_no_dicom_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x20\x001.2")
    try:
        assert scan_file(path, wanted(["PatientID"])) == {}
    except QuarantineError as error:
        assert "1.2" not in str(error)
    with pytest.raises(OSError, match="missing"):
        scan_file(tmp_path / "missing", wanted(["PatientID"]))


def test_only_keywords_may_be_asked_for() -> None:
    with pytest.raises(ValueError, match="Patientname"):
        wanted(["Patientname"])
