"""The analyst's commands: a migration is made, run, looked at, taken back. None but `run` imports Prefect."""

import argparse
import errno
import json
import shutil
import signal
import sqlite3
import sys
import threading
from importlib import resources
from pathlib import Path

from flows.commands.opened import opened, plain
from tasks.configuration import read_configuration
from tasks.errors import ConfigurationError, StageBlockedError
from tasks.workspace.clerical import clerical_check
from tasks.workspace.reading import open_views
from tasks.workspace.states import Balance, balance

FULL_BELOW = 2**20  # bytes free; a database fails before the last of them is written


def init(options: argparse.Namespace) -> int:
    """`filmroom init DIR`."""
    folder: Path = options.folder
    file = folder / "filmroom.toml"
    if file.exists():
        raise ConfigurationError(f"{file}: is there already: choose another folder")
    (folder / "scans").mkdir(parents=True, exist_ok=True)
    (folder / "media").mkdir(exist_ok=True)
    file.write_text(resources.files("flows").joinpath("template.toml").read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{file}: written. Fill in scans/ and media/, correct it, then: filmroom doctor -c {file}")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """`filmroom doctor`."""
    from flows.doctor import checks

    failed = False
    for check in checks(read_configuration(options.configuration)):
        failed = failed or not check.fine
        print(f"{'ok  ' if check.fine else 'FAIL'}  {check.what}{'' if check.fine else ': ' + check.mend}")
    return 1 if failed else 0


def film(options: argparse.Namespace) -> int:
    """`filmroom film FILE`."""
    from flows.engine.quiet import silence
    from flows.film import examine, printed, save_objects

    silence()
    examined = examine(options.file, options.configuration)
    if options.json:
        pages = [{"page": page.page, "outcome": page.outcome, "reason": page.reason, **page.facts} for page in examined]
        print(json.dumps(pages, default=plain, indent=1, ensure_ascii=False))
    else:
        print("\n".join(printed(page) for page in examined))
    for path in save_objects(options.file, examined, options.out) if options.out else ():
        print(f"written: {path}", file=sys.stderr if options.json else sys.stdout)
    return 0 if all(page.outcome in ("done", "excluded") for page in examined) else 1


def run(options: argparse.Namespace) -> int:
    """`filmroom run`."""
    import duckdb

    from flows.delta import ask_again, printed
    from flows.run import run as run_stages
    from flows.show import ProgressBars

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for delta in ask_again(options.configuration) if options.delta else ():
            print(printed(delta))
        with ProgressBars() as bars:
            result = run_stages(options.configuration, tuple(options.stage), options.limit, bars.show, options.wave)
    except (OSError, duckdb.IOException, sqlite3.OperationalError) as error:
        raise StageBlockedError(_full_or_broken(options.configuration, error)) from error
    print_balance(result.balance)
    print(f"head: {result.number} {result.head}")
    if result.report:
        print(f"report: {result.report}")
    for stage, line in sorted(result.blocked.items()):
        print(f"filmroom: {stage}: {line}", file=sys.stderr)
    return 1 if result.blocked else 0


def _full_or_broken(configuration_file: Path, error: Exception) -> str:
    """What to mend of the disk that the workspace is on; databases do not say in numbers what they stumbled over."""
    workspace = read_configuration(configuration_file).project.workspace
    free = shutil.disk_usage(next(folder for folder in (workspace, *workspace.parents) if folder.is_dir())).free
    if free < FULL_BELOW or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return f"no space left on the disk of {workspace}: free some, then run again"
    what = error.strerror if isinstance(error, OSError) else type(error).__name__
    return f"{workspace} cannot be read or written ({what}): mend its disk or permissions, then run again"


def undo(options: argparse.Namespace) -> int:
    """`filmroom undo`."""
    from flows.undo import DELETE, Selection, undo

    configuration, workspace = opened(options)
    selection = Selection(options.wave, options.study, options.by, options.reason)
    undone = undo(configuration, workspace, selection, options.note or DELETE)
    print(f"{undone.withdrawn} objects of {selection.name} withdrawn; they wait for filmroom release")
    if undone.still_there:
        print(f"filmroom: the target still shows {undone.still_there} objects: withdraw them otherwise", file=sys.stderr)
    return 1 if undone.still_there else 0


def release(options: argparse.Namespace) -> int:
    """`filmroom release`."""
    from flows.undo import Selection, release

    configuration, workspace = opened(options)
    selection = Selection(options.wave, options.study, options.by, options.reason)
    studies = release(configuration, workspace, selection)
    print(f"{studies} studies of {selection.name} released: the next filmroom run loads them again")
    return 0


def verify(options: argparse.Namespace) -> int:
    """`filmroom verify`."""
    from flows.verify import verify

    configuration, workspace = opened(options)
    verified = verify(configuration, workspace, options.sample / 100)
    print(f"{verified.objects} objects read back again")
    for kind, objects in sorted(verified.changes.items()):
        print(f"FAIL  {kind}: {objects}, see filmroom query \"SELECT * FROM findings WHERE suite = 'aftercare'\"")
    return 1 if verified.changes else 0


def status(options: argparse.Namespace) -> int:
    """`filmroom status`."""
    _, workspace = opened(options)
    with open_views(workspace) as connection:
        counted, checked = balance(connection), clerical_check(connection)
    if options.json:
        print(json.dumps(counted.as_json() | {"links": checked.as_json()}, indent=1))
    else:
        print_balance(counted)
        if checked.checked:
            print(f"automatic links checked by people: {checked.checked}, wrong: {checked.wrong}, "
                  f"of all at most {checked.upper_bound:.3%} (95%)")  # fmt: skip
    return 0


def print_balance(counted: Balance) -> None:
    """The balance as lines: every state, then why."""
    print(f"found: {counted.found} items, {'balanced' if counted.balanced else 'NOT BALANCED: run filmroom audit verify'}")
    for state, items in counted.states.items():
        print(f"  {state:<12} {items:>9}")
        reasons: dict[str, int] = {}
        for line in counted.lines:
            if line[0] == state and state != "verified":
                why = f"{line[3]}  ({line[1]}, {line[2]})"
                reasons[why] = reasons.get(why, 0) + line[4]
        for reason, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])):
            print(f"  {'':<12} {count:>9}  {reason}")


def query(options: argparse.Namespace) -> int:
    """`filmroom query`."""
    import duckdb

    _, workspace = opened(options)
    with open_views(workspace) as connection:
        try:
            cursor = connection.execute(options.sql)
            names = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchall()
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
            raise ConfigurationError(f"the query fails: {str(error).splitlines()[0]}: correct it") from error
        except duckdb.Error as error:  # its text may quote a value of the tables
            raise ConfigurationError(f"the query fails on what it reads ({type(error).__name__}): correct it") from error
    if options.json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=plain, indent=1))
    else:
        print("\t".join(names))
        for row in rows:
            print("\t".join("" if value is None else str(plain(value)) for value in row))
    return 0


def pacs_serve(options: argparse.Namespace) -> int:
    """`filmroom pacs serve`."""
    from tasks.configuration import EmbeddedTarget
    from tasks.pacs.server import EmbeddedPacs

    configuration, workspace = opened(options)
    target = configuration.target if isinstance(configuration.target, EmbeddedTarget) else EmbeddedTarget()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with EmbeddedPacs(workspace.root / "pacs", target.ae_title, target.port, target.destinations) as pacs:
        print(f"{pacs.ae_title} on 127.0.0.1:{pacs.port}; Ctrl-C ends it", flush=True)
        try:
            stop.wait()
        except KeyboardInterrupt:
            print("ended", file=sys.stderr)
    return 0
