"""`filmroom review`: the reviewer's side."""

import argparse
import json
import sys
from pathlib import Path

from flows.commands.opened import opened, plain
from tasks.workspace.reading import open_views


def review_list(options: argparse.Namespace) -> int:
    """`filmroom review list`."""
    from flows.review.desk import waiting

    _, workspace = opened(options)
    with open_views(workspace) as connection:
        rows = waiting(connection)
    if options.json:
        print(json.dumps(rows, default=plain, indent=1))
    for row in rows if not options.json else ():
        print(f"{row['key']}  {row['items']:>3} item(s)  {row['stage']:<10} {row['reason']}")
    return 0


def review_show(options: argparse.Namespace) -> int:
    """`filmroom review show KEY`."""
    from flows.review.desk import shown

    _, workspace = opened(options)
    with open_views(workspace) as connection:
        print(json.dumps(shown(connection, options.key), default=plain, indent=1, ensure_ascii=False))
    return 0


def review_decide(options: argparse.Namespace) -> int:
    """`filmroom review decide KEY`."""
    from flows.review.decisions import Decision, decide

    configuration, workspace = opened(options)
    choices = {"link": options.link, "new patient": options.new_patient, "nobody": options.nobody, "undo": options.undo,
               "right": options.right, "wrong": options.wrong}  # fmt: skip
    name, value = next((name, value) for name, value in choices.items() if value)
    decision = Decision(options.key, name, value if isinstance(value, str) else "", options.by, options.reason, options.answers)
    number = decide(configuration, workspace, decision)
    print("the record has this decision already" if number is None else _decided(number))
    return 0


def _decided(commit: int) -> str:
    return f"decided, commit {commit}: it takes effect with the next filmroom run"


def review_export(options: argparse.Namespace) -> int:
    """`filmroom review export FILE`."""
    from flows.review.sheets import write_queue

    _, workspace = opened(options)
    with open_views(workspace) as connection:
        rows = write_queue(connection, options.file)
    print(_written(rows, options.file))
    return 0


def review_sample(options: argparse.Namespace) -> int:
    """`filmroom review sample FILE`."""
    from flows.review.sheets import write_sample

    _, workspace = opened(options)
    with open_views(workspace) as connection:
        rows = write_sample(connection, options.file, options.size)
    print(_written(rows, options.file))
    return 0


def _written(rows: int, file: Path) -> str:
    return f"{rows} rows written to {file}: it holds patients, keep it as the workspace is kept"


def review_import(options: argparse.Namespace) -> int:
    """`filmroom review import FILE`."""
    from flows.review.decisions import record
    from flows.review.sheets import read_sheet

    configuration, workspace = opened(options)
    found = read_sheet(options.file, options.by)
    done = record(configuration, workspace, [decision for _, decision in found])
    for number, why in done.refused:
        print(f"filmroom: line {found[number][0]}: {why}", file=sys.stderr)
    print(f"{done.recorded} recorded, {len(done.known)} in the record already, {len(done.refused)} refused")
    if done.commit is not None:
        print(_decided(done.commit))
    return 1 if done.refused else 0
