"""New SOP Instance UIDs for what a rejection note keeps out of the archive for good (IHE RAD-66), all references following.

A new UID is minted from the first one and the number of notes since, so that a repeat mints the same.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from tasks.changes import Change, replaced
from tasks.keys import uid_of
from tasks.pixel_data import header_bytes, read_data_set
from tasks.stage import Row

_WHY = "a rejection note keeps the former UID out of the archive"


def new_uids(rows: Iterable[Row]) -> dict[str, str]:
    """New SOP Instance UIDs by the first ones, of a study's rows (`RECONCILE_VIEW`) that were rejected and released again."""
    return {
        row["sop_instance_uid"]: uid_of("instance", row["sop_instance_uid"], "rejected", row["rejections"])
        for row in rows
        if row["rejections"]
    }


def renamed(header: Row, uids: Mapping[str, str]) -> dict[str, Any]:
    """A row of `headers` with the UIDs in their place, the object's own and those it refers to; each is a change on record."""
    before, behind = read_data_set(header["header"]), read_data_set(header["trailer"])
    changes = [*_replaced(before, uids, ""), *_replaced(behind, uids, "")]
    if not changes:
        return dict(header)
    head, trailer = header_bytes(before), header_bytes(behind)
    own = header["sop_instance_uid"]
    return {
        **header,
        "sop_instance_uid": uids.get(own, own),
        "header": head,
        "trailer": trailer,
        "header_sha256": hashlib.sha256(head + trailer).hexdigest(),
        "changes": json.dumps([*json.loads(header["changes"]), *changes], sort_keys=True, ensure_ascii=False),
    }


def _replaced(dataset: Dataset, uids: Mapping[str, str], path: str) -> Iterator[Change]:
    """Replaces UIDs, items of sequences included; `path` is where the data set stands, see `tasks.changes`."""
    for element in dataset:
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _replaced(item, uids, f"{path}{element.tag:08X}[{number}].")
        elif element.VR == "UI" and element.value:
            former = list(element.value) if isinstance(element.value, MultiValue) else [element.value]
            if not any(uid in uids for uid in former):
                continue
            original = header_bytes(_alone(element))
            new = [UID(uids.get(uid, uid)) for uid in former]
            element.value = new if len(new) > 1 else new[0]
            yield replaced(element.tag, path, "\\".join(former), "\\".join(new), _WHY, original)


def _alone(element: DataElement) -> Dataset:
    dataset = Dataset()
    dataset.add(element)
    return dataset
