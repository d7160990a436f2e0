"""Decisions of people, checked against what they answer and committed like any other rows, all or those that may be.

A decision names the fingerprint of the link that was seen. It is refused where that link has changed since, and done nothing
about where the record has the same decision already, so that a sheet can be sent in twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from tasks.configuration import Configuration
from tasks.errors import ConfigurationError
from tasks.workspace.clerical import CHECKS
from tasks.workspace.commit import commit
from tasks.workspace.layout import Workspace
from tasks.workspace.reading import open_views
from tasks.workspace.writer import put_rows

WITH_VALUE = ("link", "new patient")  # the value is a Patient ID
WITHOUT_VALUE = ("nobody", "undo")


@dataclass(frozen=True)
class Decision:
    """What a person decided about a study; `decision` as in the `decisions` table.

    `answers` is the fingerprint of the link that was seen, `None` where it is not told.
    """

    study_instance_uid: str
    decision: str
    value: str
    decided_by: str
    reason: str
    answers: str | None


@dataclass(frozen=True)
class Recorded:
    """The commit of the decisions that were recorded (`None`: of none), how many, and by place in the list: which the record
    had already, and why others were refused.
    """

    commit: int | None
    recorded: int
    known: tuple[int, ...]
    refused: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class _Study:
    """Fingerprint of the study's link, whether it was made automatically, whether the study is in the PACS."""

    fingerprint: str | None
    is_automatic: bool
    is_loaded: bool


def decide(configuration: Configuration, workspace: Workspace, decision: Decision) -> int | None:
    """Commits one decision and gives back the commit's number, `None` where the record has it already.

    Raises `ConfigurationError` where it is refused, see `record`.
    """
    done = record(configuration, workspace, [decision])
    if done.refused:
        raise ConfigurationError(done.refused[0][1])
    return done.commit


def record(configuration: Configuration, workspace: Workspace, decisions: Sequence[Decision]) -> Recorded:
    """Commits, under one number, the decisions that may stand.

    Refused is what is incomplete, of an unknown study, about a study that is loaded, stale, or the second about a study.
    """
    with open_views(workspace) as connection:
        seen = _seen(connection, decisions)
    refused: list[tuple[int, str]] = []
    known: list[int] = []
    accepted: dict[str, tuple[Decision, str]] = {}
    for number, decision in enumerate(decisions):
        study, is_known = seen[number]
        if is_known:
            known.append(number)
        elif why := _objection(decision, study):
            refused.append((number, why))
        elif decision.study_instance_uid in accepted:
            refused.append((number, f"{decision.study_instance_uid} is decided about twice: say once what holds"))
        else:
            accepted[decision.study_instance_uid] = decision, study.fingerprint or ""
    commit_number = _committed(configuration, workspace, list(accepted.values())) if accepted else None
    return Recorded(commit_number, len(accepted), tuple(known), tuple(refused))


def _objection(decision: Decision, study: _Study) -> str | None:
    uid = decision.study_instance_uid
    if decision.decision not in WITH_VALUE + WITHOUT_VALUE + CHECKS:
        return f"a decision about {uid} is none of {', '.join(WITH_VALUE + WITHOUT_VALUE + CHECKS)}"
    if (decision.decision in WITH_VALUE) != bool(decision.value):
        needs = "needs a Patient ID as its value" if decision.decision in WITH_VALUE else "takes no value"
        return f"{decision.decision!r} about {uid} {needs}"
    if not decision.decided_by or not decision.reason:
        return f"the decision about {uid} does not say who decides and why"
    if study.fingerprint is None:
        return f"no link to decide about for {uid}: see filmroom review list"
    if decision.decision in CHECKS and not study.is_automatic:
        return f"{uid} is not linked automatically: {decision.decision!r} is said of such links"
    if study.is_loaded and decision.decision not in CHECKS:
        return f"{uid} is in the PACS: withdraw it there first"
    if decision.answers is not None and decision.answers != study.fingerprint:
        return f"the link of {uid} changed since it was seen: look at it again with filmroom review show"
    return None


def _seen(connection: duckdb.DuckDBPyConnection, decisions: Sequence[Decision]) -> list[tuple[_Study, bool]]:
    """Of each decision: how its study stands, and whether the record has the decision.

    One without `answers` is never had: it may be meant again.
    """
    names = ("study_instance_uid", "decision", "value", "decided_by", "reason", "answers")
    columns = {name: pa.array([getattr(decision, name) for decision in decisions], pa.string()) for name in names}
    connection.register("given", pa.table({"number": pa.array(range(len(decisions)), pa.int64()), **columns}))
    rows = connection.execute(f"""
        WITH loaded AS (SELECT DISTINCT study_instance_uid FROM objects WHERE state = 'verified')
        SELECT l.fingerprint, coalesce(l.decision = 'auto', false), g.study_instance_uid IN (FROM loaded),
               EXISTS (SELECT 1 FROM decisions d WHERE {" AND ".join(f"d.{name} = g.{name}" for name in names)})
        FROM given g LEFT JOIN links l USING (study_instance_uid) ORDER BY g.number""").fetchall()
    connection.unregister("given")
    return [(_Study(*study), bool(is_known)) for *study, is_known in rows]


def _committed(configuration: Configuration, workspace: Workspace, accepted: Sequence[tuple[Decision, str]]) -> int:
    at = datetime.now(UTC)
    by_person: dict[str, list[dict[str, object]]] = {}
    for decision, fingerprint in accepted:
        row = {
            "study_instance_uid": decision.study_instance_uid,
            "decided_at": configuration.project.now or at,
            "decision": decision.decision,
            "value": decision.value,
            "decided_by": decision.decided_by,
            "reason": decision.reason,
            "answers": fingerprint,
        }
        by_person.setdefault(decision.decided_by, []).append(row)
    pieces = [put_rows(workspace, {"decisions": rows}, action="decide", actor=who, at=at) for who, rows in by_person.items()]
    return commit(workspace, pieces).number
