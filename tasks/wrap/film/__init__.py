"""A scan of films becomes Secondary Capture objects: decoded once, measured, read, turned where that is decided, and proved.

| on the scan | objects |
| --- | --- |
| one film | the film; beside it a presentation state, where a decided turn is left to the viewer |
| several films that lie apart | each film, cut out without touching a pixel; the scan itself stays in its source |
| several films that may not be told apart | the scan as it is, with the doubt, which a person has to settle |
| paper: a sheet, or a PDF of text | a document, which stands in its study as an Encapsulated PDF |
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.configuration import FilmSource
from tasks.errors import QuarantineError
from tasks.keys import key_of, object_key, uid_of
from tasks.pixel_data import header_bytes
from tasks.sources import read_item
from tasks.stage import Outcome, Row, StageContext
from tasks.wrap.film.columns import bounds_column, fact_columns, modality_of
from tasks.wrap.film.decode import decode
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.encode import stage_film
from tasks.wrap.film.facts import FilmFacts, facts_of, facts_of_paper, moved
from tasks.wrap.film.geometry import FilmBounds, Found, Part, describe_split, find_films, split
from tasks.wrap.film.header import film_header, pixel_attributes, scanned_dpi, sop_class_of
from tasks.wrap.film.paper import UNKNOWN_DPI, encapsulated_pdf, first_page, is_document, looks_like_paper, pdf_of_sheet
from tasks.wrap.film.places import StoredAs
from tasks.wrap.film.presentation_state import presentation_state
from tasks.wrap.film.turn import describe_turn, turned

SCAN, FIRST_PART, PRESENTATION_STATE = 1, 2, 100  # parts of an item, from which object keys are made


@dataclass(frozen=True)
class _OnScan:
    """One film of a scan: its pixels and its place there.

    Where it was cut out: by which rectangle, of a scan of which SOP class, as which film of how many.
    """

    film: DecodedFilm
    bounds: FilmBounds | None
    part: Part | None = None
    scan_class: UID | None = None
    number: int = SCAN
    of: int = 1

    @property
    def key_part(self) -> int:
        """The part of the item that its object is."""
        return SCAN if self.part is None else FIRST_PART + self.number - 1


def wrap_film(row: Row, context: StageContext) -> Iterable[Outcome]:
    """Wraps one page of a scan (`items` row); yields its objects."""
    source = context.configuration.sources[row["source"]]
    if not isinstance(source, FilmSource):
        raise QuarantineError("a film outside a film source: report it with the item's key")
    data = read_item(context.configuration, row["source"], row["path"], sha256=row["sha256"])
    if row["media_type"] == "application/pdf" and is_document(data):
        yield _delivered_document(row, data, source, context)
        return
    film = decode(data, row["media_type"], row["page"], source.raw_film(row["path"], len(data)))
    del data
    if looks_like_paper(film):
        yield _scanned_document(row, film, source, context)
        return
    found = find_films(film.pixels, film.bits_stored)
    films = list(_films(film, found, source))
    del film
    objects: list[dict[str, Any]] = []
    while films:  # one film at a time, none kept: of a large one there is no room for two
        objects += _objects(films.pop(0), found, row, source, context)
    yield Outcome(row["item_key"], row["item_key"], rows={"objects": objects})


def _delivered_document(row: Row, data: bytes, source: FilmSource, context: StageContext) -> Outcome:
    """A PDF of text as it was delivered; what is read is read on its first page."""
    if row["page"] > 1:
        reason = "a page of a document, which stands whole in the object of its first page"
        return Outcome(row["item_key"], row["item_key"], "excluded", reason)
    listing: dict[str, str] = json.loads(row["listing"] or "{}")
    page = first_page(data)
    facts = facts_of_paper(page, source, context.configuration.wrap, listing)
    return _document(row, data, facts, listing, page, was_scanned=False)


def _scanned_document(row: Row, sheet: DecodedFilm, source: FilmSource, context: StageContext) -> Outcome:
    listing: dict[str, str] = json.loads(row["listing"] or "{}")
    facts = facts_of_paper(sheet, source, context.configuration.wrap, listing)
    dpi = scanned_dpi(sheet, source.digitizer) or UNKNOWN_DPI
    return _document(row, pdf_of_sheet(sheet, dpi, facts.orientation.turn or 0), facts, listing, sheet, was_scanned=True)


def _document(
    row: Row, file: bytes, facts: FilmFacts, listing: dict[str, str], page: DecodedFilm, *, was_scanned: bool
) -> Outcome:
    key = object_key(row["item_key"], SCAN)
    document = encapsulated_pdf(file, key, was_scanned=was_scanned)
    columns = _row(row, key, document, facts, listing, StoredAs(*page.pixels.shape[:2])) | {
        "transfer_syntax_uid": str(ExplicitVRLittleEndian)
    }
    return Outcome(row["item_key"], row["item_key"], rows={"objects": [columns]})


def _films(film: DecodedFilm, found: Found, source: FilmSource) -> Iterator[_OnScan]:
    if len(found.films) < 2 or found.doubt:
        yield _OnScan(film, found.films[0] if len(found.films) == 1 and not found.doubt else None)
        return
    parts, scan_class = split(film, found.films), sop_class_of(film, source.digitizer)
    for number, (part, bounds) in enumerate(zip(parts, found.films, strict=True), 1):
        yield _OnScan(part.film, moved(bounds, part.left, part.top), part, scan_class, number, len(parts))


def _objects(on_scan: _OnScan, found: Found, row: Row, source: FilmSource, context: StageContext) -> Iterator[dict[str, Any]]:
    settings = context.configuration.wrap
    listing: dict[str, str] = json.loads(row["listing"] or "{}")
    facts = facts_of(on_scan.film, on_scan.bounds, source, settings, listing)
    turn, mirrored = facts.orientation.turn or 0, facts.orientation.turn is not None and bool(facts.orientation.mirrored)
    lies_upright = not turn and not mirrored
    by_viewer = not lies_upright and (settings.turn == "pr" or on_scan.film.codestream is not None)
    stored = StoredAs(*on_scan.film.pixels.shape[:2])
    if not lies_upright and not by_viewer:
        on_scan = replace(on_scan, film=turned(on_scan.film, turn, mirrored))
        stored = replace(stored, turn=turn, mirrored=mirrored)
    film = on_scan.film

    digitizer = source.digitizer
    sop_class = sop_class_of(film, digitizer)
    key = object_key(row["item_key"], on_scan.key_part)
    attributes = pixel_attributes(film, sop_class)
    header = film_header(film, sop_class, key, modality_of(listing) or source.modality, digitizer, facts.examination)
    if not by_viewer:
        describe_turn(header, turn, mirrored)
        if facts.orientation.patient_orientation:
            header.PatientOrientation = facts.orientation.patient_orientation.split("\\")
    _cut_out(header, on_scan, row)
    staged = stage_film(film, attributes, settings.codec, context.staging, key)
    yield {
        **_row(row, key, header, facts, listing, stored),
        "film_bounds": bounds_column(found.films, found.doubt),
        "path": staged.element.path,
        "bytes": staged.element.bytes,
        "sha256": staged.element.sha256,
        "pixel_sha256": staged.pixel_sha256,
        "pixel_hash_kind": staged.pixel_hash_kind,
        "pixel_header": header_bytes(attributes),
        **facts.quality,
        "qc_digitizer": " ".join(filter(None, (digitizer.manufacturer, digitizer.model, digitizer.serial))) or None,
        "qc_scanned_at": film.scanned_at,
        "source_left_out": "; ".join(film.left_out) or None,
        "rows": film.pixels.shape[0],
        "columns": film.pixels.shape[1],
        "frames": 1,
        "bits_stored": int(attributes.BitsStored),
        "photometric": film.photometric,
        "transfer_syntax_uid": str(staged.transfer_syntax),
    }
    if by_viewer:
        beside = object_key(row["item_key"], PRESENTATION_STATE + on_scan.key_part)
        state = presentation_state(header, attributes, uid_of("series", key), beside, turn, mirrored, film.scanned_at)
        yield {**_row(row, beside, state, facts, listing, stored), "transfer_syntax_uid": str(ExplicitVRLittleEndian)}


def _row(row: Row, key: str, header: Dataset, facts: FilmFacts, listing: dict[str, str], stored: StoredAs) -> dict[str, Any]:
    """What the rows of a film and of its presentation state have in common; the latter's readings place it beside the film."""
    return {
        "object_key": key,
        "item_key": row["item_key"],
        "sop_instance_uid": str(header.SOPInstanceUID),
        "study_instance_uid": uid_of("study", key),
        "series_instance_uid": uid_of("series", key),
        "sop_class_uid": str(header.SOPClassUID),
        "kind": "film",
        "group_key": row["group_key"],
        "assembly_key": key_of("jacket", row["group_key"]),
        "source_header": header_bytes(header),
        "source_trailer": b"",
        "source_transfer_syntax_uid": str(ExplicitVRLittleEndian),
        "modality": str(header.Modality),
        "original_to_keep": header.Modality == "MG" or facts.examination.body_part == "BREAST",
        **fact_columns(facts, listing, stored),
    }


def _cut_out(header: Dataset, on_scan: _OnScan, row: Row) -> None:
    """Says of a part which scan it was cut out of; the scan's own UIDs are those it would have as an object."""
    if on_scan.part is None or on_scan.scan_class is None:
        return
    turned_then = header.get("DerivationDescription")
    scan = object_key(row["item_key"], SCAN)
    describe_split(header, (on_scan.scan_class, UID(uid_of("instance", scan))), on_scan.part, on_scan.number, on_scan.of)
    if turned_then:
        header.DerivationDescription += f". {turned_then}"
