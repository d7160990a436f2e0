"""A legacy DICOM object is taken over: header, Pixel Data element and trailer apart, the pixels byte for byte as they came.

Encodings that cannot be sent on (big endian, deflated) are brought to little endian losslessly; that the staged pixels are the
source's is proved by hashing both. What the header says wrongly is left for reconcile, which records what it changes.
"""

import re
from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.errors import QuarantineError
from tasks.keys import key_of, object_key, uid_of
from tasks.pixel_data import (
    PIXEL_KEYWORDS,
    compose,
    describe,
    encapsulated_copy,
    has_pixels,
    header_bytes,
    native_element,
    pixel_hash,
)
from tasks.sources import read_item
from tasks.stage import Outcome, Row, StageContext
from tasks.staging import stage_element
from tasks.wrap.dicom.read import read_object

_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)
_PIXEL_ATTRIBUTES = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
_VALID_UID = re.compile(r"(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2,}")


def is_valid_uid(uid: str) -> bool:
    """Whether a UID is one by PS3.5 section 9.1, and long enough to be anybody's own."""
    return 8 <= len(uid) <= 64 and _VALID_UID.fullmatch(uid) is not None


def wrap_dicom(row: Row, context: StageContext) -> Iterable[Outcome]:
    """Takes one legacy object (`items` row) over; yields its object."""
    data = read_item(context.configuration, row["source"], row["path"], sha256=row["sha256"])
    dataset = read_object(data)
    key = object_key(row["item_key"])
    columns = _split(dataset, key, context) | _identity(dataset, key, row["group_key"])
    yield Outcome(
        row["item_key"],
        row["item_key"],
        rows={"objects": [{"object_key": key, "item_key": row["item_key"], "group_key": row["group_key"], **columns}]},
    )


def _split(dataset: Dataset, key: str, context: StageContext) -> dict[str, Any]:
    """Header, staged element and trailer, with the proof that the pixels are the source's."""
    pixel_tag = next((dataset[name].tag for name in PIXEL_KEYWORDS if name in dataset), BaseTag(0x7FE00010))
    header, trailer, attributes = Dataset(), Dataset(), Dataset()
    for element in dataset:
        if element.tag.element == 0 or element.tag == 0xFFFCFFFC or element.tag.group < 8 or element.tag == pixel_tag:
            continue  # group lengths and trailing padding are retired, group 2 is the file's
        if element.tag > pixel_tag:
            trailer[element.tag] = element
        elif element.keyword in _PIXEL_ATTRIBUTES and has_pixels(dataset):
            attributes[element.tag] = element
        else:
            header[element.tag] = element
    columns: dict[str, Any] = {
        "source_header": _encoded(header),
        "source_trailer": _encoded(trailer),
        "pixel_header": _encoded(attributes),
        "source_transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "transfer_syntax_uid": str(ExplicitVRLittleEndian),
    }
    if not has_pixels(dataset):
        return columns
    return columns | _staged(dataset, pixel_tag, attributes, key, context)


def _encoded(dataset: Dataset) -> bytes:
    try:
        return header_bytes(dataset)
    except Exception as error:  # pydicom raises many classes on values that break their VR
        raise QuarantineError(f"the header has values that cannot be written again ({type(error).__name__})") from error


def _staged(dataset: Dataset, tag: BaseTag, attributes: Dataset, key: str, context: StageContext) -> dict[str, Any]:
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    digest, kind = pixel_hash(dataset)
    if syntax in _UNCOMPRESSED:
        element = native_element(_little_endian(dataset, tag, syntax), _vr(dataset, tag), tag)
        syntax = UID(ExplicitVRLittleEndian)
    else:
        element = encapsulated_copy(dataset.PixelData)
    proved, _ = pixel_hash(compose(header_bytes(attributes), element, b"", syntax))
    if proved != digest:
        raise QuarantineError("the staged pixels are not those of the source: report it with the item's key")
    staged = stage_element(context.staging, key, element)
    shape = describe(dataset)
    return {
        "path": staged.path,
        "bytes": staged.bytes,
        "sha256": staged.sha256,
        "pixel_sha256": digest,
        "pixel_hash_kind": kind,
        "transfer_syntax_uid": str(syntax),
        "rows": shape.rows,
        "columns": shape.columns,
        "frames": shape.number_of_frames,
        "bits_stored": shape.bits_stored,
        "photometric": shape.photometric_interpretation,
    }


