"""What came back from the target against what was sent: pixels by hash, the data set attribute by attribute."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from tasks.errors import QuarantineError
from tasks.pixel_data import describe, has_pixels, pixel_hash, read_data_set
from tasks.stage import Row

# Who it is and what it belongs to: a target that changes these has another object than the one sent.
_IDENTITY = frozenset(
    {"PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"}
    | {"EncapsulatedDocument"}
)
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
# Encodings, group lengths and padding say nothing about the object; pixel hashes cover the description of the pixels.
_ENCODING = frozenset({0x00080005, 0x00280006, 0xFFFCFFFC})
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class Returned:
    """An object as the target gave it back: its pixel hash, what the target changed, and what is wrong with that.

    `coerced` is a list of {keyword, from, to}; `fault` is empty where the object is the one that was sent, and names attributes
    by keyword, never their values.
    """

    pixel_sha256: str | None
    coerced: list[dict[str, str]] = field(default_factory=list)
    fault: str = ""


def judge_returned(data: bytes, syntax: str, sent: Dataset, row: Row) -> Returned:
    """Compares an encoded data set that came back with what was sent: a data set without pixels, and its row (`LOAD_VIEW`)."""
    try:
        returned = read_data_set(data, syntax)
        digest, fault = _pixels(returned, data, sent, row)
        changes = list(_changes(returned, sent))
    except QuarantineError as error:
        return Returned(None, fault=str(error))
    except Exception as error:  # pydicom raises whatever it likes on a data set it cannot read
        return Returned(None, fault=f"it cannot be read ({type(error).__name__})")
    identity = sorted({change["keyword"] for change in changes if _is_other(change)})
    if identity:
        fault = "; ".join([f"{', '.join(identity)} differ from what was sent", *filter(None, [fault])])
    return Returned(digest, changes, fault)


def _pixels(returned: Dataset, data: bytes, sent: Dataset, row: Row) -> tuple[str | None, str]:
    """(pixel hash of what came back, what is wrong with it)."""
    if not row["pixel_sha256"]:
        return None, "it has pixels, and none were sent" if has_pixels(returned) else ""
    if not has_pixels(returned):
        return None, "it has no pixels"
    if _same_element(returned, data, sent, row):
        return str(row["pixel_sha256"]), ""
    digest, kind = pixel_hash(returned)
    if kind != row["pixel_hash_kind"]:
        return digest, "its lossy pixels were decompressed or compressed on the way, and nothing can prove such"
    return digest, "" if digest == row["pixel_sha256"] else "its pixels are others"


def _same_element(returned: Dataset, data: bytes, sent: Dataset, row: Row) -> bool:
    """Whether the staged element came back byte for byte, under the same description.

    `wrap` proved what those bytes decode to, so that their own SHA-256 proves the pixels without decoding them once more.
    """
    if not row["path"] or returned.file_meta.TransferSyntaxUID != row["transfer_syntax_uid"]:
        return False
    end = len(data) - len(row["trailer"] or b"")
    start = end - (row["bytes"] - len(row["header"]))
    if start < 0 or hashlib.sha256(memoryview(data)[start:end]).hexdigest() != row["sha256"]:
        return False
    return describe(returned) == describe(sent)


def _changes(returned: Dataset, sent: Dataset) -> Iterator[dict[str, str]]:
    for tag in sorted({*returned.keys(), *sent.keys()}):
        if tag.element == 0 or tag in _PIXELS or tag in _ENCODING or _same_bytes(tag, returned, sent):
            continue
        ours, theirs = _text(tag, sent), _text(tag, returned)
        if ours != theirs and not _is_private_and_both(tag, returned, sent) and not _same_items(tag, returned, sent):
            keyword = (sent if tag in sent else returned)[tag].keyword or str(tag)
            yield {"keyword": keyword, "from": ours[:_LONGEST_TEXT], "to": theirs[:_LONGEST_TEXT]}


def _same_bytes(tag: BaseTag, returned: Dataset, sent: Dataset) -> bool:
    """Whether both have the same bytes, so that none need be interpreted; the character sets are the same, or all is ASCII."""
    if tag not in returned or tag not in sent:
        return False
    ours, theirs = sent.get_item(tag), returned.get_item(tag)
    if not (isinstance(ours, RawDataElement) and isinstance(theirs, RawDataElement)) or ours.value != theirs.value:
        return False
    same_characters = sent.get("SpecificCharacterSet") == returned.get("SpecificCharacterSet")
    return same_characters or not ours.value or ours.value.isascii()


def _is_private_and_both(tag: BaseTag, returned: Dataset, sent: Dataset) -> bool:
    # Without a VR on the wire a private value comes back as unknown bytes, which do not compare.
    return tag.is_private and tag in returned and tag in sent and returned[tag].VR != sent[tag].VR


def _same_items(tag: BaseTag, returned: Dataset, sent: Dataset) -> bool:
    """Whether both are sequences of equal items; their text also depends on how VRs were told, and says nothing."""
    ours, theirs = sent.get(tag), returned.get(tag)
    if ours is None or theirs is None or ours.VR != "SQ" or theirs.VR != "SQ" or len(ours.value) != len(theirs.value):
        return False
    return not any(any(_changes(there, here)) for here, there in zip(ours.value, theirs.value, strict=True))


def _text(tag: BaseTag, dataset: Dataset) -> str:
    value = dataset[tag].value if tag in dataset else None
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.rstrip(b"\x00").hex()
    return str(value).strip("\x00 ")


def _is_other(change: dict[str, str]) -> bool:
    if change["keyword"] == "PatientName":  # empty components and letter case are a matter of form (PS3.5 6.2.1)
        return change["from"].rstrip("^= ").casefold() != change["to"].rstrip("^= ").casefold()
    return change["keyword"] in _IDENTITY
