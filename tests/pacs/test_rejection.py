"""Rejection notes (IHE RAD-66) and what they do to query, retrieve and storage."""

from pathlib import Path

import pytest

from tasks.pacs.rejection import rejections_of
from tasks.pacs.server import EmbeddedPacs
from tests.pacs.conftest import Client, Run, store
from tests.pacs.objects import image, note, uid


def _visible(pacs: EmbeddedPacs) -> list[str]:
    with Client(pacs) as client:
        return [str(answer.SOPInstanceUID) for answer in client.find("IMAGE", SOPInstanceUID="")]


@pytest.mark.parametrize("title", ["113001", "113037", "113038", "113039"])
def test_what_a_note_names_is_hidden(pacs: EmbeddedPacs, dcmtk: Run, tmp_path: Path, title: str) -> None:
    good, bad = image(1, 1, 1), image(1, 1, 2)
    document = note(title, [bad])
    assert store(pacs, good, bad, document) == [0, 0, 0]
    assert _visible(pacs) == [good.SOPInstanceUID, document.SOPInstanceUID]
    with Client(pacs) as client:
        (study,) = client.find("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances=None)
    assert study.NumberOfStudyRelatedInstances == 2  # the good one and the note
    out = tmp_path / "out"
    out.mkdir()
    dcmtk("getscu", ["-S", "-od", str(out), "-k", "QueryRetrieveLevel=SERIES", "-k", f"SeriesInstanceUID={uid(1, 1)}"])
    assert len(list(out.iterdir())) == 1


@pytest.mark.parametrize(
    ("title", "again", "back"), [("113037", 0x0124, False), ("113038", 0x0124, False), ("113001", 0, True), ("113039", 0, True)]
)
def test_what_comes_again_after_a_note(tmp_path: Path, title: str, again: int, back: bool) -> None:
    bad = image(1, 1, 1)
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs:
        store(pacs, bad, note(title, [bad]))
        assert store(pacs, bad) == [again]
        assert (bad.SOPInstanceUID in _visible(pacs)) is back
    (tmp_path / "pacs" / "index.sqlite").unlink()
    with EmbeddedPacs(tmp_path / "pacs", "P", 0) as pacs:
        assert (bad.SOPInstanceUID in _visible(pacs)) is back


def test_a_note_before_its_object(pacs: EmbeddedPacs) -> None:
    bad = image(1, 1, 1)
    assert store(pacs, note("113037", [bad]), bad) == [0x0000, 0x0124]
    assert bad.SOPInstanceUID not in _visible(pacs)


def test_other_key_objects_reject_nothing(pacs: EmbeddedPacs) -> None:
    good = image(1, 1, 1)
    teaching = note("113037", [good])
    teaching.ConceptNameCodeSequence[0].CodeValue = "113004"  # For Teaching
    other = note("113037", [good], number=901)
    other.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99LOCAL"
    assert rejections_of(teaching) == rejections_of(other) == []
    store(pacs, good, teaching, other)
    assert good.SOPInstanceUID in _visible(pacs)
