"""`filmroom audit`: the auditor's side."""

import argparse
import json

from flows.commands.opened import opened, plain
from tasks.workspace.reading import open_views


def audit_verify(options: argparse.Namespace) -> int:
    """`filmroom audit verify`."""
    from tasks.audit.verify import verify

    _, workspace = opened(options)
    report = verify(workspace, options.head)
    for line in report.faults:
        print(f"FAIL  {line}")
    for path in report.unnamed:
        print(f"note  {path}: no manifest names it; it does not count")
    verdict = "broken" if report.faults else "whole"
    print(f"{verdict}: {report.rows} rows, {report.events} events, head {report.number} {report.head}")
    return 1 if report.faults else 0


def audit_show(options: argparse.Namespace) -> int:
    """`filmroom audit show KEY`."""
    from flows.review.desk import history

    _, workspace = opened(options)
    with open_views(workspace) as connection:
        for event in history(connection, options.key):
            print(json.dumps(event, default=plain, ensure_ascii=False))
    return 0
