"""A real Orthanc as a source: everything it holds is listed and received, and what does not come is told."""

import json
from pathlib import Path

import pytest

import tasks.scan.pacs.arrivals
from flows.doctor import checks
from tasks import received
from tasks.errors import NextRunError, RetryLaterError, StageBlockedError
from tasks.network.retrieval import Retriever
from tasks.scan.pacs.delta import list_anew
from tasks.sources import read_item
from tests.orthanc import Orthanc, orthanc, start_orthanc
from tests.scan.pacs_objects import Emptying, as_file, instance, path_of, rejection_note

__all__ = ["orthanc"]

MISSING = ("waiting", "listed by the PACS, not received")


def fill(orthanc: Orthanc, *datasets) -> None:
    for dataset in datasets:
        orthanc.rest("/instances", "POST", as_file(dataset))


def orthanc_key(orthanc: Orthanc, dataset) -> str:
    return orthanc.rest("/tools/lookup", "POST", str(dataset.SOPInstanceUID).encode())[0]["ID"]


def test_all_is_received_as_it_is_there(tmp_path: Path, orthanc: Orthanc) -> None:
    held = [instance(study, series, number) for study in (1, 2) for series in (1, 2) for number in (1, 2, 3)]
    fill(orthanc, *held)
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    outcomes = emptying.scan()
    items = {item["path"]: item for outcome in outcomes for item in outcome.rows.get("items", ())}
    assert sorted(items) == sorted(map(path_of, held))
    for dataset in held:
        item = items[path_of(dataset)]
        data = read_item(emptying.configuration, "old", item["path"], sha256=item["sha256"])
        # The data set, behind the File Meta Information, is the source's own, byte for byte.
        theirs = orthanc.rest(f"/instances/{orthanc_key(orthanc, dataset)}/file")
        assert data.endswith(theirs[theirs.index(b"\x08\x00\x05\x00CS") :])
        assert (item["kind"], item["listed_by"], item["bytes"]) == ("dicom", "C-FIND", len(data))
    assert len({item["group_key"] for item in items.values()}) == 2
    received_before = {file: file.stat().st_mtime_ns for file in (tmp_path / "w/received").rglob("*.dcm")}
    assert emptying.scan() == outcomes  # the same again, without receiving anything again
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "w/received").rglob("*.dcm")} == received_before


def test_a_limit_of_the_peer_hides_nothing(tmp_path: Path) -> None:
    # A day over the limit, undated studies, a study under two patients.
    held = [instance(100 + n, 1, 1, "19990102", f"{n % 24:02}{n:02}00") for n in range(30)]
    held += [instance(200 + n, 1, 1, "", "", f"U{n}") for n in range(25)]
    held += [instance(400, 1, 1, patient="A"), instance(400, 2, 1, patient="B")]
    with start_orthanc(tmp_path, LimitFindResults=20) as orthanc:
        fill(orthanc, *held)
        emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
        rows = emptying.listing()
        assert sorted(row["path"] for row in rows) == sorted({str(dataset.StudyInstanceUID) for dataset in held})
        twice = json.loads(next(row for row in rows if row["path"].endswith(".400"))["listing"])
        assert (twice["instances"], twice["series"], len(twice["patients"].split())) == (2, 2, 2)
        assert {outcome for outcome, _ in emptying.items(rows).values()} == {"done"}


def test_what_cannot_be_listed_is_told(tmp_path: Path) -> None:
    held = [instance(n, 1, 1, "", patient="MANY") for n in range(25)]
    with start_orthanc(tmp_path, LimitFindResults=20) as orthanc:
        fill(orthanc, *held)
        emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
        [*studies, beyond] = emptying.listing()
        assert 20 <= len(studies) < 25
        state, reason = emptying.items([beyond])["studies that are not listed"]
        assert state == "waiting" and "raise its limit" in reason