def _vr(dataset: Dataset, tag: BaseTag) -> str:
    if tag != 0x7FE00010:
        return str(dataset[tag].VR)
    return "OW" if int(dataset.get("BitsAllocated", 8)) > 8 else "OB"


def _little_endian(dataset: Dataset, tag: BaseTag, syntax: UID) -> bytes:
    value = bytes(dataset[tag].value)
    bits = int(dataset.get("BitsAllocated", 8))
    if syntax != ExplicitVRBigEndian or (bits <= 8 and dataset[tag].VR == "OB"):
        return value
    if bits > 32 or len(value) % 2:
        raise QuarantineError("big-endian pixels of a kind that is not converted")
    width = 4 if bits == 32 else 2  # OW swaps words, also where they hold two 8-bit pixels (PS3.5 section 7.3)
    return b"".join(value[i : i + width][::-1] for i in range(0, len(value), width))


def _identity(dataset: Dataset, key: str, group_key: str) -> dict[str, Any]:
    """Who, what and when by the header; UIDs that are none are replaced by ones minted per medium and patient."""
    sop_class = str(dataset.get("SOPClassUID", ""))
    if not is_valid_uid(sop_class):
        raise QuarantineError("no SOP Class UID: what kind of object it is cannot be told")
    patient = str(dataset.get("PatientID", "") or "")
    uids = {}
    for keyword, purpose in (("StudyInstanceUID", "study"), ("SeriesInstanceUID", "series"), ("SOPInstanceUID", "instance")):
        uid = str(dataset.get(keyword, "") or "")
        own = key if purpose == "instance" and not uid else uid
        uids[purpose] = uid if is_valid_uid(uid) else uid_of(purpose, group_key, patient, own)
    return {
        "kind": "dicom",
        "sop_class_uid": sop_class,
        "sop_instance_uid": uids["instance"],
        "study_instance_uid": uids["study"],
        "series_instance_uid": uids["series"],
        "assembly_key": key_of("study", uids["study"]),
        "modality": _text(dataset, "Modality"),
        **_labels(dataset),
    }


def _text(dataset: Dataset, keyword: str) -> str | None:
    """One value as text, or `None` where it is absent, empty or cannot be decoded."""
    try:
        value = dataset.get(keyword)
        text = str(value[0] if isinstance(value, list | tuple) and value else value if value is not None else "")
    except Exception:  # values that break their VR or character set raise whatever pydicom raises
        return None
    return text.strip("\x00 ") or None


def _labels(dataset: Dataset) -> dict[str, Any]:
    name = (_text(dataset, "PatientName") or "").split("=")[0].rstrip("^")
    values = {
        "patient_name": name or None,
        "patient_id": _text(dataset, "PatientID"),
        "birth_date": _date(_text(dataset, "PatientBirthDate")),
        "sex": sex if (sex := _text(dataset, "PatientSex")) in ("M", "F", "O") else None,
        "study_date": _date(_text(dataset, "StudyDate")),
        "accession": _text(dataset, "AccessionNumber"),
        "institution": _text(dataset, "InstitutionName"),
    }
    columns: dict[str, Any] = {}
    for field, value in values.items():
        if value:
            columns |= {f"label_{field}": value, f"label_{field}_confidence": 1.0, f"label_{field}_origin": "header"}
    return columns


def _date(text: str | None) -> str | None:
    digits = (text or "").replace(".", "")
    return digits if re.fullmatch(r"(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", digits) else None
