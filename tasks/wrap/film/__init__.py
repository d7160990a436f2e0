"""A scan of a film becomes a Secondary Capture object: decoded once, measured, its label read, encoded and proved."""

import json
import re
from collections.abc import Iterable
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian

from tasks.configuration import FilmSource
from tasks.errors import QuarantineError
from tasks.keys import key_of, object_key, uid_of
from tasks.pixel_data import header_bytes
from tasks.schemas import LABEL_FIELDS
from tasks.sources import read_item
from tasks.stage import Outcome, Row, StageContext
from tasks.staging import stage_element
from tasks.wrap.film.dates import parse_date
from tasks.wrap.film.decode import decode
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.encode import encode
from tasks.wrap.film.examination import examination_of
from tasks.wrap.film.header import film_header, pixel_attributes, sop_class_of
from tasks.wrap.film.labels import Reading, read_fields
from tasks.wrap.film.ocr import LabelText, read_labels
from tasks.wrap.film.quality import measure

MANIFEST_YEARS = (1850, 2099)
MANIFEST_CONFIDENCE = 0.5  # a vendor's index says what the jacket should hold, not what this film shows


def wrap_film(row: Row, context: StageContext) -> Iterable[Outcome]:
    """Wraps one page of a scan (`items` row); yields its object."""
    source = context.configuration.sources[row["source"]]
    if not isinstance(source, FilmSource):
        raise QuarantineError("a film outside a film source: report it with the item's key")
    data = read_item(context.configuration, row["source"], row["path"], sha256=row["sha256"])
    film = decode(data, row["media_type"], row["page"])
    listing: dict[str, str] = json.loads(row["listing"] or "{}")
    labels = read_labels(film.pixels, context.configuration.wrap.ocr)
    key = object_key(row["item_key"])
    yield Outcome(
        row["item_key"],
        row["item_key"],
        rows={"objects": [_object(key, row, film, source, listing, labels, context)]},
    )


def _object(
    key: str,
    row: Row,
    film: DecodedFilm,
    source: FilmSource,
    listing: dict[str, str],
    labels: list[LabelText],
    context: StageContext,
) -> dict[str, Any]:
    modality = _modality(listing) or source.modality
    sop_class = sop_class_of(film, source.digitizer)
    attributes = pixel_attributes(film, sop_class)
    examination = examination_of(labels, listing)
    header = film_header(film, sop_class, key, modality, source.digitizer, examination)
    encoded = encode(film, attributes, context.configuration.wrap.codec)
    staged = stage_element(context.staging, key, encoded.element)
    return {
        "object_key": key,
        "item_key": row["item_key"],
        "sop_instance_uid": str(header.SOPInstanceUID),
        "study_instance_uid": uid_of("study", key),
        "series_instance_uid": uid_of("series", key),
        "sop_class_uid": str(sop_class),
        "kind": "film",
        "group_key": row["group_key"],
        "assembly_key": key_of("jacket", row["group_key"]),
        "path": staged.path,
        "bytes": staged.bytes,
        "sha256": staged.sha256,
        "pixel_sha256": encoded.pixel_sha256,
        "pixel_hash_kind": encoded.pixel_hash_kind,
        "pixel_header": header_bytes(attributes),
        "source_header": header_bytes(header),
        "source_trailer": b"",
        "source_transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "modality": modality,
        "body_part": examination.body_part,
        "image_laterality": examination.laterality,
        "view": examination.view.meaning if examination.view else None,
        "rows": film.pixels.shape[0],
        "columns": film.pixels.shape[1],
        "frames": 1,
        "bits_stored": int(attributes.BitsStored),
        "photometric": film.photometric,
        "transfer_syntax_uid": str(encoded.transfer_syntax),
        "label_text": "\n".join(line.text for label in labels for line in label.first),
        **_label_columns(read_fields(labels, source.years), listing),
        # What the file says of its turn, and text that is legible only mirrored: evidence for whoever decides.
        "rotation": film.turn,
        "mirrored": True if any(label.mirrored for label in labels) else film.mirrored,
        **measure(film.pixels, film.bits_stored),
    }


def _modality(listing: dict[str, str]) -> str | None:
    """Modality (0008,0060) as the manifest says it film by film, where it is a code string."""
    value = (listing.get("modality") or "").strip().upper()
    return value if re.fullmatch(r"[A-Z]{2,16}", value) else None


def _label_columns(read: dict[str, Reading], listing: dict[str, str]) -> dict[str, Any]:
    """Readings as columns; what was not read is filled from the manifest, with that origin."""
    columns: dict[str, Any] = {}
    for field in LABEL_FIELDS:
        reading = read.get(field) or _from_manifest(field, listing)
        if reading:
            columns[f"label_{field}"] = reading.value
            columns[f"label_{field}_confidence"] = reading.confidence
            columns[f"label_{field}_origin"] = reading.origin
    return columns


def _from_manifest(field: str, listing: dict[str, str]) -> Reading | None:
    """What the vendor's index says of the jacket, normalised; `None` where it says nothing or nothing clear."""
    value = str(listing.get({"patient_name": "name"}.get(field, field)) or "").strip().upper()
    if field == "patient_name":
        family, _, given = value.partition("^" if "^" in value else ",")
        value = f"{family.strip()}^{given.strip()}" if family.strip() and given.strip() else ""
    elif field in ("birth_date", "study_date"):
        value = (value if re.fullmatch(r"\d{8}", value) else parse_date(value, MANIFEST_YEARS)) or ""
    return Reading(value, MANIFEST_CONFIDENCE, "manifest") if value else None