def test_what_is_deleted_on_the_way_is_told(tmp_path: Path, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [instance(1, 1, number) for number in range(1, 6)]
    fill(orthanc, *held)
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    rows = emptying.listing()
    orthanc.rest(f"/instances/{orthanc_key(orthanc, held[0])}", "DELETE")  # before its study is asked for
    objects = Retriever.objects

    def delete_first(self, *arguments):
        if found := orthanc.rest("/tools/lookup", "POST", str(held[1].SOPInstanceUID).encode()):
            orthanc.rest(f"/instances/{found[0]['ID']}", "DELETE")  # after it was listed
        objects(self, *arguments)

    monkeypatch.setattr(Retriever, "study", lambda *_: None)
    monkeypatch.setattr(Retriever, "objects", delete_first)
    counted = "waiting", "counted by the PACS, not listed and not received"
    assert emptying.items(rows) == {
        path_of(held[1]): MISSING,
        **{path_of(dataset): ("done", "") for dataset in held[2:]},
        f"{held[0].StudyInstanceUID}//5": counted,
    }


def test_a_missing_one_is_asked_for_again_by_the_next_run(tmp_path: Path, orthanc: Orthanc) -> None:
    held = [instance(1, 1, 1), instance(1, 1, 2)]
    fill(orthanc, held[0])
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    [study] = emptying.listing()
    row = study | {"entry": "instance", "path": path_of(held[1]), "listing": None}
    assert emptying.items([row]) == {path_of(held[1]): MISSING}
    fill(orthanc, held[1])
    assert emptying.items([row]) == {path_of(held[1]): ("done", "")}


def test_a_lost_connection_costs_no_object_twice(tmp_path: Path, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [instance(1, series, number) for series in (1, 2) for number in range(1, 11)]
    fill(orthanc, *held)
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    kept: list[str] = []

    def lose_the_eighth(workspace, source, path, came):
        if len(kept) == 7:
            kept.append("lost")
            raise RetryLaterError("lost")
        kept.append(path)
        return received.keep(workspace, source, path, came)

    monkeypatch.setattr(tasks.scan.pacs.arrivals, "keep", lose_the_eighth)
    [outcome] = emptying.scan()
    assert (outcome.outcome, outcome.again, outcome.rows) == ("waiting", True, {})
    assert emptying.items() == {path_of(dataset): ("done", "") for dataset in held}
    kept.remove("lost")
    assert sorted(kept) == sorted(map(path_of, held))


def test_a_torn_file_is_received_again(tmp_path: Path, orthanc: Orthanc) -> None:
    fill(orthanc, instance(1, 1, 1), instance(1, 1, 2))
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    outcomes = emptying.scan()
    torn = sorted((tmp_path / "w/received").rglob("*.dcm"))[0]
    torn.write_bytes(torn.read_bytes()[:100])
    assert emptying.scan() == outcomes
    for item in (item for outcome in outcomes for item in outcome.rows.get("items", ())):
        read_item(emptying.configuration, "old", item["path"], sha256=item["sha256"])


def test_what_is_not_kept_any_more_is_received_again(tmp_path: Path, orthanc: Orthanc) -> None:
    held = instance(1, 1, 1)
    fill(orthanc, held)
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    [item] = [item for outcome in emptying.scan() for item in outcome.rows.get("items", ())]
    [file] = (tmp_path / "w/received").rglob("*.dcm")
    content = file.read_bytes()
    file.unlink()
    assert read_item(emptying.configuration, "old", item["path"], sha256=item["sha256"]) == content
    with pytest.raises(NextRunError, match="something else"):
        read_item(emptying.configuration, "old", item["path"], sha256="0" * 64)
    orthanc.rest(f"/instances/{orthanc_key(orthanc, held)}", "DELETE")
    with pytest.raises(NextRunError, match="does not give it out any more"):
        read_item(emptying.configuration, "old", item["path"], sha256=item["sha256"])


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("113001", "rejected for quality reasons"),
        ("113037", "rejected for patient safety reasons"),
        ("113038", "rejected for an incorrect worklist entry"),
        ("113039", "rejected since its retention has expired"),
        ("113000", ""),  # Of Interest: hides nothing
    ],
)
def test_what_a_rejection_note_names_is_excluded(tmp_path: Path, orthanc: Orthanc, title: str, why: str) -> None:
    held = [instance(1, 1, number) for number in (1, 2, 3)]
    note = rejection_note(1, title, held[0], held[2])
    fill(orthanc, *held, note)
    items = Emptying(tmp_path / "w", orthanc.dicom_port).items()
    done = "done", ""
    hidden = ("excluded", f"{why} in the PACS by a rejection note (code {title})") if why else done
    assert [items[path_of(dataset)] for dataset in held] == [hidden, done, hidden]
    assert items[path_of(note)][0] == ("excluded" if why else "done")


def test_a_pacs_that_is_down_blocks_with_its_mend(tmp_path: Path, orthanc: Orthanc) -> None:
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    orthanc.process.kill()
    orthanc.process.wait()
    with pytest.raises(StageBlockedError, match=r"source ORTHANC@127.0.0.1:\d+ is down .* correct \[source\]"):
        emptying.listing()


def test_a_new_list_says_what_has_changed_since(tmp_path: Path, orthanc: Orthanc) -> None:
    fill(orthanc, *(instance(study, 1, number) for study in (1, 2, 3, 4) for number in (1, 2)))
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    (tmp_path / "w/report").mkdir()
    assert list_anew("old", emptying.source, emptying.configuration) is None
    before = {row["path"]: row for row in emptying.listing()}
    unchanged = list_anew("old", emptying.source, emptying.configuration)
    assert unchanged.counts == {"new": 0, "changed": 0, "merged": 0, "gone": 0}
    assert {row["path"]: row for row in emptying.listing()} == before
    for gone in (instance(1, 1, 1), instance(1, 1, 2), instance(3, 1, 1), instance(3, 1, 2)):
        orthanc.rest(f"/instances/{orthanc_key(orthanc, gone)}", "DELETE")
    fill(orthanc, instance(2, 1, 3), instance(5, 1, 1))  # one more, and a study more
    fill(orthanc, *(instance(3, 1, number, patient="OTHER") for number in (1, 2)))
    delta = list_anew("old", emptying.source, emptying.configuration)
    assert delta.counts == {"new": 1, "changed": 1, "merged": 1, "gone": 1}
    uids = {number: str(instance(number, 1, 1).StudyInstanceUID) for number in range(1, 6)}
    named = dict(line.split(",") for line in delta.file.read_text().split()[1:])
    assert named == {uids[1]: "gone", uids[2]: "changed", uids[3]: "merged", uids[5]: "new"}
    after = {row["path"]: row for row in emptying.listing()}
    assert sorted(after) == sorted(uids.values())
    assert after[uids[4]] == before[uids[4]]
    assert after[uids[2]] != before[uids[2]] and after[uids[3]] != before[uids[3]]
    counted = "waiting", "counted by the PACS, not listed and not received"
    assert emptying.items([after[uids[1]]]) == {f"{uids[1]}//{number}": counted for number in (1, 2)}


def test_the_doctor_says_whether_it_can_be_emptied(tmp_path: Path, orthanc: Orthanc) -> None:
    emptying = Emptying(tmp_path / "w", orthanc.dicom_port)
    assert next(check for check in checks(emptying.configuration) if check.what == "source old").fine
    assert not (tmp_path / "w/received").exists()
    orthanc.process.kill()
    orthanc.process.wait()
    failed = next(check for check in checks(emptying.configuration) if check.what == "source old")
    assert not failed.fine and "is down" in failed.mend
