"""All that is told of a film from the one array it was decoded into: text, markers, orientation, bounds, quality.

Nothing here knows of tables or writes anything; what a fact rests on stands beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.configuration import FilmSource, Wrap
from tasks.wrap.film.barcodes import Barcode, read_barcodes
from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.examination import Examination, examination_of
from tasks.wrap.film.geometry import FilmBounds
from tasks.wrap.film.header import scanned_dpi
from tasks.wrap.film.labels import Reading, read_fields
from tasks.wrap.film.markers import Marker, read_markers
from tasks.wrap.film.ocr import read_labels
from tasks.wrap.film.orientation import Orientation, decide_orientation
from tasks.wrap.film.quality import measure
from tasks.wrap.film.text import LabelText


@dataclass(frozen=True)
class FilmFacts:
    """What was read on a film and measured of it; places are in pixels of the scan, which is not turned yet."""

    labels: tuple[LabelText, ...]
    barcodes: tuple[Barcode, ...]
    fields: Mapping[str, Reading]
    markers: tuple[Marker, ...]
    orientation: Orientation
    examination: Examination
    quality: Mapping[str, Any]


def facts_of(
    film: DecodedFilm, bounds: FilmBounds | None, source: FilmSource, settings: Wrap, listing: Mapping[str, str]
) -> FilmFacts:
    """The facts of a film; `bounds` is its place in the scan, `listing` what the manifest says of its jacket."""
    shown = _dark_is_zero(film)
    labels = tuple(read_labels(shown, settings.ocr))
    barcodes = tuple(read_barcodes(shown))
    markers = tuple(read_markers(shown))
    quality = measure(
        film.pixels,
        film.bits_stored,
        photometric=film.photometric,
        dpi=scanned_dpi(film, source.digitizer),
        bounds=bounds,
        wedge=settings.wedge,
    )
    return FilmFacts(
        labels,
        barcodes,
        read_fields(labels, source.years, barcodes),
        markers,
        decide_orientation(shown, labels, markers, film.turn, film.mirrored),
        examination_of(labels, listing),
        quality,
    )


def facts_of_paper(sheet: DecodedFilm, source: FilmSource, settings: Wrap, listing: Mapping[str, str]) -> FilmFacts:
    """What is read on a sheet of paper; it has no anatomy, no lead markers and none of a film's qualities."""
    shown = _dark_is_zero(sheet)
    labels, barcodes = tuple(read_labels(shown, settings.ocr)), tuple(read_barcodes(shown))
    ways = {(label.turn, label.mirrored) for label in labels}
    turn = ways.pop()[0] if len(ways) == 1 else None
    orientation = Orientation(turn, None, "the text on the paper" if turn is not None else "no text that agrees on the turn")
    return FilmFacts(labels, barcodes, read_fields(labels, source.years, barcodes), (), orientation, Examination(), {})


def _dark_is_zero(film: DecodedFilm) -> NDArray[Any]:
    if film.photometric != "MONOCHROME1":
        return film.pixels
    full = film.pixels.dtype.type(2**film.bits_stored - 1)
    return np.asarray(full - film.pixels)


def moved(bounds: FilmBounds, left: int, top: int) -> FilmBounds:
    """Bounds in pixels of a part that was cut out of the scan at (left, top)."""
    first, second, third, fourth = ((x - left, y - top) for x, y in bounds.corners)
    x0, y0, x1, y1 = bounds.extent
    return replace(bounds, corners=(first, second, third, fourth), extent=(x0 - left, y0 - top, x1 - left, y1 - top))
