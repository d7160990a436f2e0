"""Whatever is changed by hand in a workspace is found, and its place is named."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.engine.merging import FILES_A_TIER, merge_small_files
from tasks.audit.verify import verify
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.writer import put_rows

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace of some commits, some of them merged."""
    made = open_workspace(tmp_path / "ws", "test", create=True)
    for number in range(FILES_A_TIER + 3):
        rows = [
            {"study_instance_uid": f"2.25.{number}{i}", "decided_at": AT, "decision": "link", "value": str(i), "reason": "r"}
            for i in range(3)
        ]
        commit(made, [put_rows(made, {"decisions": rows}, action="decide", actor="somebody", at=AT)])
        if number == FILES_A_TIER:
            merge_small_files(made, read_snapshot(made.log))
    return made


def committed_files(workspace: Workspace) -> list[Path]:
    live = [workspace.root / path for path in read_snapshot(workspace.log).files]
    return sorted([*live, *workspace.log.glob("[0-9]*.parquet")])


def test_a_whole_record_is_whole(workspace: Workspace) -> None:
    report = verify(workspace)
    assert report.faults == []
    assert report.rows == report.events == 3 * (FILES_A_TIER + 3)


def test_any_byte_changed_is_found_and_its_file_named(workspace: Workspace) -> None:
    chosen = random.Random(1)
    for path in committed_files(workspace):
        data = path.read_bytes()
        place = chosen.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        faults = verify(workspace).faults
        path.write_bytes(data)
        number = int(path.stem) if path.parent == workspace.log else None
        following = f"log/{number + 1:010d}.parquet" if number else ""
        assert any(path.name in fault or (following and following in fault) or "log/HEAD" in fault for fault in faults), path
    assert verify(workspace).faults == []


def test_a_cell_rewritten_with_a_valid_file_is_found(workspace: Workspace) -> None:
    path = next(path for path in committed_files(workspace) if path.parent.name == "decisions")
    table = pq.read_table(path)
    values = table["value"].to_pylist()
    place = table.schema.get_field_index("value")
    pq.write_table(table.set_column(place, "value", pa.array(["999", *values[1:]])), path, compression="zstd")
    assert any(path.name in fault for fault in verify(workspace).faults)


def test_a_missing_data_file_is_named(workspace: Workspace) -> None:
    for path in committed_files(workspace):
        aside = path.rename(path.with_suffix(".aside"))
        assert any(path.name in fault or "log/HEAD" in fault for fault in verify(workspace).faults), path
        aside.rename(path)


def test_a_cut_off_tail_is_found_even_with_its_head(workspace: Workspace) -> None:
    kept = read_snapshot(workspace.log).head
    newest = sorted(workspace.log.glob("[0-9]*.parquet"))[-2:]
    for path in newest:
        path.unlink()
    assert any(newest[0].name in fault for fault in verify(workspace).faults)
    (workspace.log / "HEAD").unlink()
    assert verify(workspace).faults
    assert any("cut off" in fault for fault in verify(workspace, kept).faults)


def test_files_no_manifest_names_are_listed_not_failed(workspace: Workspace) -> None:
    stray = put_rows(workspace, {"decisions": [{"study_instance_uid": "2.25.1"}]}, action="decide", at=AT)
    report = verify(workspace)
    assert report.faults == []
    assert sorted(report.unnamed) == sorted(file.path for file in stray.files)
