"""Legacy objects taken over the way the engine has it done."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.configuration import Configuration
from tasks.keys import item_key
from tasks.stage import Outcome, StageContext
from tasks.wrap.stage import wrap_batch

Take = Callable[..., tuple[Outcome, Path]]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """Takes a file's bytes over; gives the outcome and the staging folder."""
    media = tmp_path / "media"
    media.mkdir()
    configuration = Configuration.model_validate(
        {
            "project": {"name": "test", "workspace": tmp_path / "workspace"},
            "source": [{"kind": "archive", "name": "cd", "path": media}],
        }
    )
    context = StageContext(configuration, tmp_path / "workspace", "wrap")

    def run(data: bytes, name: str = "IMG1", **columns: Any) -> tuple[Outcome, Path]:
        (media / name).write_bytes(data)
        row = {
            "item_key": item_key("cd", name),
            "source": "cd",
            "path": name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "kind": "dicom",
            "duplicate_of": None,
            "group_key": "cd/1",
            **columns,
        }
        (outcome,) = wrap_batch([row], context)
        return outcome, context.staging

    return run
