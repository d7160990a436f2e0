"""A scan of a film becomes a Secondary Capture object: decoded once, measured, its label read, encoded losslessly and proved."""

import json
from collections.abc import Iterable
from typing import Any

from tasks.configuration import FilmSource
from tasks.errors import QuarantineError
from tasks.keys import key_of, object_key, uid_of
from tasks.pixel_data import header_bytes
from tasks.schemas import LABEL_FIELDS
from tasks.sources import read_item
from tasks.stage import Outcome, Row, StageContext
from tasks.staging import stage_element
from tasks.wrap.film.decode import DecodedFilm, decode
from tasks.wrap.film.encode import encode
from tasks.wrap.film.header import film_header, pixel_attributes, sop_class_of
from tasks.wrap.film.labels import Reading, read_fields
from tasks.wrap.film.ocr import LabelText, read_labels
from tasks.wrap.film.quality import measure

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
    modality = listing.get("modality") or source.modality
    attributes = pixel_attributes(film, film.photometric)
    header = film_header(film, key, modality, source.digitizer)
    element, syntax, digest, kind = encode(film, attributes, context.configuration.wrap.codec)
    staged = stage_element(context.staging, key, element)
    return {
        "object_key": key,
        "item_key": row["item_key"],
        "sop_instance_uid": str(header.SOPInstanceUID),
        "study_instance_uid": uid_of("study", key),
        "series_instance_uid": uid_of("series", key),
        "sop_class_uid": str(sop_class_of(film)),
        "kind": "film",
        "group_key": row["group_key"],
        "assembly_key": key_of("jacket", row["group_key"]),
        "path": staged.path,
        "bytes": staged.bytes,
        "sha256": staged.sha256,
        "pixel_sha256": digest,
        "pixel_hash_kind": kind,
        "pixel_header": header_bytes(attributes),
        "source_header": header_bytes(header),
        "source_trailer": b"",
        "source_transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": modality,
        "rows": film.pixels.shape[0],
        "columns": film.pixels.shape[1],
        "frames": 1,
        "bits_stored": film.bits_stored,
        "photometric": film.photometric,
        "transfer_syntax_uid": str(syntax),
        "label_text": "\n".join(line.text for label in labels for line in label.first),
        **_label_columns(read_fields(labels, source.years), listing),
        "mirrored": True if any(label.mirrored for label in labels) else None,
        **measure(film.pixels, film.bits_stored),
    }


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
    value = listing.get({"patient_name": "name"}.get(field, field))
    if value and field == "patient_name":
        family, _, given = value.upper().partition(",")
        value = f"{family.strip()}^{given.strip()}"
    return Reading(value, MANIFEST_CONFIDENCE, "manifest") if value else None
