"""The command `filmroom`: what it takes, what it prints, how it exits.

Results go to standard output, progress and logs to standard error. Exit 0: ran (exceptions may be waiting for people); 1: a
stage could not run, or a check failed; 2: configuration or usage.
"""

import argparse
import atexit
import gc
import getpass
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from tasks.errors import ConfigurationError, FilmroomError, RunActiveError, StageBlockedError, WorkspaceError

STAGE_NAMES = ("scan", "wrap", "assemble", "reconcile", "validate", "load")


def command() -> None:
    """The console script: runs a command and ends the process with its exit code."""
    interrupted = False
    try:
        code = main()
    except (KeyboardInterrupt, RuntimeError) as error:
        if not isinstance(error, KeyboardInterrupt) and str(error) != "Query interrupted":  # DuckDB's word for it
            raise
        print("filmroom: interrupted; run again to go on", file=sys.stderr)
        interrupted, code = True, 1
    if interrupted:
        gc.collect()  # the semaphores of ended workers go with the exception that held them
        _leave(code)  # without a wait for what threads are at
    atexit.register(_leave, code)


def _leave(code: int) -> NoReturn:
    """Ends the process once all threads are through: tearing modules down only makes extension modules count what they leak."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and gives back the exit code; an interrupt is the caller's."""
    options = _parser().parse_args(arguments)
    try:
        return int(_command(options))
    except (ConfigurationError, WorkspaceError, RunActiveError) as error:
        print(f"filmroom: {error}", file=sys.stderr)
        return 2
    except (StageBlockedError, FilmroomError) as error:
        print(f"filmroom: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        what = f"{error.filename or 'the machine'}: {error.strerror or type(error).__name__}"
        print(f"filmroom: {what}: mend that, then run again", file=sys.stderr)
        return 1


def _command(options: argparse.Namespace) -> int:
    from flows import commands

    function = getattr(commands, options.function)
    return int(function(options))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a call in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}: see {self.prog} --help\n")


