"""The same input gives the same bytes, and what is derived can be deleted."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.pacs.server import EmbeddedPacs
from tests.conftest import ROOT
from tests.flows.real import filmroom
from tests.pacs.conftest import Client

pytestmark = pytest.mark.slow

TABLES = ("items", "objects", "studies", "headers", "decisions", "outcomes", "links", "findings", "receipts", "audit")
# Commit numbers, the hash chain, and what the real clock says.
OF_THE_RUN = ("commit", "seq", "hash", "at")


def _migrate(folder: Path) -> Path:
    shutil.copytree(ROOT / "data" / "sample", folder)
    file = folder / "filmroom.toml"
    settings = file.read_text()
    assert settings.count('\nnow = ""') == 1
    file.write_text(settings.replace('\nnow = ""', '\nnow = "2026-11-01T12:00:00"'))
    filmroom("run", "-c", str(file))
    return file


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The configurations of two runs of the sample, in folders of different names."""
    folder = tmp_path_factory.mktemp("same")
    yield _migrate(folder / "one"), _migrate(folder / "another")


def _objects(configuration: Path) -> dict[str, bytes]:
    folder = configuration.parent / "workspace" / "pacs" / "objects"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _rows(configuration: Path, table: str) -> list[str]:
    rows: list[dict[str, Any]] = json.loads(filmroom("query", "-c", str(configuration), "--json", f"SELECT * FROM {table}"))
    return sorted(json.dumps({k: v for k, v in row.items() if k not in OF_THE_RUN}, sort_keys=True) for row in rows)


def test_two_workspaces_hold_the_same_objects(migrated: tuple[Path, Path]) -> None:
    one, another = map(_objects, migrated)
    assert len(one) > 40
    assert one.keys() == another.keys()
    assert [name for name in one if one[name] != another[name]] == []


@pytest.mark.parametrize("table", TABLES)
def test_two_workspaces_hold_the_same_rows(migrated: tuple[Path, Path], table: str) -> None:
    one, another = (_rows(configuration, table) for configuration in migrated)
    assert bool(one) == (table != "decisions")
    assert one == another


def test_what_is_derived_can_be_deleted(migrated: tuple[Path, Path]) -> None:
    configuration = migrated[0]
    workspace = configuration.parent / "workspace"

    def state() -> tuple[str, str, dict[str, bytes], str]:
        status = filmroom("status", "-c", str(configuration), "--json")
        commits = sorted(path.name for path in (workspace / "log").iterdir())
        return status, filmroom("audit", "verify", "-c", str(configuration)), _objects(configuration), " ".join(commits)

    before = state()
    printed = filmroom("run", "-c", str(configuration))
    assert state() == before
    for derived in ("report", "spill", "prefect", "pacs/restored", "pacs/incoming"):
        shutil.rmtree(workspace / derived)
    for pattern in ("pacs/index.sqlite*", "pacs/lock", "pacs/port", "run.lock"):
        for file in workspace.glob(pattern):
            file.unlink()
    assert state() == before
    assert filmroom("run", "-c", str(configuration)) == printed
    assert state() == before
    assert (workspace / "report" / "index.html").is_file()
    with EmbeddedPacs(workspace / "pacs", "FILMROOMPACS", 0) as pacs, Client(pacs) as client:
        found = {str(answer.SOPInstanceUID) for answer in client.find("IMAGE", SOPInstanceUID="")}
    assert found == {Path(name).stem for name in before[2]}


def test_where_the_pacs_may_send_to_makes_nothing_pending(migrated: tuple[Path, Path]) -> None:
    configuration = migrated[1]
    printed = filmroom("run", "-c", str(configuration))
    settings = configuration.read_text()
    assert '\nkind = "embedded"' in settings
    destinations = 'kind = "embedded"\ndestinations = { VIEWER = "127.0.0.1:104" }'
    configuration.write_text(settings.replace('kind = "embedded"', destinations))
    assert filmroom("run", "-c", str(configuration)) == printed
