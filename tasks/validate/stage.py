"""Validate, but for the rules themselves: frame, findings, outcomes.

The suites and what applies them live above this package (`expectations`), which gives them in as a function; see
`expectations.stage` for the stage as the engine calls it.
"""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from tasks.stage import Outcome, Row, StageContext
from tasks.validate.conformance import SUITE, iod_failures
from tasks.validate.findings import Failure, outcomes_of_study
from tasks.validate.frame import header_frame

Apply = Callable[[pd.DataFrame, Sequence[str]], Sequence[Failure]]


def validate_with(apply: Apply, batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Checks whole studies (VALIDATE_VIEW rows) with `apply(frame, suites)`; yields an outcome for every row.

    No rule may look across studies: which studies share a batch is chance, and must not show in the findings.
    """
    suites = context.configuration.validate_.suites
    headers = header_frame(batch, context.now())
    failures = [*apply(headers.frame, [name for name in suites if name != SUITE])]
    if SUITE in suites:
        failures += iod_failures(batch)
    for members in studies_of(batch):
        if any(row["object_key"] in headers.unreadable for row in members):
            yield from _unreadable(members)
        else:
            yield from outcomes_of_study(members, failures, suites)


def studies_of(batch: Sequence[Row]) -> list[list[Row]]:
    """The rows by study, in the order of first appearance."""
    studies: dict[str, list[Row]] = {}
    for row in batch:
        studies.setdefault(row["study_instance_uid"], []).append(row)
    return list(studies.values())


def _unreadable(members: Sequence[Row]) -> Iterator[Outcome]:
    reason = "a final header of this study cannot be read as a data set: run again with --redo reconcile"
    for row in members:
        yield Outcome(key=row["object_key"], item_key=row["item_key"], outcome="quarantined", reason=reason)
