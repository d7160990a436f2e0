"""Facts of a film as columns of `objects`; what was not read on it is filled from the vendor's manifest, with that origin."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tasks.schemas import LABEL_FIELDS
from tasks.wrap.film.barcodes import Barcode
from tasks.wrap.film.dates import parse_date
from tasks.wrap.film.facts import FilmFacts
from tasks.wrap.film.geometry import FilmBounds
from tasks.wrap.film.labels import Reading, legible_share
from tasks.wrap.film.markers import Marker
from tasks.wrap.film.places import StoredAs
from tasks.wrap.film.text import LabelText

MANIFEST_YEARS = (1850, 2099)
_LEGIBLE = 0.5  # the share of a label's lines that was read with some certainty; hand-writing mostly stays below
MANIFEST_CONFIDENCE = 0.5  # a vendor's index says what the jacket should hold, not what this film shows


def fact_columns(facts: FilmFacts, listing: Mapping[str, str], stored: StoredAs) -> dict[str, Any]:
    """Labels, markers, orientation and examination; places are in pixels of the picture as it is stored."""
    examination, orientation = facts.examination, facts.orientation
    read = [*(_region(label, stored) for label in facts.labels), *(_barcode(barcode, stored) for barcode in facts.barcodes)]
    return {
        **label_columns(facts.fields, listing),
        "label_text": "\n".join(line.text for label in facts.labels for line in label.lines if line.text),
        "label_regions": _json(read),
        "markers": _json(_marker(marker, stored) for marker in facts.markers),
        "rotation": orientation.turn,
        "mirrored": orientation.mirrored,
        "turn_evidence": orientation.evidence,
        "body_part": examination.body_part,
        "image_laterality": examination.laterality,
        "view": examination.view.meaning if examination.view else None,
    }


def bounds_column(films: Iterable[FilmBounds], doubt: str | None) -> str | None:
    """`film_bounds`: the films' corners, and why they may not be cut apart; `None` where the scan shows no bed."""
    corners = [film.corners for film in films]
    if not corners and not doubt:
        return None
    return json.dumps({"films": corners, **({"doubt": doubt} if doubt else {})}, sort_keys=True)


def modality_of(listing: Mapping[str, str]) -> str | None:
    """Modality (0008,0060) as the manifest says it, where that is a code string."""
    value = (listing.get("modality") or "").strip().upper()
    return value if re.fullmatch(r"[A-Z]{2,16}", value) else None


def label_columns(read: Mapping[str, Reading], listing: Mapping[str, str]) -> dict[str, Any]:
    """The `label_*` columns of the fields that were read, or that the manifest says."""
    columns: dict[str, Any] = {}
    for field in LABEL_FIELDS:
        reading = read.get(field) or _from_manifest(field, listing)
        if reading:
            columns[f"label_{field}"] = reading.value
            columns[f"label_{field}_confidence"] = reading.confidence
            columns[f"label_{field}_origin"] = reading.origin
    return columns


def _from_manifest(field: str, listing: Mapping[str, str]) -> Reading | None:
    """What the vendor's index says of the jacket, normalised; `None` where it says nothing or nothing clear."""
    value = str(listing.get({"patient_name": "name"}.get(field, field)) or "").strip().upper()
    if field == "patient_name":
        family, _, given = value.partition("^" if "^" in value else ",")
        value = f"{family.strip()}^{given.strip()}" if family.strip() and given.strip() else ""
    elif field in ("birth_date", "study_date"):
        value = (value if re.fullmatch(r"\d{8}", value) else parse_date(value, MANIFEST_YEARS)) or ""
    return Reading(value, MANIFEST_CONFIDENCE, "manifest") if value else None


def _region(label: LabelText, stored: StoredAs) -> dict[str, Any]:
    text = "\n".join(line.text for line in label.lines if line.text)
    legible = legible_share(label) >= _LEGIBLE
    return {**stored.place(label.rectangle, label.turn, label.mirrored), "text": text, "legible": legible, "origin": "ocr"}


def _barcode(barcode: Barcode, stored: StoredAs) -> dict[str, Any]:
    return {**stored.place(barcode.rectangle, barcode.turn), "text": barcode.text, "legible": True, "origin": "barcode"}


def _marker(marker: Marker, stored: StoredAs) -> dict[str, Any]:
    rectangle = (marker.left, marker.top, marker.width, marker.height)
    place = stored.place(rectangle, marker.turn or 0, bool(marker.mirrored))
    unknown = {name: None for name in ("turn", "mirrored") if getattr(marker, name) is None}
    return {**place, **unknown, "text": marker.text}


def _json(parts: Iterable[dict[str, Any]]) -> str | None:
    listed = list(parts)
    return json.dumps(listed, sort_keys=True, ensure_ascii=False) if listed else None
