"""The record of what was changed in a legacy header, so exact that it can be taken back (`headers.changes`).

A change is a JSON object: `tag` is where the element stands, its tag in eight hexadecimal digits, behind the tags and item
numbers (from 0) of the sequences around it, as in `00081140[0].00081155`; `keyword`, `from`, `to` and `why` are for people.
`original` is the whole element as it stood, in Explicit VR Little Endian, base64; it is absent where none stood there, so that
taking the change back removes the element. `beside` is an element that stood there too and does not count; a change with it, or
with an `encoding` only, altered no value that counts. Changes are taken back from the last to the first.
"""

import base64
import struct

from pydicom.datadict import keyword_for_tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

Change = dict[str, str]

_LONGEST_SHOWN = 1024  # bytes; `original` has all of them


def replaced(tag: int, path: str, shown: str, value: str, why: str, original: bytes | None) -> Change:
    """The element `tag` of the data set at `path` (empty: the outermost) got `value`, or was removed where that is empty."""
    change = {"tag": f"{path}{tag:08X}", "keyword": _name_of(tag), "from": shown, "to": value, "why": why}
    return change if original is None else change | {"original": base64.b64encode(original).decode()}


def left_out(element: bytes, path: str, why: str) -> Change:
    """An element in Explicit VR Little Endian, which stood at `path`, was not taken over."""
    return replaced(_tag_of(element), path, _shown(element), "", why, element)


def settled_otherwise(element: bytes, before: bytes | None, why: str) -> Change:
    """An element, as all here in Explicit VR Little Endian, took the place of one, or of none."""
    return replaced(_tag_of(element), "", _shown(before) if before else "", _shown(element), why, before)


def stood_twice(element: bytes, path: str) -> Change:
    """An element in Explicit VR Little Endian stood at `path` beside the one that counts."""
    why = "stands twice in the data set: the other one counts"
    return replaced(_tag_of(element), path, _shown(element), "", why, None) | {"beside": base64.b64encode(element).decode()}


def renamed(tag: int, vr: str, now: str) -> Change:
    """The value of an element stays and its VR becomes another one."""
    return encoded_otherwise(
        tag, vr, now, "the VR of the data dictionary" if vr else "its VR was missing or one that DICOM does not know"
    )


def encoded_otherwise(tag: int, before: str, now: str, why: str) -> Change:
    """How an element is encoded is taken, or made, otherwise than it was written."""
    return replaced(tag, "", before, now, why, None) | {"encoding": "mended"}


def alters_a_value(change: Change) -> bool:
    """Whether a change altered a value that counts."""
    return "beside" not in change and "encoding" not in change


def _name_of(tag: int) -> str:
    """Keyword of a tag, or its digits where it has none."""
    return keyword_for_tag(tag) or f"{tag:08X}"


def _tag_of(element: bytes) -> int:
    group, number = struct.unpack_from("<HH", element)
    return int(group) << 16 | int(number)


def _shown(element: bytes) -> str:
    """The value for a person: a number or a text where it is one, else base64 of the bytes, or how many these are."""
    vr = element[4:6].decode()
    value = element[12 if vr in EXPLICIT_VR_LENGTH_32 else 8 :]
    if vr in ("UL", "US"):
        return str(int.from_bytes(value, "little"))
    if len(value) > _LONGEST_SHOWN:
        return f"{len(value)} bytes"
    text = value.rstrip(b"\0 ").decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text else "base64:" + base64.b64encode(value).decode()
