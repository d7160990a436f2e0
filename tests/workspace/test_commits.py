"""Commits: all or none, two writers never lose one, checkpoints and merges change no row that is read."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.engine.merging import FILES_A_TIER, merge_small_files
from tasks.errors import RunActiveError, WorkspaceError
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.lock import run_lock
from tasks.workspace.manifest import CHECKPOINT_EVERY, place
from tasks.workspace.reading import open_views
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.writer import put_rows

AT = datetime(2026, 1, 1, tzinfo=UTC)


def decision(number: int, writer: str = "w") -> dict[str, object]:
    return {"study_instance_uid": f"2.25.{number}", "decided_at": AT, "decision": "nobody", "decided_by": writer, "reason": "r"}


def write(workspace: Workspace, writer: str, count: int) -> None:
    for number in range(count):
        commit(workspace, [put_rows(workspace, {"decisions": [decision(number, writer)]}, action="decide", at=AT)])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "ws", "test", create=True)


def test_place_puts_down_only_once(tmp_path: Path) -> None:
    assert place(tmp_path / "1", b"first")
    assert not place(tmp_path / "1", b"second")
    assert (tmp_path / "1").read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


def test_two_writers_lose_nothing(workspace: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(workspace, name, 40)) for name in ("a", "b")]
    for process in writers:
        process.start()
    for process in writers:
        process.join(120)
        assert process.exitcode == 0
    with open_views(workspace) as connection:
        rows = connection.execute("SELECT decided_by, count(*) FROM decisions GROUP BY 1 ORDER BY 1").fetchall()
        sequence = connection.execute("SELECT min(seq), max(seq), count(DISTINCT seq) FROM audit").fetchone()
    assert rows == [("a", 40), ("b", 40)]
    assert sequence == (1, 80, 80)


def test_what_no_manifest_names_does_not_count(workspace: Workspace) -> None:
    put_rows(workspace, {"decisions": [decision(1)]}, action="decide", at=AT)
    with open_views(workspace) as connection:
        assert connection.execute("SELECT count(*) FROM decisions").fetchone() == (0,)


def test_a_gap_ends_the_run_of_numbers(workspace: Workspace) -> None:
    write(workspace, "a", 3)
    (workspace.log / "0000000002.parquet").rename(workspace.root / "aside")
    assert read_snapshot(workspace.log).number == 1


def test_merging_changes_no_row(workspace: Workspace) -> None:
    write(workspace, "a", FILES_A_TIER + 1)
    read = "SELECT * FROM decisions ORDER BY ALL"
    ledger = "SELECT * FROM audit ORDER BY seq"
    with open_views(workspace) as connection:
        before = connection.execute(read).fetchall(), connection.execute(ledger).fetchall()
    snapshot = merge_small_files(workspace, read_snapshot(workspace.log))
    assert len(snapshot.of_table("decisions")) == 1
    with open_views(workspace) as connection:
        assert (connection.execute(read).fetchall(), connection.execute(ledger).fetchall()) == before


def test_a_reader_starts_from_the_newest_checkpoint(workspace: Workspace) -> None:
    write(workspace, "a", CHECKPOINT_EVERY + 2)
    whole = read_snapshot(workspace.log)
    for number in range(1, CHECKPOINT_EVERY):
        (workspace.log / f"{number:010d}.parquet").unlink()
    assert read_snapshot(workspace.log) == whole
    assert len(whole.of_table("decisions")) == CHECKPOINT_EVERY + 2


def test_another_migrations_workspace_is_refused(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="of migration 'test', not of 'other'"):
        open_workspace(workspace.root, "other")


def test_one_run_at_a_time(workspace: Workspace) -> None:
    with run_lock(workspace), pytest.raises(RunActiveError, match=r"host .*, pid \d+, since 20"), run_lock(workspace):
        pass