def _parser() -> _Parser:
    parser = _Parser(prog="filmroom", description="Empties film libraries and dead archives into a PACS, with proof.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    init = _add(commands, "init", "init", "a new migration: commented configuration, folders", "filmroom init st-elsewhere")
    init.add_argument("folder", type=Path, metavar="DIR")

    _configured(_add(commands, "doctor", "doctor", "checks machine and configuration", "filmroom doctor -c filmroom.toml"))

    film = _add(
        commands, "film", "film", "what would be done with one scan, without a migration", "filmroom film scan.tif --out check"
    )
    film.add_argument("file", type=Path, metavar="FILE")
    film.add_argument("-c", "--configuration", type=Path, metavar="FILE", help="a migration whose film source holds the scan")
    film.add_argument("--out", type=Path, metavar="DIR", help="writes the objects there; they have no patient yet")
    film.add_argument("--json", action="store_true", help="machine-readable, without the header")

    run = _configured(_add(commands, "run", "run", "runs what is still to do", "filmroom run --stage scan --stage wrap"))
    run.add_argument("--delta", action="store_true", help="asks legacy PACSs again what they hold, and says what has changed")
    run.add_argument("--stage", action="append", choices=STAGE_NAMES, default=[], help="only this stage; may be repeated")
    run.add_argument("--limit", type=_positive, metavar="N", help="at most about N rows (whole groups are kept together)")

    run.add_argument("--wave", default="", metavar="NAME", help="what the receipts call what is loaded now, for filmroom undo")

    undo = _selected(
        _add(commands, "undo", "undo", "takes back what was loaded", 'filmroom undo --wave 3 --reason "wrong box"')
    )
    undo.add_argument(
        "--note",
        choices=("113001", "113037", "113038"),
        help="by a rejection note (quality, patient safety, wrong order), no delete",
    )
    _selected(_add(commands, "release", "release", "lets it go again", 'filmroom release --wave 3 --reason "box mended"'))

    verify = _configured(_add(commands, "verify", "verify", "reads what is loaded back again", "filmroom verify --sample 5"))
    verify.add_argument(
        "--sample", type=_percent, default=100.0, metavar="PERCENT", help="of the objects; default: all of them"
    )

    status = _configured(_add(commands, "status", "status", "the balance", "filmroom status --json"))
    status.add_argument("--json", action="store_true", help="machine-readable")

    query = _configured(
        _add(commands, "query", "query", "SQL over the tables", 'filmroom query "SELECT state, count(*) FROM items GROUP BY 1"')
    )
    query.add_argument("sql", metavar="SQL")
    query.add_argument("--json", action="store_true", help="a list of objects")

    _review(_add(commands, "review", None, "the reviewer's queue", "filmroom review list"))
    _audit(_add(commands, "audit", None, "the auditor's side", "filmroom audit verify"))

    pacs = _add(commands, "pacs", None, "the embedded PACS", "filmroom pacs serve")
    serve = _add(
        pacs.add_subparsers(required=True, metavar="ACTION"),
        "serve",
        "pacs_serve",
        "serves it until interrupted",
        "filmroom pacs serve",
    )
    _configured(serve)
    return parser


def _review(parser: _Parser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listed = _configured(_add(actions, "list", "review_list", "what waits for a person", "filmroom review list"))
    listed.add_argument("--json", action="store_true", help="a list of objects")
    show = _configured(_add(actions, "show", "review_show", "one study and its candidates", "filmroom review show 2.25.1234"))
    show.add_argument("key", metavar="KEY", help="Study Instance UID or item key")
    decide = _configured(
        _add(
            actions,
            "decide",
            "review_decide",
            "records a decision",
            'filmroom review decide 2.25.1234 --link 40012345 --by "A. Reviewer" --reason "label read by eye"',
        )
    )
    decide.add_argument("key", metavar="KEY", help="Study Instance UID")
    choice = decide.add_mutually_exclusive_group(required=True)
    choice.add_argument("--link", metavar="PATIENT_ID", help="the study is this patient's")
    choice.add_argument("--new-patient", metavar="PATIENT_ID", help="a patient whom registration gave this number")
    choice.add_argument("--nobody", action="store_true", help="nobody in the index")
    choice.add_argument("--right", action="store_true", help="the automatic link was checked and is right")
    choice.add_argument("--wrong", action="store_true", help="the automatic link was checked and is wrong: it goes to review")
    choice.add_argument("--undo", action="store_true", help="takes the last decision back")
    decide.add_argument("--by", required=True, metavar="NAME", help="who decides")
    decide.add_argument("--reason", required=True, help="why")
    decide.add_argument("--answers", metavar="FINGERPRINT", help="of the link that was seen; a stale one is refused")
    export = _add(actions, "export", "review_export", "the queue as a sheet to fill in", "filmroom review export queue.xlsx")
    _configured(export).add_argument("file", type=Path, metavar="FILE", help="a new file, .csv or .xlsx")
    sample = _add(
        actions,
        "sample",
        "review_sample",
        "automatic links for people to check",
        "filmroom review sample check.xlsx --size 300",
    )
    _configured(sample).add_argument("file", type=Path, metavar="FILE", help="a new file, .csv or .xlsx")
    sample.add_argument("--size", type=_positive, metavar="N", default=300, help="about how many; default: 300")
    taken = _add(actions, "import", "review_import", "records the decisions in a sheet", "filmroom review import queue.xlsx")
    _configured(taken).add_argument("file", type=Path, metavar="FILE", help="the sheet, filled in")
    taken.add_argument("--by", metavar="NAME", default="", help="who decides, where a row does not say")


def _audit(parser: _Parser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    verify = _configured(_add(actions, "verify", "audit_verify", "is the record whole", "filmroom audit verify --head 3fa9..."))
    verify.add_argument("--head", metavar="HASH", help="SHA-256 of a manifest that was kept elsewhere")
    show = _configured(_add(actions, "show", "audit_show", "the history of one key", "filmroom audit show KEY"))
    show.add_argument("key", metavar="KEY", help="an item key, object key, Study or SOP Instance UID")


def _add(commands: "argparse._SubParsersAction[_Parser]", name: str, function: str | None, text: str, example: str) -> _Parser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=f"example: {example}")
    if function:
        parser.set_defaults(function=function)
    return parser


def _configured(parser: _Parser) -> _Parser:
    parser.add_argument(
        "-c", "--configuration", type=Path, default=Path("filmroom.toml"), metavar="FILE", help="default: ./filmroom.toml"
    )
    return parser


def _selected(parser: _Parser) -> _Parser:
    what = _configured(parser).add_mutually_exclusive_group(required=True)
    what.add_argument("--wave", default="", metavar="NAME", help="what was loaded by filmroom run --wave NAME")
    what.add_argument("--study", default="", metavar="UID", help="a Study Instance UID")
    parser.add_argument("--reason", required=True, help="why")
    parser.add_argument("--by", default=getpass.getuser(), metavar="NAME", help="who decides; default: the login name")
    return parser


def _percent(text: str) -> float:
    if not text.replace(".", "", 1).isdecimal() or not 0 < float(text) <= 100:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 100, got {text!r}")
    return float(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)
