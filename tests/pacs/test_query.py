"""C-FIND at every level of both models, by pynetdicom and by findscu."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind as PatientRoot

from tasks.pacs.server import EmbeddedPacs
from tests.pacs.conftest import Client, Run, store
from tests.pacs.objects import image, uid


@pytest.fixture
def client(pacs: EmbeddedPacs) -> Iterator[Client]:
    """Patient P1 with study 1 (two series, CR and DX, five images) and 2; patient P2 with study 3 and, wrongly, study 2."""
    store(
        pacs,
        *(image(1, 1, number) for number in (1, 2, 3)),
        *(image(1, 2, number, Modality="DX") for number in (1, 2)),
        image(2, 1, 1, StudyDate="19990909"),
        image(2, 2, 1, patient="P2", PatientName="Meier^Karl", StudyDate="19990909"),
        image(3, 1, 1, patient="P2", PatientName="Meier^Karl", StudyDate="20010101"),
    )
    with Client(pacs, contexts=[build_context(PatientRoot)]) as client:
        yield client


def test_patients_with_their_counts(client: Client) -> None:
    answers = client.find(
        "PATIENT",
        PatientRoot,
        PatientID="",
        PatientName="",
        NumberOfPatientRelatedStudies=None,
        NumberOfPatientRelatedSeries=None,
        NumberOfPatientRelatedInstances=None,
    )
    rows = [
        (
            a.PatientID,
            str(a.PatientName),
            a.NumberOfPatientRelatedStudies,
            a.NumberOfPatientRelatedSeries,
            a.NumberOfPatientRelatedInstances,
        )
        for a in answers
    ]
    assert rows == [("P1", "Müller^Anna", 2, 3, 6), ("P2", "Meier^Karl", 2, 2, 2)]


def test_studies_with_their_counts(client: Client) -> None:
    keys = {
        "PatientID": "",
        "StudyInstanceUID": "",
        "ModalitiesInStudy": None,
        "NumberOfStudyRelatedSeries": None,
        "NumberOfStudyRelatedInstances": None,
    }
    (first,) = client.find("STUDY", **{**keys, "StudyInstanceUID": uid(1)})
    assert (first.NumberOfStudyRelatedSeries, first.NumberOfStudyRelatedInstances) == (2, 5)
    assert list(first.ModalitiesInStudy) == ["CR", "DX"]
    # One study under two patients is told as two, each with what is its own.
    both = client.find("STUDY", **{**keys, "StudyInstanceUID": uid(2)})
    assert [(a.PatientID, a.NumberOfStudyRelatedInstances) for a in both] == [("P1", 1), ("P2", 1)]


def test_counts_are_of_the_whole_study_whatever_is_asked(client: Client) -> None:
    (study,) = client.find("STUDY", StudyInstanceUID="", ModalitiesInStudy="DX", NumberOfStudyRelatedInstances=None)
    assert (study.StudyInstanceUID, study.NumberOfStudyRelatedInstances) == (uid(1), 5)


def test_series_and_images(client: Client) -> None:
    series = client.find(
        "SERIES", StudyInstanceUID=uid(1), SeriesInstanceUID="", Modality="", NumberOfSeriesRelatedInstances=None
    )
    assert [(s.SeriesInstanceUID, s.Modality, s.NumberOfSeriesRelatedInstances) for s in series] == [
        (uid(1, 1), "CR", 3),
        (uid(1, 2), "DX", 2),
    ]
    images = client.find(
        "IMAGE", StudyInstanceUID=uid(1), SeriesInstanceUID=uid(1, 1), SOPInstanceUID="", InstanceNumber="", Rows=None
    )
    assert [(i.SOPInstanceUID, i.InstanceNumber, i.Rows) for i in images] == [(uid(1, 1, n), n, 8) for n in (1, 2, 3)]
    listed = client.find("IMAGE", SOPInstanceUID=[uid(1, 1, 1), uid(3, 1, 1), uid(9)])
    assert [i.SOPInstanceUID for i in listed] == [uid(1, 1, 1), uid(3, 1, 1)]


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        ({"PatientName": "MÜLLER^ANNA"}, [1, 2]),
        ({"PatientName": "mei*"}, [2, 3]),
        ({"PatientID": "P?"}, [1, 2, 2, 3]),
        ({"PatientID": "P2"}, [2, 3]),
        ({"StudyDate": "19870101-19991231"}, [1, 2, 2]),
        ({"StudyDate": "20000101-"}, [3]),
        ({"StudyTime": "10-1015"}, [1, 2, 2, 3]),
        ({"AccessionNumber": "A3"}, [3]),
        ({"StudyInstanceUID": [uid(1), uid(3)]}, [1, 3]),
        ({"PatientName": "nobody"}, []),
    ],
)
def test_matching(client: Client, keys: dict[str, object], studies: list[int]) -> None:
    answers = client.find("STUDY", **{"StudyInstanceUID": "", **keys})
    assert sorted(a.StudyInstanceUID for a in answers) == [uid(study) for study in studies]


def test_patients_without_identifier_are_told_apart_by_name(pacs: EmbeddedPacs) -> None:
    store(pacs, image(1, 1, 1, patient="", PatientName="A^A"), image(2, 1, 1, patient="", PatientName="B^B"))
    with Client(pacs, contexts=[build_context(PatientRoot)]) as client:
        assert [str(a.PatientName) for a in client.find("PATIENT", PatientRoot, PatientName="")] == ["A^A", "B^B"]


def test_what_is_not_kept_is_said(client: Client) -> None:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID, identifier.PatientWeight = "STUDY", uid(1), "70"
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRoot

    statuses = [status.Status for status, _ in client.association.send_c_find(identifier, StudyRoot)]
    assert statuses == [0xFF01, 0x0000]


def test_a_level_that_is_none_is_refused(client: Client) -> None:
    assert client.find_status("PATIENT", PatientID="") == (0xA900, [])  # the study root has no patients
    assert client.find_status("FILM", StudyInstanceUID="") == (0xA900, [])


def test_findscu_sees_the_counts(client: Client, dcmtk: Run) -> None:
    keys = [
        "QueryRetrieveLevel=STUDY",
        f"StudyInstanceUID={uid(1)}",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ]
    seen = dcmtk("findscu", ["-S", *(part for key in keys for part in ("-k", key))])
    assert seen.count("Find Response: ") == 1
    assert "IS [2 ]" in seen and "IS [5 ]" in seen
    levels = {"PATIENT": ("-P", 2), "STUDY": ("-S", 4), "SERIES": ("-S", 5), "IMAGE": ("-P", 8)}
    for level, (model, rows) in levels.items():
        assert (
            dcmtk("findscu", [model, "-k", f"QueryRetrieveLevel={level}", "-k", "PatientID"]).count("Find Response: ") == rows
        )


def test_cancel_ends_a_query(pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path) -> None:
    store(pacs, *(image(study, 1, 1) for study in range(1, 60)))
    seen = dcmtk("findscu", ["-v", "-S", "--cancel", "3", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"])
    assert "Sending Cancel Request" in seen
    assert "Received Final Find Response (Cancel" in seen
