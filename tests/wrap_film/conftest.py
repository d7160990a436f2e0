"""Scans made on the spot, wrapped the way the engine wraps them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.configuration import Configuration
from tasks.keys import item_key
from tasks.stage import Outcome, StageContext
from tasks.wrap.stage import wrap_batch

MEDIA_TYPES = {
    ".tif": "image/tiff",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jls": "image/jls",
    ".jp2": "image/jp2",
    ".bmp": "image/bmp",
    ".pgm": "image/x-portable-anymap",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


def context_for(folder: Path, scans: Path, **settings: Any) -> StageContext:
    """A workspace in `folder` over a film source at `scans`; `settings`: `codec`, `ocr`, `dpi`, `years`."""
    digitizer = {"manufacturer": "VIDAR", "model": "Diagnostic PRO", "serial": "4711", "dpi": settings.get("dpi", 150.0)}
    configuration = Configuration.model_validate(
        {
            "project": {"name": "test", "workspace": folder, "now": "2026-01-02T03:04:05Z"},
            "wrap": {"codec": settings.get("codec", "jpeg-ls"), "ocr": settings.get("ocr", "auto")},
            "source": [
                {
                    "kind": "film",
                    "name": "films",
                    "path": scans,
                    "years": settings.get("years", [1955, 2004]),
                    "digitizer": digitizer,
                }
            ],
        }
    )
    return StageContext(configuration, folder, "wrap")


def row_of(file: Path, **columns: Any) -> dict[str, Any]:
    """The `items` row of a scan, as far as wrap uses it."""
    return {
        "item_key": item_key("films", file.name),
        "source": "films",
        "path": file.name,
        "page": 1,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "media_type": MEDIA_TYPES[file.suffix],
        "kind": "film",
        "duplicate_of": None,
        "group_key": "films/J1",
        "listing": None,
        **columns,
    }


@pytest.fixture
def wrap(tmp_path: Path) -> Callable[..., tuple[Outcome, Path]]:
    """Wraps a file's bytes; gives the outcome and the staging folder."""

    def run(name: str, data: bytes, *, row: dict[str, Any] | None = None, **settings: Any) -> tuple[Outcome, Path]:
        scans = tmp_path / "scans"
        scans.mkdir(exist_ok=True)
        (scans / name).write_bytes(data)
        context = context_for(tmp_path / "workspace", scans, **settings)
        (outcome,) = wrap_batch([row_of(scans / name, **(row or {}))], context)
        return outcome, context.staging

    return run
