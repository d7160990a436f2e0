"""Folded outcomes tell the same as the outcomes themselves, wherever in the history they were folded."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.workspace import folding
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.reading import open_views
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.states import Balance, balance
from tasks.workspace.views import fold
from tasks.workspace.writer import put_rows

AT = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("scan", "wrap", "reconcile", "load")


def _key(*parts: int) -> str:
    return "".join(f"{part:08x}" for part in parts).rjust(32, "0")


# One commit: for some items, an outcome under the item's own key or under one of its objects'.
_OUTCOMES = st.tuples(
    st.integers(1, 3), st.integers(0, 2), st.sampled_from(STAGES), st.sampled_from(("done", "review", "quarantined"))
)
_COMMITS = st.lists(st.lists(_OUTCOMES, min_size=1, max_size=5, unique_by=lambda row: row[:2]), min_size=1, max_size=6)


def _commit(workspace: Workspace, rows: Sequence[tuple[int, int, str, str]]) -> None:
    items, outcomes = [], []
    for item, number, stage, outcome in rows:
        key = _key(item, number) if number else _key(item)
        reason = "" if outcome == "done" else f"{outcome} by {stage}"
        outcomes.append(
            {"stage": stage, "key": key, "item_key": _key(item), "source": "s", "fingerprint": key, "outcome": outcome,
             "reason": reason}
        )  # fmt: skip
        items.append({"item_key": _key(item), "fingerprint": key, "source": "s", "kind": "film", "page": 1})
    commit(workspace, [put_rows(workspace, {"items": items, "outcomes": outcomes}, action="test", at=AT)])


def _told(workspace: Workspace) -> tuple[Balance, list[Any]]:
    with open_views(workspace) as connection:
        return balance(connection), connection.execute("SELECT * FROM item_states ORDER BY ALL").fetchall()


@given(commits=_COMMITS, folded=st.sets(st.integers(0, 5)))
@example([[(1, 0, "scan", "done"), (1, 1, "scan", "done"), (1, 2, "scan", "done")]], set())  # no object newer than the item
@example(
    [[(1, 0, "scan", "done"), (1, 1, "scan", "done"), (2, 1, "reconcile", "done")], [(2, 2, "wrap", "done")]], {0, 1}
)  # two objects as urgent as each other
@settings(max_examples=40)
def test_a_fold_anywhere_changes_no_state(commits: list[list[tuple[int, int, str, str]]], folded: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "LEAST_ROWS", 1)
        patch.setattr(folding, "GROWTH", 1_000_000)
        workspace = open_workspace(Path(folder) / "ws", "p", create=True)
        _commit(workspace, [(item, 0, "scan", "done") for item in (1, 2, 3)])  # every item was found before anything else
        for number, rows in enumerate(commits):
            _commit(workspace, rows)
            if number in folded:
                fold(workspace, read_snapshot(workspace.log))
        with_folds = _told(workspace)
        assert with_folds[0].balanced
        shutil.rmtree(workspace.derived, ignore_errors=True)
        assert _told(workspace) == with_folds


def test_a_fold_of_another_history_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "LEAST_ROWS", 1)
    one, other = (open_workspace(tmp_path / name, "p", create=True) for name in ("one", "other"))
    _commit(one, [(1, 0, "scan", "done"), (2, 0, "scan", "review")])
    fold(one, read_snapshot(one.log))
    assert folding.newest_fold(one, read_snapshot(one.log))
    _commit(other, [(3, 0, "scan", "quarantined")])
    shutil.copytree(one.derived, other.derived)
    assert folding.newest_fold(other, read_snapshot(other.log)) is None
    assert _told(other)[0].states["quarantined"] == 1


def test_it_is_folded_again_when_a_fortieth_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "LEAST_ROWS", 80)
    workspace = open_workspace(tmp_path / "ws", "p", create=True)

    def folded_at() -> list[int]:
        fold(workspace, read_snapshot(workspace.log))
        return sorted(int(folder.name.rpartition("-")[2]) for folder in workspace.derived.glob("*"))

    _commit(workspace, [(item, 0, "scan", "done") for item in range(79)])
    assert folded_at() == []
    _commit(workspace, [(100, 0, "scan", "done")])
    assert folded_at() == [2]
    _commit(workspace, [(101, 0, "scan", "done")])
    assert folded_at() == [2]
    _commit(workspace, [(102, 0, "scan", "done")])
    assert folded_at() == [2, 4]
