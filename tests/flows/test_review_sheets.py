"""The review queue as a sheet: out, filled in by other programs, and in again, beside a run that commits."""

import csv
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from flows.review.sheets import COLUMNS
from tasks.keys import key_of
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.writer import put_rows
from tests.flows.command import filmroom

STUDIES, MANY = 10, 500
AT = datetime(2026, 1, 2, tzinfo=UTC)
CANDIDATE = {
    "patient_id": "007",
    "family_name": "=HYPERLINK(1)",
    "given_name": "ÅSA",
    "birth_date": "19310312",
    "sex": "F",
    "probability": 0.97,
    "agreement": [{"name": "agrees", "patient_id": "missing"}],
}


def uid(number: int) -> str:
    return f"2.25.{10**20 + number}"


def stages_of(
    numbers: range, fingerprint: Callable[[int], str], link: str, source: str
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Studies of one film each that wait for a person: what each stage wrote, one after the other."""
    keys = [(number, key_of("item", number), key_of("object", number)) for number in numbers]

    def outcomes(stage: str, *, of_item: bool, outcome: str = "done", prints: Callable[[int], str] | None = None) -> list[Any]:
        rows = []
        for number, item, made in keys:
            key = item if of_item else made
            facts = {"stage": stage, "key": key, "input_key": key, "item_key": item}
            print_ = prints(number) if prints else stage
            rows.append({**facts, "fingerprint": print_, "outcome": outcome, "reason": "somebody has to look"})
        return rows

    film = {"source": source, "page": 1, "kind": "film"}
    yield {
        "items": [{**film, "item_key": i, "fingerprint": "scan", "path": f"{n:04}.png"} for n, i, _ in keys],
        "outcomes": outcomes("scan", of_item=True),
    }
    read = {"kind": "film", "label_patient_name": "+SMITH^ÅSA", "label_patient_id": "007", "fingerprint": "wrap"}
    yield {
        "objects": [{**read, "item_key": i, "object_key": o, "study_instance_uid": uid(n)} for n, i, o in keys],
        "outcomes": outcomes("wrap", of_item=True),
    }
    yield {
        "studies": [
            {"item_key": i, "object_key": o, "fingerprint": "assemble", "study_instance_uid": uid(n)} for n, i, o in keys
        ],
        "outcomes": outcomes("assemble", of_item=False),
    }
    evidence = json.dumps({"candidates": [CANDIDATE], "conflicts": []})
    yield {
        "links": [
            {"study_instance_uid": uid(n), "fingerprint": fingerprint(n), "decision": link, "evidence": evidence}
            for n, _, _ in keys
        ],
        "outcomes": outcomes("reconcile", of_item=False, outcome="review" if link == "review" else "done", prints=fingerprint),
    }


def put_studies(
    workspace: Workspace, numbers: range, fingerprint: Callable[[int], str], link: str = "review", source: str = "films"
) -> None:
    for tables in stages_of(numbers, fingerprint, link, source):
        commit(workspace, [put_rows(workspace, tables, action="test", at=AT)])


def first_print(number: int) -> str:
    return key_of("link", number) * 2


@pytest.fixture
def migration(tmp_path: Path) -> tuple[Path, Workspace]:
    (tmp_path / "scans").mkdir()
    file = tmp_path / "filmroom.toml"
    file.write_text('[project]\nname="sheets"\nworkspace="ws"\n[[source]]\nkind="film"\nname="films"\npath="scans"\n')
    workspace = open_workspace(tmp_path / "ws", "sheets", create=True)
    put_studies(workspace, range(STUDIES), first_print)
    return file, workspace


def recorded(file: Path) -> list[dict[str, Any]]:
    return json.loads(
        filmroom("query", "SELECT * FROM decisions ORDER BY commit, study_instance_uid", "-c", file, "--json").out
    )


def fill_xlsx(sheet: Path, kind: str, value: Any) -> None:
    book = openpyxl.load_workbook(sheet)
    heading = [cell.value for cell in book.worksheets[0][1]]
    for line in book.worksheets[0].iter_rows(min_row=2):
        for name, text in (("decision", kind), ("value", value), ("decided_by", "A. Reviewer"), ("decision_reason", "by eye")):
            line[heading.index(name)].value = text
    book.save(sheet)


def test_five_hundred_decisions_beside_a_run(migration: tuple[Path, Workspace], tmp_path: Path) -> None:
    file, workspace = migration
    put_studies(workspace, range(STUDIES, MANY), first_print)
    sheet = tmp_path / "queue.xlsx"
    assert filmroom("review", "export", sheet, "-c", file).code == 0
    assert sheet.stat().st_mode & 0o777 == 0o600
    fill_xlsx(sheet, "Link", "007")

    stop = threading.Event()

    def run() -> None:
        number = MANY
        while not stop.is_set():
            put_studies(workspace, range(number, number + 1), first_print)
            number += 1

    runner = threading.Thread(target=run)
    runner.start()
    first = filmroom("review", "import", sheet, "-c", file)
    again = filmroom("review", "import", sheet, "-c", file)
    stop.set()
    runner.join()

    assert (first.code, first.out.splitlines()[0]) == (0, "500 recorded, 0 in the record already, 0 refused")
    assert (again.code, again.out) == (0, "0 recorded, 500 in the record already, 0 refused\n")
    rows = recorded(file)
    assert sorted(row["study_instance_uid"] for row in rows) == sorted(uid(number) for number in range(MANY))
    assert {(row["decision"], row["value"], row["decided_by"], row["reason"]) for row in rows} == {
        ("link", "007", "A. Reviewer", "by eye")
    }
    assert filmroom("audit", "verify", "-c", file).code == 0


def test_undo_stands_beside_what_it_undoes(migration: tuple[Path, Workspace], tmp_path: Path) -> None:
    file, _ = migration
    sheet = tmp_path / "queue.xlsx"
    filmroom("review", "export", sheet, "-c", file)
    fill_xlsx(sheet, "link", 7)  # a number, as somebody types it
    filmroom("review", "import", sheet, "-c", file)
    filmroom("review", "decide", uid(3), "--undo", "--by", "B. Reviewer", "--reason", "slip", "-c", file)
    filmroom("review", "import", sheet, "-c", file)
    of_study = [row for row in recorded(file) if row["study_instance_uid"] == uid(3)]
    assert [(row["decision"], row["value"], row["decided_by"]) for row in of_study] == [
        ("link", "7", "A. Reviewer"),
        ("undo", "", "B. Reviewer"),
    ]


def test_a_stale_decision_is_refused_and_named_by_its_line(migration: tuple[Path, Workspace], tmp_path: Path) -> None:
    file, workspace = migration
    sheet = tmp_path / "queue.csv"
    filmroom("review", "export", sheet, "-c", file)
    put_studies(workspace, range(5, 6), lambda number: key_of("newer", number) * 2)
    frame = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    frame.loc[4:6, ["decision", "decision_reason"]] = ["nobody", "by eye"]
    frame.to_csv(sheet, sep=";", index=False)  # as a spreadsheet program saves it where the comma is the decimal point
    done = filmroom("review", "import", sheet, "-c", file, "--by", "A. Reviewer")
    assert (done.code, done.out.splitlines()[0]) == (1, "2 recorded, 0 in the record already, 1 refused")
    assert "line 7" in done.faults[0] and "changed since it was seen" in done.faults[0]
    assert [row["study_instance_uid"] for row in recorded(file)] == [uid(4), uid(6)]


@pytest.mark.parametrize(
    ("decision", "value", "reason", "line"),
    [
        ("link", "", "by eye", "needs a Patient ID"),
        ("nobody", "007", "by eye", "takes no value"),
        ("nobody", "", "", "does not say who decides and why"),
        ("perhaps", "", "by eye", "is none of link, new patient, nobody, undo"),
    ],
)
def test_what_is_incomplete_is_refused(
    migration: tuple[Path, Workspace], tmp_path: Path, decision: str, value: str, reason: str, line: str
) -> None:
    file, _ = migration
    sheet = tmp_path / "queue.csv"
    filmroom("review", "export", sheet, "-c", file)
    frame = pd.read_csv(sheet, dtype=str, keep_default_na=False)
    frame.loc[0, ["decision", "value", "decided_by", "decision_reason"]] = [decision, value, "A. Reviewer", reason]
    frame.to_csv(sheet, index=False)
    done = filmroom("review", "import", sheet, "-c", file)
    assert done.code == 1 and line in done.faults[0]
    assert recorded(file) == []


def test_nothing_in_a_sheet_is_run(migration: tuple[Path, Workspace], tmp_path: Path) -> None:
    file, _ = migration
    filmroom("review", "export", tmp_path / "queue.csv", "-c", file)
    filmroom("review", "export", tmp_path / "queue.xlsx", "-c", file)
    with (tmp_path / "queue.csv").open(encoding="utf-8-sig", newline="") as lines:
        cells = [cell for row in csv.reader(lines) for cell in row]
    assert "'+SMITH^ÅSA" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    page = openpyxl.load_workbook(tmp_path / "queue.xlsx").worksheets[0]
    assert {cell.data_type for row in page.iter_rows() for cell in row if cell.value is not None} == {"s"}
    frame = pd.read_excel(tmp_path / "queue.xlsx", dtype=object)
    assert set(frame["read_patient_id"]) == set(frame["candidate_1_patient_id"]) == {"007"}


def test_a_sheet_is_never_written_over(migration: tuple[Path, Workspace], tmp_path: Path) -> None:
    file, _ = migration
    sheet = tmp_path / "queue.csv"
    sheet.write_text("mine")
    done = filmroom("review", "export", sheet, "-c", file)
    assert done.code == 2 and "is there already" in done.faults[0]
    assert sheet.read_text() == "mine"


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"PK\x03\x04rubbish"])
@pytest.mark.parametrize("name", ["queue.csv", "queue.xlsx", "queue.ods"])
def test_what_is_no_sheet_is_told_in_one_line(
    migration: tuple[Path, Workspace], tmp_path: Path, name: str, content: bytes
) -> None:
    file, _ = migration
    (tmp_path / name).write_bytes(content)
    done = filmroom("review", "import", tmp_path / name, "-c", file)
    assert done.code == 2
    assert len(done.faults) == 1 and name in done.faults[0]


def test_the_columns_to_fill_in_are_named() -> None:
    assert COLUMNS[-5:] == ("decision", "value", "decided_by", "decision_reason", "answers")


@pytest.fixture
def automatic(tmp_path: Path) -> Path:
    """Two sources of links made automatically, and studies that wait for a person."""
    (tmp_path / "scans").mkdir()
    file = tmp_path / "filmroom.toml"
    file.write_text('[project]\nname="sheets"\nworkspace="ws"\n[[source]]\nkind="film"\nname="films"\npath="scans"\n')
    workspace = open_workspace(tmp_path / "ws", "sheets", create=True)
    put_studies(workspace, range(STUDIES), first_print)
    put_studies(workspace, range(100, 190), first_print, link="auto")
    put_studies(workspace, range(200, 202), first_print, link="auto", source="discs")
    return file


def checked(file: Path) -> dict[str, Any]:
    return json.loads(filmroom("status", "-c", file, "--json").out)["links"]


def drawn(file: Path, sheet: Path, size: int) -> list[str]:
    assert filmroom("review", "sample", sheet, "--size", size, "-c", file).code == 0
    return list(pd.read_csv(sheet, dtype=str, keep_default_na=False)["key"])


def test_a_sample_has_all_strata_and_goes_on_where_the_last_one_ended(automatic: Path, tmp_path: Path) -> None:
    first = drawn(automatic, tmp_path / "a.csv", 20)
    assert drawn(automatic, tmp_path / "b.csv", 20) == first
    numbers = [int(key[-3:]) for key in first]
    assert 20 <= len(first) <= 21 and {number // 100 for number in numbers} == {1, 2}
    frame = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    frame[["decision", "decision_reason"]] = ["right", "label read by eye"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert filmroom("review", "import", tmp_path / "a.csv", "--by", "A. Reviewer", "-c", automatic).code == 0
    assert not set(drawn(automatic, tmp_path / "c.csv", 20)) & set(first)


def test_the_rate_is_told_with_its_bound(automatic: Path, tmp_path: Path) -> None:
    assert checked(automatic) == {"checked": 0, "wrong": 0, "upper_bound": 1.0}
    drawn(automatic, tmp_path / "a.csv", 92)
    frame = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    frame[["decision", "decision_reason"]] = ["right", "label read by eye"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    filmroom("review", "import", tmp_path / "a.csv", "--by", "A. Reviewer", "-c", automatic)
    assert checked(automatic)["upper_bound"] == pytest.approx(1 - 0.05 ** (1 / 92), abs=1e-6)  # none wrong of 92, at 95%
    filmroom("review", "decide", uid(100), "--wrong", "--by", "B. Reviewer", "--reason", "another name", "-c", automatic)
    # Clopper and Pearson's one-sided bound for 1 of 92, by the binomial distribution itself: P(at most 1 of 92) = 5%.
    bound = checked(automatic)["upper_bound"]
    assert (1 - bound) ** 92 + 92 * bound * (1 - bound) ** 91 == pytest.approx(0.05, abs=1e-6)
    assert checked(automatic)["wrong"] == 1


def test_only_automatic_links_are_checked(automatic: Path) -> None:
    done = filmroom("review", "decide", uid(3), "--right", "--by", "A. Reviewer", "--reason", "by eye", "-c", automatic)
    assert done.code == 2 and "not linked automatically" in done.faults[0]
