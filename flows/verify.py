"""`filmroom verify`: loaded objects are read back again, all or a sample; what is not as it was becomes a finding.

A sample is drawn by the hash of the log's head and the object's key: another one each time something was committed, and one
that can be drawn again from the record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from flows.embedded import embedded_pacs
from flows.stages import LOAD_VIEW
from tasks.configuration import Configuration
from tasks.load.aftercare import Change, look_again
from tasks.load.shipment import shipment_of
from tasks.load.target import peer_in, target_name
from tasks.stage import Row
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace
from tasks.workspace.lock import run_lock
from tasks.workspace.reading import open_views
from tasks.workspace.snapshot import read_snapshot
from tasks.workspace.writer import put_rows

SUITE = "aftercare"
_OBJECTS = 256  # read back and committed at a time
_SCALE = 1_000_000


@dataclass(frozen=True)
class Verified:
    """How many objects were looked at again, and how many of them are not as they were by kind of change."""

    objects: int
    changes: dict[str, int]


def verify(configuration: Configuration, workspace: Workspace, sample: float) -> Verified:
    """Looks at a share (0 to 1) of what is loaded.

    Raises `StageBlockedError` and `RetryLaterError` where the target does not answer; what was found until then is on record.
    """
    objects, changes = 0, dict[str, int]()
    with run_lock(workspace), embedded_pacs(configuration, workspace), open_views(workspace) as connection:
        head, standing = read_snapshot(workspace.log).head, _standing(connection)
        peer = peer_in(configuration, workspace.root)
        for rows in _loaded(connection, target_name(configuration), head, sample):
            shipments = [shipment_of(row) for row in rows]
            for shipment in shipments:
                shipment.sent_syntax = shipment.row["sent_syntax"]
            found = [(shipment.row, change) for shipment, change in look_again(peer, shipments)]
            looked_at = {row["object_key"]: row for row in rows}
            mended = [(looked_at[key], kind) for key, kind in standing if key in looked_at]
            _record(workspace, found, mended)
            objects += len(rows)
            for _, change in found:
                changes[change.kind] = changes.get(change.kind, 0) + 1
    return Verified(objects, changes)


def _standing(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(Object key, kind of change) of the findings of earlier looks."""
    sql = "SELECT object_key, expectation FROM findings WHERE suite = ? AND severity <> 'passed' ORDER BY ALL"
    return connection.execute(sql, [SUITE]).fetchall()


def _loaded(connection: duckdb.DuckDBPyConnection, target: str, head: str, sample: float) -> Iterator[list[dict[str, Any]]]:
    cursor = connection.execute(
        f"""
        SELECT v.*, r.sent_syntax FROM ({LOAD_VIEW}) v JOIN receipts r USING (object_key, sop_instance_uid)
        WHERE r.verified AND r.target = ? AND r.sent_header_sha256 = v.header_sha256
          AND md5_number_lower(? || v.object_key) % {_SCALE} < ?
        ORDER BY v.study_instance_uid, v.sop_instance_uid""",
        [target, head, round(sample * _SCALE)],
    )
    names = [column[0] for column in cursor.description or ()]
    while rows := cursor.fetchmany(_OBJECTS):
        yield [dict(zip(names, row, strict=True)) for row in rows]


def _record(workspace: Workspace, found: Sequence[tuple[Row, Change]], standing: Sequence[tuple[Row, str]]) -> None:
    """Commits what was found, and that what an earlier look found is so no longer."""
    rows = {(row["object_key"], kind): _finding(row, kind, "passed", "is as it was loaded again") for row, kind in standing}
    rows |= {(row["object_key"], one.kind): _finding(row, one.kind, "blocking", one.message) for row, one in found}
    if rows:
        commit(workspace, [put_rows(workspace, {"findings": list(rows.values())}, action="verify", at=datetime.now(UTC))])


def _finding(row: Row, kind: str, severity: str, message: str) -> dict[str, Any]:
    return {
        "study_instance_uid": row["study_instance_uid"],
        "object_key": row["object_key"],
        "fingerprint": row["validate_fingerprint"],
        "suite": SUITE,
        "expectation": kind,
        "severity": severity,
        "sop_instance_uid": row["sop_instance_uid"],
        "message": message,
    }
