"""A migration made of folders in `tmp_path`, listed and scanned without an engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.configuration import Configuration, read_configuration
from tasks.scan.listing import write_listing
from tasks.scan.stage import scan_batch
from tasks.stage import Outcome, StageContext


@dataclass
class Migration:
    configuration: Configuration
    workspace: Path

    def listing(self) -> list[dict[str, Any]]:
        spill = self.workspace / "spill"
        spill.mkdir(parents=True, exist_ok=True)
        rows = pq.read_table(write_listing(self.configuration, spill)).to_pylist()
        for row in rows:  # the engine counts the films of a jacket by what was scanned
            row["received"] = sum(r["entry"] == "file" and r["group_key"] == row["group_key"] for r in rows)
        return rows

    def scan(self, rows: list[dict[str, Any]] | None = None) -> list[Outcome]:
        context = StageContext(self.configuration, self.workspace, "scan")
        return list(scan_batch(self.listing() if rows is None else rows, context))

    def items(self) -> dict[str, tuple[Outcome, dict[str, Any]]]:
        """Outcome and row of every item, by path (and page, from the second)."""
        found = {}
        for outcome in self.scan():
            for item in outcome.rows.get("items", ()):
                path = item["path"] if item["page"] == 1 else f"{item['path']} page {item['page']}"
                assert path not in found
                found[path] = outcome, dict(item)
        return found

    def reasons(self) -> dict[str, tuple[str, str]]:
        return {path: (outcome.outcome, outcome.reason) for path, (outcome, _) in self.items().items()}


MakeMigration = Callable[..., Migration]


@pytest.fixture
def migration(tmp_path: Path) -> MakeMigration:
    """Makes a migration of sources, each (kind, folder, further lines of TOML)."""

    def make(*sources: tuple[str, Path, str]) -> Migration:
        text = f'[project]\nname = "test"\nworkspace = "{tmp_path / "workspace"}"\n'
        for kind, folder, more in sources:
            text += f'[[source]]\nkind = "{kind}"\nname = "{kind}"\npath = "{folder}"\n{more}\n'
        file = tmp_path / "filmroom.toml"
        file.write_text(text)
        configuration = read_configuration(file)
        configuration.project.workspace.mkdir(exist_ok=True)
        return Migration(configuration, configuration.project.workspace)

    return make


@pytest.fixture
def film_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


@pytest.fixture
def disc_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder
