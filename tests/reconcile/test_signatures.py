"""Signatures made and judged by DCMTK: one whose elements stay is kept and verifies, one that a change breaks is taken out."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tasks.pixel_data import header_bytes, read_data_set
from tests.reconcile.test_mends import compose

CLASS, INSTANCE = "1.2.840.10008.5.1.4.1.1.66", "1.2.840.99.3"


def part_10(data: bytes, path: Path) -> Path:
    dataset = read_data_set(data)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = CLASS, INSTANCE
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory, debian_tool: Callable[[str], str]) -> Path:
    """A folder with a key and a certificate, valid since a second ago."""
    folder = tmp_path_factory.mktemp("key")
    command = [debian_tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run(
        [*command, "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"], check=True, capture_output=True
    )
    time.sleep(1.1)
    return folder


def verify(path: Path, key: Path, debian_tool: Callable[[str], str]) -> None:
    """Fails unless there are signatures and all of them are good."""
    command = [debian_tool("dcmsign"), "-v", "+rg", "+cf", key / "certificate.pem", path]
    verified = subprocess.run(command, capture_output=True, text=True)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture
def sign(key: Path, tmp_path: Path, debian_tool: Callable[[str], str]) -> Callable[..., bytes]:
    """Signs a raw data object of a foreign patient, once for each list of tags; gives its data set."""

    def run(*signed: list[str]) -> bytes:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CLASS, INSTANCE, "OT"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.840.99.1", "1.2.840.99.2"
        dataset.PatientName, dataset.PatientID, dataset.SeriesDescription = "DOE^JANE", "X9", "raw data"
        path = part_10(header_bytes(dataset), tmp_path / "plain.dcm")
        for number, tags in enumerate(signed):
            target = tmp_path / f"signed-{number}.dcm"
            options = [option for tag in tags for option in ("-t", tag)]
            command = [
                debian_tool("dcmsign"),
                "+s",
                key / "key.pem",
                key / "certificate.pem",
                "-pw",
                "+m2",
                *options,
                path,
                target,
            ]
            subprocess.run(command, check=True, capture_output=True)
            path = target
        data = path.read_bytes()
        return data[132 + 12 + int.from_bytes(data[140:144], "little") :]

    return run


def test_a_signature_of_elements_that_stay_is_kept_and_verifies(
    sign: Callable[..., bytes], key: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    result = compose(sign(["Modality", "SeriesDescription"]))
    written = part_10(result["header"] + result["trailer"], tmp_path / "final.dcm")
    verify(written, key, debian_tool)
    assert "DigitalSignaturesSequence" not in {change["keyword"] for change in json.loads(result["changes"])}


def test_a_broken_signature_is_taken_out_and_recorded_and_the_other_stays(
    sign: Callable[..., bytes], key: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    source = sign(["PatientID", "Modality"], ["Modality"])
    assert len(read_data_set(source).DigitalSignaturesSequence) == 2
    result = compose(source)
    written = part_10(result["header"] + result["trailer"], tmp_path / "final.dcm")
    verify(written, key, debian_tool)
    final = read_data_set(result["header"] + result["trailer"])
    assert (len(final.DigitalSignaturesSequence), len(final.MACParametersSequence)) == (1, 1)
    (event,) = final.OriginalAttributesSequence
    assert len(event.ModifiedAttributesSequence[0].DigitalSignaturesSequence) == 2
    changed = {change["keyword"] for change in json.loads(result["changes"])}
    assert {"DigitalSignaturesSequence", "MACParametersSequence"} <= changed


def test_nothing_is_left_of_the_only_signature_that_is_broken(sign: Callable[..., bytes]) -> None:
    result = compose(sign(["PatientName"]))
    final = read_data_set(result["header"] + result["trailer"])
    assert "DigitalSignaturesSequence" not in final and "MACParametersSequence" not in final
    assert result["trailer"] == b""
