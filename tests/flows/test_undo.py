"""Waves, undo and release: the balance adds up at each step, and the archive is asked what it holds."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows import undo as module
from flows.undo import DELETE, Selection, Undone, release, undo
from tasks.errors import ConfigurationError, RetryLaterError
from tests.flows.loaded import EMBEDDED, Loading, loading, words
from tests.orthanc import AE_TITLE, Orthanc, start_orthanc

FILMS = 7
FIRST = Selection("1", "", "A. Analyst", "another box")


def orthanc_target(orthanc: Orthanc) -> str:
    address = f'kind = "dimse"\nhost = "127.0.0.1"\nport = {orthanc.dicom_port}\nae_title = "{AE_TITLE}"\n'
    return address + f'orthanc = "http://127.0.0.1:{orthanc.http_port}"\n'


@pytest.fixture(params=["embedded", pytest.param("orthanc", marks=pytest.mark.slow)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "embedded":
        yield EMBEDDED
        return
    with start_orthanc(tmp_path) as orthanc:
        yield orthanc_target(orthanc)


def withdrawn(migration: Loading, selection: Selection, how: str) -> Undone:
    return undo(migration.engine.configuration, migration.engine.workspace, selection, how)


def released(migration: Loading, selection: Selection) -> int:
    return release(migration.engine.configuration, migration.engine.workspace, selection)


def test_a_wave_by_delete(tmp_path: Path, target: str) -> None:
    migration = loading(tmp_path / "m", FILMS, target)
    assert migration.run("1") == {"verified": FILMS}
    assert migration.receipts("wave") == {"1"}
    before = migration.receipts("sop_instance_uid")
    assert migration.held() == (before, 0)

    assert withdrawn(migration, FIRST, DELETE) == Undone(FILMS, 0)
    assert migration.states() == {"withdrawn": FILMS}
    newer = {name: {"version": 99} for name in ("wrap", "reconcile", "validate")}
    migration = loading(tmp_path / "m", 0, target, **newer)  # the next run does not send it, whatever else has changed
    assert migration.run() == {"withdrawn": FILMS}
    assert migration.held() == (set(), 0)
    with pytest.raises(ConfigurationError, match="nothing of wave '1' is in the PACS"):
        withdrawn(migration, FIRST, DELETE)

    assert released(migration, FIRST) == 3
    assert migration.states() == {"withdrawn": FILMS}
    assert migration.run("2") == {"verified": FILMS}
    assert migration.held() == (before, 0)  # after a proven delete they keep their UIDs
    assert migration.receipts("sop_instance_uid") == before
    assert migration.receipts("wave") == {"2"}
    with pytest.raises(ConfigurationError, match="nothing of wave '1' is withdrawn"):
        released(migration, FIRST)


@pytest.mark.parametrize("title", ["113037", pytest.param("113001", marks=pytest.mark.slow)])
def test_a_wave_by_note(tmp_path: Path, debian_tool: Callable[[str], str], title: str) -> None:
    migration = loading(tmp_path / "m", 4, EMBEDDED)
    migration.run("1")
    before = migration.receipts("sop_instance_uid")
    with pytest.MonkeyPatch.context() as patch:  # cut off before its commit, it is done again, with the same notes
        patch.setattr(module, "_record", cut_off)
        with pytest.raises(RetryLaterError):
            withdrawn(migration, FIRST, title)
    assert migration.states() == {"verified": 4}
    assert withdrawn(migration, FIRST, title) == Undone(4, 0)
    assert migration.held() == (set(), 2)  # a note a study
    assert migration.states() == {"withdrawn": 4}
    released(migration, FIRST)
    assert migration.run() == {"verified": 4}
    after = migration.receipts("sop_instance_uid")
    assert migration.held() == (after, 2)
    assert len(after) == 4
    assert not after & before
    changes = [words(changes) for (changes,) in migration.engine.query("SELECT changes FROM headers")]
    assert {(keyword, old) for [(keyword, old, _)] in changes} == {("SOPInstanceUID", uid) for uid in before}
    assert {new for [(_, _, new)] in changes} == after
    for note in migration.notes():
        said = subprocess.run([debian_tool("dciodvfy"), note], capture_output=True, text=True, check=False).stderr
        assert "KeyObjectSelectionDocument" in said
        # A study without a time and a number of its own has none to put into a DICOMDIR either.
        odd = [line for line in said.splitlines() if line.startswith(("Error", "Warning")) and "build DICOMDIR" not in line]
        assert not odd, said


def cut_off(*_: object) -> None:
    raise RetryLaterError("the power went")


def test_one_study_of_several(tmp_path: Path) -> None:
    migration = loading(tmp_path / "m", FILMS, EMBEDDED)
    migration.run("1")
    study = Selection("", migration.studies()[0], "A. Analyst", "the wrong patient's")
    members = migration.engine.query(f"SELECT sop_instance_uid FROM headers WHERE study_instance_uid = '{study.study}'")
    before = migration.receipts("sop_instance_uid")
    assert withdrawn(migration, study, DELETE) == Undone(len(members), 0)
    assert migration.states() == {"verified": FILMS - len(members), "withdrawn": len(members)}
    assert migration.held() == (before - {uid for (uid,) in members}, 0)
    [(decision, value, by, why)] = migration.engine.query("SELECT decision, value, decided_by, reason FROM decisions")
    assert (decision, value, by, why) == ("withdraw", "delete", "A. Analyst", "the wrong patient's")
    assert why not in str(migration.engine.query("SELECT * FROM outcomes"))  # a person's words may name somebody


@pytest.mark.slow
def test_a_target_that_stores_notes_and_goes_on_showing(tmp_path: Path) -> None:
    with start_orthanc(tmp_path) as orthanc:
        migration = loading(tmp_path / "m", 3, orthanc_target(orthanc))
        migration.run("1")
        assert withdrawn(migration, FIRST, "113001") == Undone(0, 3)
        assert migration.states() == {"verified": 3}
        assert migration.held()[1] == 1


def test_a_target_that_cannot_delete(tmp_path: Path) -> None:
    migration = loading(tmp_path / "m", 0, f'kind = "dimse"\nhost = "127.0.0.1"\nport = 4\nae_title = "{AE_TITLE}"\n')
    with pytest.raises(ConfigurationError, match=r"cannot delete.*--note"):
        withdrawn(migration, FIRST, DELETE)
