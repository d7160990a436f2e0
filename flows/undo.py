"""`filmroom undo` and `filmroom release`: what was loaded is taken back out of the PACS, and later let go there again.

An undo is a commit of its own a thousand objects: a decision of the person's, and for each object that is proved to be gone an
outcome `withdrawn` and a receipt that says how. Until a person releases its study, an object is not sent again, whatever else
changes. What was cut off anywhere is simply done again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any

import duckdb

from flows.embedded import embedded_pacs
from tasks.configuration import Configuration, DimseTarget
from tasks.errors import ConfigurationError
from tasks.load.orthanc import delete_in_orthanc
from tasks.load.target import peer_in, target_name
from tasks.load.withdraw import Delete, delete_objects, loaded_of, reject_objects
from tasks.network import Peer
from tasks.pixel_data import read_data_set
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace
from tasks.workspace.lock import run_lock
from tasks.workspace.reading import open_views
from tasks.workspace.writer import put_rows

DELETE = "delete"
_STUDIES, _OBJECTS = 200, 1000  # read at a time; committed at a time, but whole studies


@dataclass(frozen=True)
class Selection:
    """A wave by name, or a study by its UID (the other one is empty), and who says so and why."""

    wave: str
    study: str
    decided_by: str
    reason: str

    @property
    def name(self) -> str:
        """As a person knows it."""
        return f"wave {self.wave!r}" if self.wave else f"study {self.study}"


@dataclass(frozen=True)
class Undone:
    """How many objects were withdrawn, and how many the target still shows: those stay `verified`."""

    withdrawn: int
    still_there: int


def undo(configuration: Configuration, workspace: Workspace, selection: Selection, how: str) -> Undone:
    """Withdraws what stands in the PACS of a wave or study; `how` is `delete` or the code of a rejection note's title.

    Raises `ConfigurationError` where nothing of it is loaded or the target cannot delete, `StageBlockedError` and
    `RetryLaterError` where the target does not answer.
    """
    withdrawn = still = 0
    with run_lock(workspace), embedded_pacs(configuration, workspace) as pacs, open_views(workspace) as connection:
        delete = pacs.delete if pacs else _delete_by(configuration)
        if how == DELETE and delete is None:
            raise ConfigurationError("the target cannot delete: name [target] orthanc, or reject with --note")
        studies = _studies_of(connection, selection, target_name(configuration))
        peer = peer_in(configuration, workspace.root)
        for rows in _pieces(connection, studies, selection, target_name(configuration)):
            there = _taken_back(peer, rows, how, delete, configuration)
            gone = [row for row in rows if row["sop_instance_uid"] not in there]
            _record(configuration, workspace, selection, how, gone)
            withdrawn, still = withdrawn + len(gone), still + len(there)
    return Undone(withdrawn, still)


def release(configuration: Configuration, workspace: Workspace, selection: Selection) -> int:
    """Lets withdrawn objects of a wave or study go into the PACS again; gives back how many studies.

    Raises `ConfigurationError` where nothing of it is withdrawn.
    """
    with open_views(workspace) as connection:
        found = connection.execute(
            """
            SELECT DISTINCT s.study_instance_uid
            FROM withdrawals w JOIN raw_receipts r USING (object_key, commit) JOIN studies s USING (object_key)
            WHERE w.released IS NULL AND r.target = $3 AND (r.wave = $1 OR s.study_instance_uid = $2) ORDER BY 1""",
            [selection.wave or None, selection.study or None, target_name(configuration)],
        ).fetchall()
    if not found:
        raise ConfigurationError(f"nothing of {selection.name} is withdrawn: see filmroom status")
    decisions = [_decision(configuration, selection, uid, "release", "") for (uid,) in found]
    at = datetime.now(UTC)
    commit(workspace, [put_rows(workspace, {"decisions": decisions}, action="release", actor=selection.decided_by, at=at)])
    return len(found)


_LOADED = """
    FROM receipts r JOIN headers h USING (object_key) JOIN studies s USING (object_key)
    WHERE r.verified AND r.target = $3 AND (r.wave = $1 OR h.study_instance_uid = $2)"""


def _studies_of(connection: duckdb.DuckDBPyConnection, selection: Selection, target: str) -> list[str]:
    values = [selection.wave or None, selection.study or None, target]
    found = connection.execute(f"SELECT DISTINCT h.study_instance_uid {_LOADED} ORDER BY 1", values).fetchall()
    if not found:
        raise ConfigurationError(f"nothing of {selection.name} is in the PACS: see filmroom status")
    return [uid for (uid,) in found]


def _pieces(
    connection: duckdb.DuckDBPyConnection, studies: Sequence[str], selection: Selection, target: str
) -> Iterator[list[dict[str, Any]]]:
    """Rows of loaded objects, some whole studies at a time."""
    for first in range(0, len(studies), _STUDIES):
        cursor = connection.execute(
            f"""
            SELECT r.*, h.study_instance_uid, s.series_instance_uid, h.header, b.sop_class_uid, b.pixel_sha256, i.source
            FROM (SELECT r.*, h.study_instance_uid AS study {_LOADED}) r
            JOIN headers h USING (object_key) JOIN studies s USING (object_key) JOIN wrapped b USING (object_key)
            JOIN items i ON i.item_key = h.item_key
            WHERE r.study IN (SELECT unnest($4)) ORDER BY r.study, r.sop_instance_uid""",
            [selection.wave or None, selection.study or None, target, list(studies[first : first + _STUDIES])],
        )
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        piece: list[dict[str, Any]] = []
        for _, study in groupby(rows, key=lambda row: row["study_instance_uid"]):
            piece += study
            if len(piece) >= _OBJECTS:
                yield piece
                piece = []
        if piece:
            yield piece


def _delete_by(configuration: Configuration) -> Delete | None:
    target = configuration.target
    if isinstance(target, DimseTarget) and target.orthanc:
        return partial(delete_in_orthanc, target.orthanc, target.credentials)
    return None


def _taken_back(
    peer: Peer, rows: Sequence[dict[str, Any]], how: str, delete: Delete | None, configuration: Configuration
) -> set[str]:
    """SOP Instance UIDs of those that the target still shows."""
    if how == DELETE and delete:
        return delete_objects(peer, loaded_of(rows), delete)
    there: set[str] = set()
    for _, study in groupby(rows, key=lambda row: row["study_instance_uid"]):
        members = list(study)
        header, at = read_data_set(members[0]["header"]), configuration.project.now or datetime.now(UTC)
        there |= reject_objects(peer, loaded_of(members), how, header, at)
    return there


def _record(
    configuration: Configuration, workspace: Workspace, selection: Selection, how: str, gone: Sequence[dict[str, Any]]
) -> None:
    if not gone:
        return
    reason = "withdrawn by delete" if how == DELETE else f"withdrawn by rejection note {how}"
    receipt_names = ("target", "sop_instance_uid", "object_key", "item_key", "fingerprint", "wave", "sent_at", "sent_syntax")
    tables = {
        "decisions": [
            _decision(configuration, selection, uid, "withdraw", how)
            for uid in dict.fromkeys(row["study_instance_uid"] for row in gone)
        ],
        "outcomes": [
            {
                "stage": "load",
                "key": row["object_key"],
                "item_key": row["item_key"],
                "fingerprint": row["fingerprint"],
                "source": row["source"],
                "outcome": "withdrawn",
                "reason": f"{reason}, proved by query: waits until a person releases it",
            }
            for row in gone
        ],
        "receipts": [
            {**{name: row[name] for name in receipt_names}, "coerced": json.dumps([]), "verified": False, "withdrawn": how}
            for row in gone
        ],
    }
    piece = put_rows(workspace, tables, action="undo", actor=selection.decided_by, at=datetime.now(UTC))
    commit(workspace, [piece])


def _decision(configuration: Configuration, selection: Selection, study: str, decision: str, value: str) -> dict[str, Any]:
    return {
        "study_instance_uid": study,
        "decided_at": configuration.project.now or datetime.now(UTC),
        "decision": decision,
        "value": value,
        "decided_by": selection.decided_by,
        "reason": selection.reason,
    }
