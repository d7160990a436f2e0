"""A real Orthanc as the PACS's client: it stores, queries, moves and asks for commitment."""

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pydicom
import pytest
from pydicom.dataset import Dataset

from tasks.pacs.server import EmbeddedPacs
from tests.orthanc import Orthanc, start_orthanc
from tests.pacs.conftest import Client, store
from tests.pacs.objects import image, save, uid


@pytest.fixture
def orthanc(pacs: EmbeddedPacs, tmp_path: Path) -> Iterator[Orthanc]:
    modality = {"AET": pacs.ae_title, "Host": "127.0.0.1", "Port": pacs.port}
    with start_orthanc(tmp_path, DicomModalities={"pacs": modality}) as running:
        pacs.destinations["ORTHANC"] = ("127.0.0.1", running.dicom_port)
        yield running


def _post(orthanc: Orthanc, path: str, body: object) -> Any:
    return orthanc.rest(path, "POST", json.dumps(body).encode())


def _held(orthanc: Orthanc) -> dict[str, Dataset]:
    return {str(d.SOPInstanceUID): d for d in map(pydicom.dcmread, map(BytesIO, orthanc.instances()))}


def test_orthanc_stores_what_it_has(pacs: EmbeddedPacs, orthanc: Orthanc, tmp_path: Path) -> None:
    sent = [image(1, 1, 1), image(1, 1, 2), image(2, 1, 1)]
    sent.append(pydicom.dcmread(pydicom.data.get_testdata_file("MR_small_jpeg_ls_lossless.dcm")))
    keys = [orthanc.rest("/instances", "POST", path.read_bytes())["ID"] for path in save(sent, tmp_path / "in")]
    done = _post(orthanc, "/modalities/pacs/store", {"Resources": keys, "Synchronous": True})
    assert (done["InstancesCount"], done["FailedInstancesCount"]) == (4, 0)
    for dataset in sent:
        kept = pydicom.dcmread(pacs.store.path(str(dataset.SOPInstanceUID)))
        assert kept.file_meta.TransferSyntaxUID == dataset.file_meta.TransferSyntaxUID
        assert kept.PixelData == dataset.PixelData


@pytest.mark.parametrize(
    ("level", "query", "count"),
    [
        ("Patient", {"PatientID": ""}, 2),
        ("Study", {"PatientName": "MÜLLER*", "StudyInstanceUID": ""}, 2),
        ("Series", {"StudyInstanceUID": uid(1), "SeriesInstanceUID": ""}, 2),
        ("Instance", {"StudyInstanceUID": uid(1), "SeriesInstanceUID": uid(1, 1), "SOPInstanceUID": ""}, 2),
    ],
)
def test_orthanc_finds(pacs: EmbeddedPacs, orthanc: Orthanc, level: str, query: dict[str, str], count: int) -> None:
    store(pacs, image(1, 1, 1), image(1, 1, 2), image(1, 2, 1), image(2, 1, 1), image(3, 1, 1, "P2", PatientName="Meier^Karl"))
    made = _post(orthanc, "/modalities/pacs/query", {"Level": level, "Query": query})
    assert len(orthanc.rest(f"/queries/{made['ID']}/answers")) == count


def test_orthanc_sees_the_counts(pacs: EmbeddedPacs, orthanc: Orthanc) -> None:
    store(pacs, image(1, 1, 1), image(1, 1, 2), image(1, 2, 1, Modality="DX"))
    counted = ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances", "ModalitiesInStudy", "StudyInstanceUID")
    made = _post(orthanc, "/modalities/pacs/query", {"Level": "Study", "Query": dict.fromkeys(counted, "")})
    content = orthanc.rest(f"/queries/{made['ID']}/answers/0/content?simplify")
    assert [content[key] for key in counted] == ["2", "3", "CR\\DX", uid(1)]


def test_orthanc_moves_a_study_to_itself(pacs: EmbeddedPacs, orthanc: Orthanc) -> None:
    sent = [image(1, 1, 1), image(1, 2, 1), image(2, 1, 1)]
    jpeg = pydicom.dcmread(pydicom.data.get_testdata_file("MR_small_jpeg_ls_lossless.dcm"))
    jpeg.StudyInstanceUID = uid(1)
    store(pacs, *sent, jpeg)
    body = {"Level": "Study", "Resources": [{"StudyInstanceUID": uid(1)}], "TargetAet": "ORTHANC", "Synchronous": True}
    _post(orthanc, "/modalities/pacs/move", body)
    held = _held(orthanc)
    assert set(held) == {uid(1, 1, 1), uid(1, 2, 1), str(jpeg.SOPInstanceUID)}
    assert held[uid(1, 1, 1)].PixelData == sent[0].PixelData
    assert held[str(jpeg.SOPInstanceUID)].PixelData == jpeg.PixelData


def test_orthanc_asks_for_commitment(pacs: EmbeddedPacs, orthanc: Orthanc) -> None:
    there, missing = image(1, 1, 1), image(1, 1, 2)
    store(pacs, there)
    body = {"DicomInstances": [[str(d.SOPClassUID), str(d.SOPInstanceUID)] for d in (there, missing)]}
    made = _post(orthanc, "/modalities/pacs/storage-commitment", body)
    deadline = time.monotonic() + 20
    while (report := orthanc.rest(made["Path"]))["Status"] == "Pending" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert report["Status"] == "Failure"
    assert [item["SOPInstanceUID"] for item in report["Success"]] == [there.SOPInstanceUID]
    assert [item["SOPInstanceUID"] for item in report["Failures"]] == [missing.SOPInstanceUID]


def test_an_orthanc_that_sends_other_content_is_told(pacs: EmbeddedPacs, orthanc: Orthanc, tmp_path: Path) -> None:
    store(pacs, image(1, 1, 1))
    (path,) = save([image(1, 1, 1, PatientName="Someone^Else")], tmp_path / "in")
    key = orthanc.rest("/instances", "POST", path.read_bytes())["ID"]
    with pytest.raises(HTTPError, match="500"):
        _post(orthanc, "/modalities/pacs/store", {"Resources": [key], "Synchronous": True, "Permissive": False})
    assert "DIMSE status 0x0111" in (tmp_path / "orthanc.log").read_text()
    with Client(pacs) as client:
        (answer,) = client.find("IMAGE", SOPInstanceUID=uid(1, 1, 1), PatientName="")
    assert str(answer.PatientName) == "Müller^Anna"
