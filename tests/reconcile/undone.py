"""Changes taken back by what `tasks.changes` says of them, with pydicom alone."""

import base64
import json
import re
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.tag import Tag

STEP = re.compile(r"([0-9A-F]{8})\[(\d+)\]\.")


def read(data: bytes) -> Dataset:
    """A data set in Explicit VR Little Endian."""
    return pydicom.filereader.read_dataset(BytesIO(data), False, True)


def undone(final: Dataset, changes: str) -> Dataset:
    """The final data set, decoded, as it was before all changes."""
    final.decode()
    for change in reversed(json.loads(changes)):
        if "beside" in change or "encoding" in change:
            continue
        dataset = final
        for sequence, number in STEP.findall(change["tag"]):
            dataset = dataset[int(sequence, 16)].value[int(number)]
        tag = Tag(int(change["tag"][-8:], 16))
        if tag in dataset:
            del dataset[tag]
        if "original" in change:
            dataset._dict.update(read(base64.b64decode(change["original"]))._dict)
    return final


def values(dataset: Dataset, charset: Any = None) -> dict[str, str]:
    """What each element says, by its path, decoded in the character set declared for it; items counted."""
    charset = dataset.get("SpecificCharacterSet") or charset or "ISO_IR 6"
    found = {}
    for tag in sorted(dataset.keys()):
        raw = dataset.get_item(tag)
        if raw.is_raw and raw.VR is not None:
            element = pydicom.dataelem.convert_raw_data_element(raw, encoding=codecs(charset), ds=dataset)
        else:
            element = dataset[tag]
        if element.VR == "SQ":
            found[f"{tag:08X}"] = f"{len(element.value or [])} items"
            for number, item in enumerate(element.value or []):
                found |= {f"{tag:08X}[{number}].{path}": value for path, value in values(item, charset).items()}
        else:
            found[f"{tag:08X}"] = repr(element.value) if isinstance(element.value, bytes) else str(element.value or "")
    return found


def codecs(charset: Any) -> list[str]:
    try:
        return pydicom.charset.convert_encodings(charset)
    except LookupError:
        return ["iso8859"]
