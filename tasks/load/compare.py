"""What came back from the target against what was sent: pixels by hash, the header attribute by attribute."""

import warnings
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from tasks.errors import QuarantineError
from tasks.pixel_data import has_pixels, pixel_hash
from tasks.stage import Row

_MUST_AGREE = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_NOT_COMPARED = frozenset({"SpecificCharacterSet", "PixelData", "FloatPixelData", "DoubleFloatPixelData"})
# A lossless rendition describes the same pixels in another way.
_DESCRIBES_ENCODING = frozenset({"PlanarConfiguration", "PhotometricInterpretation"})


@dataclass(frozen=True)
class Returned:
    """An object as the target gave it back: its pixel hash, what the target changed, and what is wrong with that."""

    pixel_sha256: str | None
    coerced: list[dict[str, str]] = field(default_factory=list)
    fault: str = ""


def judge_returned(returned: Dataset, sent: Dataset, row: Row) -> Returned:
    """Compares one object; a fault names attributes by keyword, never their values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        digest, fault = None, ""
        if row["pixel_sha256"]:
            digest, fault = _pixels(returned, row)
        coerced = _coercions(returned, sent)
        identity = sorted({change["keyword"] for change in coerced} & set(_MUST_AGREE))
        if identity:
            fault = fault or f"the target changed {', '.join(identity)}"
        shown = [{"keyword": c["keyword"]} if c["keyword"] in _MUST_AGREE else c for c in coerced]
        return Returned(digest, shown, fault)


def _pixels(returned: Dataset, row: Row) -> tuple[str | None, str]:
    if not has_pixels(returned):
        return None, "it has no pixels"
    try:
        digest, kind = pixel_hash(returned)
    except QuarantineError as error:
        return None, str(error)
    if digest != row["pixel_sha256"] or kind != row["pixel_hash_kind"]:
        return digest, "its pixels are others"
    return digest, ""


def _coercions(returned: Dataset, sent: Dataset) -> list[dict[str, str]]:
    changes = []
    for tag in sorted({*returned.keys(), *sent.keys()}):
        ours, theirs = sent.get(tag), returned.get(tag)
        element = ours if ours is not None else theirs
        if element is None or tag.element == 0 or tag.group > 0x7FE0 or tag == 0xFFFCFFFC:
            continue
        keyword = element.keyword or str(tag)
        if keyword in _NOT_COMPARED or keyword in _DESCRIBES_ENCODING or tag.is_private:
            continue
        old, new = _text(ours), _text(theirs)
        if old != new:
            changes.append({"keyword": keyword, "from": old[:200], "to": new[:200]})
    return changes


def _text(element: object) -> str:
    value = getattr(element, "value", None)
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.rstrip(b"\x00").hex()
    return str(value).strip("\x00 ")
