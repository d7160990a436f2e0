"""A legacy DICOM object is taken over: header, pixel element and trailer apart, the pixels byte for byte as they came.

Encodings that cannot be sent on (big endian, deflated, pixels packed in 12 bits) are brought to little endian words
losslessly; that the staged pixels are the source's is proved. Values of the header are the bytes they were; what they say
wrongly is left for reconcile. What reading had to leave out, or to take otherwise than it is written, is recorded. What is
damaged is quarantined and not altered.
"""

import json
import warnings
from collections.abc import Iterable
from typing import Any

from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.errors import QuarantineError, ReviewError
from tasks.keys import object_key
from tasks.sources import read_item
from tasks.stage import Outcome, Row, StageContext
from tasks.wrap.dicom.identity import identity
from tasks.wrap.dicom.pixels import stage_pixels
from tasks.wrap.dicom.read import LegacyObject, read_object
from tasks.wrap.dicom.settle import settled


def wrap_dicom(row: Row, context: StageContext) -> Iterable[Outcome]:
    """Takes one legacy object (`items` row) over; yields its object."""
    data = read_item(context.configuration, row["source"], row["path"], sha256=row["sha256"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values; what matters of them becomes a finding
        columns = _taken_over(read_object(data), row, context)
    yield Outcome(row["item_key"], row["item_key"], rows={"objects": [columns]})


def _taken_over(legacy: LegacyObject, row: Row, context: StageContext) -> dict[str, Any]:
    """The `objects` row; identity is settled first, so that nothing is staged of what goes no further."""
    key = object_key(row["item_key"])
    if legacy.pixels is not None:
        legacy = settled(legacy, legacy.pixels)
    columns = {
        "object_key": key,
        "item_key": row["item_key"],
        "group_key": row["group_key"],
        "source_header": legacy.header,
        "source_trailer": legacy.trailer,
        "source_changes": json.dumps(legacy.changes, sort_keys=True) if legacy.changes else None,
        "pixel_header": legacy.describing,
        "source_transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "transfer_syntax_uid": str(ExplicitVRLittleEndian),
        **identity(legacy, key, row["group_key"]),
    }
    if legacy.pixels is None:
        _require_no_image(legacy, columns["sop_class_uid"])
        return columns
    return columns | stage_pixels(legacy, legacy.pixels, key, context)


def _require_no_image(legacy: LegacyObject, sop_class: str) -> None:
    """Raises where an object without pixels is an image: it was cut off before them, or they lie elsewhere."""
    if "PixelDataProviderURL" in legacy.dataset:
        raise ReviewError("its pixels lie on a server that Pixel Data Provider URL names: not fetched")
    has_size = "Rows" in legacy.dataset and "SpectroscopyData" not in legacy.dataset
    if has_size or UID(sop_class).name.endswith(("Image Storage", "Image Storage - For Presentation")):
        raise QuarantineError("an image without pixels: cut off before them, or stripped of them")
