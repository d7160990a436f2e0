"""From failed rules to findings and outcomes: what holds a study back, what is worth knowing, what is known to be clean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.stage import Outcome, Row

Severity = Literal["blocking", "warning"]


@dataclass(frozen=True)
class Rule:
    """One expectation of a suite, as far as people see it.

    `name` is unique in its suite; `column` is the keyword it looks at; `why` says what is wrong when it fails, `mend` what to
    do about it. Neither carries a value of the header: findings are read beside keys and counts.
    """

    suite: str
    name: str
    severity: Severity
    column: str
    why: str
    mend: str


@dataclass(frozen=True)
class Failure:
    """A rule that failed, and the keys of the objects it failed for."""

    rule: Rule
    object_keys: tuple[str, ...]


def outcomes_of_study(members: Sequence[Row], failures: Sequence[Failure], suites: Sequence[str]) -> Iterator[Outcome]:
    """One outcome for each member of a study, with its findings; the `passed` rows stand with the first member.

    `failures` may name objects of other studies. A blocking finding for one member holds the whole study back: half a study in
    the PACS is a study that looks whole.
    """
    keys = {row["object_key"] for row in members}
    own = [Failure(failure.rule, tuple(key for key in failure.object_keys if key in keys)) for failure in failures]
    own = [failure for failure in own if failure.object_keys]
    reason = blocking_reason(own)
    clean = [suite for suite in suites if suite not in {failure.rule.suite for failure in own}]
    for position, row in enumerate(members):
        rows = [_finding(row, failure.rule) for failure in own if row["object_key"] in failure.object_keys]
        if position == 0:
            rows += [_passed(row, suite) for suite in clean]
        yield Outcome(
            key=row["object_key"],
            item_key=row["item_key"],
            outcome="review" if reason else "done",
            reason=reason,
            rows={"findings": rows} if rows else {},
        )


def blocking_reason(failures: Sequence[Failure]) -> str:
    """The reason a study is held back, with the number of its objects each rule failed for; empty: nothing blocks."""
    counts: Mapping[str, int] = {
        failure.rule.name: len(failure.object_keys) for failure in failures if failure.rule.severity == "blocking"
    }
    if not counts:
        return ""
    named = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
    return f"blocking finding{'s' if len(counts) > 1 else ''}: {named}"


def _finding(row: Row, rule: Rule) -> dict[str, Any]:
    return {
        "study_instance_uid": row["study_instance_uid"],
        "object_key": row["object_key"],
        "suite": rule.suite,
        "expectation": rule.name,
        "severity": rule.severity,
        "sop_instance_uid": row["sop_instance_uid"],
        "column": rule.column,
        "message": f"{rule.why} {rule.mend}",
    }


def _passed(row: Row, suite: str) -> dict[str, Any]:
    return {
        "study_instance_uid": row["study_instance_uid"],
        "object_key": "",
        "suite": suite,
        "expectation": "",
        "severity": "passed",
        "message": "nothing found",
    }
