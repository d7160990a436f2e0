"""Contradictions between objects, beside dcentvfy."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tasks.pixel_data import header_bytes
from tasks.validate.iod import differences, read_elements
from tests.validate.test_iod import dataset_of

CASES: list[tuple[list[dict[str, object]], set[str]]] = [
    ([{"StudyDescription": "A"}, {"StudyDescription": "B"}], {"StudyDescription"}),
    ([{"StudyDescription": "A"}, {"StudyDescription": ""}], set()),
    ([{"StudyDescription": "A"}, {}], set()),
    ([{"SeriesDescription": "A"}, {"SeriesDescription": "B"}], {"SeriesDescription"}),
    ([{"SeriesDescription": "A"}, {"SeriesDescription": "B", "SeriesInstanceUID": "2.25.78"}], set()),
    ([{"PatientName": "A"}, {"PatientName": "B", "PatientSex": "F"}], {"PatientName"}),
    ([{"Manufacturer": "A"}, {"Manufacturer": "B"}], set()),
    ([{"InstanceNumber": "1"}, {"InstanceNumber": "2"}], set()),
]


@pytest.mark.parametrize(("objects", "expected"), CASES)
def test_contradictions_are_those_dcentvfy_finds(
    objects: list[dict[str, object]], expected: set[str], tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    files, read = [], []
    for number, attributes in enumerate(objects):
        dataset = dataset_of(SOPInstanceUID=f"2.25.9{number}", **attributes)
        read.append((str(number), str(dataset.StudyInstanceUID), read_elements(header_bytes(dataset))))
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        files.append(tmp_path / f"{number}.dcm")
        dataset.save_as(files[-1], enforce_file_format=True)
    done = subprocess.run([debian_tool("dcentvfy"), *files], capture_output=True, text=True, check=False)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    found = {keyword_for_tag(difference.tag) for difference, _ in differences(read)}
    assert found == expected
    assert {line.split("Element=<")[1].split(">")[0] for line in errors} == expected


def test_the_objects_in_the_minority_are_named() -> None:
    said = {"a": "X", "b": "Y", "c": "X", "d": "Z"}
    read = [(key, "s", read_elements(header_bytes(dataset_of(StudyDescription=value)))) for key, value in said.items()]
    (found,) = differences(read)
    assert found[1] == ("b", "d")
