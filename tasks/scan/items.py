"""The rows of `items`, made of a listed row and what was found in it."""

import json
from dataclasses import dataclass
from typing import Any

from tasks.keys import item_key
from tasks.scan.recognise import Recognised
from tasks.stage import Outcome, Row


@dataclass(frozen=True)
class Content:
    """What was read of a file or member: its size in bytes and SHA-256 (`None`: it could not be read)."""

    bytes: int
    sha256: str | None


NOTHING = Content(0, None)
_KEPT = ("source", "source_order", "jacket", "listed_by", "listing", "group_key", "group_files")


def item_outcome(row: Row, path: str, found: Recognised, content: Content, page: int = 1, pages: int = 1) -> Outcome:
    """The outcome of the item at `path`, a page or member of the listed `row` or the row itself."""
    key = item_key(row["source"], path, page)
    item: dict[str, Any] = {name: row[name] for name in _KEPT} | {
        "item_key": key,
        "path": path,
        "page": page,
        "pages": pages,
        "box": json.loads(row["listing"] or "{}").get("box"),
        "bytes": content.bytes,
        "sha256": content.sha256,
        "media_type": found.media_type,
        "kind": found.kind,
        "listing_conflict": row.get("listing_conflict"),
    }
    return Outcome(
        key, key, found.outcome, found.reason, {"items": [item]}, input_key=None if key == row["item_key"] else row["item_key"]
    )
