"""The command `filmroom` as a person runs it, on migrations of a few tiny films, and what it said."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

FILMROOM = Path(sys.executable).with_name("filmroom")
PERSON = ("QUINCEY", "ADELHEID")  # on every film and in the index: must be in no line of any fault
_PROGRESS = re.compile(r"(scan|wrap|assemble|reconcile|validate|load): \d+ of \d+$")


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, its results, and what is left of standard error beside the lines of progress."""

    code: int
    out: str
    faults: tuple[str, ...]

    @property
    def fault(self) -> str:
        """The one line that says what is wrong, held against what holds for every such line."""
        assert len(self.faults) == 1, self.faults
        line = self.faults[0]
        assert line.startswith("filmroom"), line
        assert "Traceback" not in line
        assert not any(name in line.upper() for name in PERSON), line
        return line


def said(code: int, out: str, err: str) -> Said:
    """What a command said, without the progress it wrote."""
    return Said(code, out, tuple(line for line in err.splitlines() if line.strip() and not _PROGRESS.match(line)))


def filmroom(*arguments: str | Path, prefix: tuple[str, ...] = (), environment: Mapping[str, str] | None = None) -> Said:
    """Runs the command to its end; `prefix` is a command that runs it, `environment` is added to ours."""
    command = [*prefix, str(FILMROOM), *map(str, arguments)]
    env = {**os.environ, **(environment or {})}
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, env=env)
    return said(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Migration:
    """A folder with a configuration; `prefect` is the address of the server its runs use, empty for one of their own."""

    folder: Path
    prefect: str = ""

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "filmroom.toml"

    @property
    def scans(self) -> Path:
        """The source of films."""
        return self.folder / "scans"

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> Said:
        """`filmroom run`."""
        environment = {"PREFECT_API_URL": self.prefect} if self.prefect else None
        return filmroom("run", "-c", self.file, *arguments, prefix=prefix, environment=environment)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """`filmroom query --json`."""
        answer = filmroom("query", "-c", self.file, "--json", sql)
        assert (answer.code, answer.faults) == (0, ()), answer
        found: list[dict[str, Any]] = json.loads(answer.out)
        return found

    def states(self) -> dict[str, tuple[str, str]]:
        """State and reason of every item, by path."""
        return {row["path"]: (row["state"], row["reason"]) for row in self.query("SELECT path, state, reason FROM items")}

    def status(self) -> dict[str, int]:
        """The states of a balance that adds up; those with items."""
        answer = filmroom("status", "-c", self.file, "--json")
        assert (answer.code, answer.faults) == (0, ())
        balance = json.loads(answer.out)
        assert balance["balanced"] is True
        assert sum(balance["states"].values()) == balance["found"]
        return {state: items for state, items in balance["states"].items() if items}

    def assert_whole(self) -> None:
        """`filmroom audit verify` finds nothing."""
        verified = filmroom("audit", "verify", "-c", self.file)
        assert (verified.code, verified.faults) == (0, ()), verified


CONFIGURATION = """[project]
name = "bad-input"
workspace = "workspace"

[[source]]
kind = "film"
path = "scans"
manifest = "jackets.csv"

[patients]
index = "mpi.csv"

[target]
kind = "embedded"
port = 0

[run]
runner = "threads"
"""
INDEX = f"patient_id,family_name,given_name,birth_date,sex\n4711,{PERSON[0]},{PERSON[1]},19310312,F\n"
MANIFEST = f'jacket,patient_id,name,films\nJ1,4711,"{PERSON[0]}, {PERSON[1]}",1\n'


def film(number: int, rows: int = 96, columns: int = 80) -> np.ndarray[Any, Any]:
    """A film of 12 bits of noise, which no codec makes small; each number another."""
    return np.random.default_rng(number).integers(0, 4096, (rows, columns)).astype(np.uint16)


def new_migration(folder: Path, films: int = 1, prefect: str = "", rows: int = 96, columns: int = 80) -> Migration:
    """A migration of so many good films, `J1_1.tif` and on, in jacket J1."""
    (folder / "scans").mkdir(parents=True)
    for number in range(1, films + 1):
        tifffile.imwrite(folder / "scans" / f"J1_{number}.tif", film(number, rows, columns))
    (folder / "filmroom.toml").write_text(CONFIGURATION)
    (folder / "mpi.csv").write_text(INDEX)
    (folder / "jackets.csv").write_text(MANIFEST if films else MANIFEST.splitlines()[0] + "\n")
    return Migration(folder, prefect)
