"""A scan of several films as one picture a film: the same pixels within upright rectangles, nothing turned or resampled.

Every pixel of a film is in its part; where films do not overlap, neither do their parts. The unsplit scan stays beside them, so
that nothing at all is lost, and each part names it as its source.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID

from tasks.wrap.film.decoded import DecodedFilm
from tasks.wrap.film.geometry.film import FilmBounds

_MARGIN = 0.02  # of a part's longest side, around the film
_MARGIN_UNSEEN = 0.25  # where a side of the film was not seen


@dataclass(frozen=True)
class Part:
    """The pixels of one film, and the rectangle of the scan that they fill: left, top, width, height in pixels."""

    film: DecodedFilm
    left: int
    top: int
    width: int
    height: int


def split(film: DecodedFilm, bounds: Sequence[FilmBounds]) -> tuple[Part, ...]:
    """Cuts each of the films in `bounds` out of a scan, in their order; the pixels of a part are a view of the scan's."""
    extents = [bound.extent for bound in bounds]
    parts = []
    for number, bound in enumerate(bounds):
        others = extents[:number] + extents[number + 1 :]
        left, top, right, bottom = _with_margin(bound, others, film.pixels.shape)
        parts.append(Part(_cut(film, left, top, right, bottom), left, top, right - left, bottom - top))
    return tuple(parts)


def describe_split(dataset: Dataset, scan: tuple[UID, UID], part: Part, number: int, of: int) -> None:
    """Says in a part's data set what it is: `number` (from 1) `of` so many, cut out of `scan` (SOP class and instance UID).

    General Image (PS3.3 C.7.6.1): Image Type, Derivation Description, and the scan in Source Image Sequence with its purpose of
    CID 7202. No Derivation Code Sequence: CID 7203 has no code for cutting out (113131 would claim that each film shows another
    patient).
    """
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.DerivationDescription = (
        f"Film {number} of {of} on one scan: columns {part.left + 1} to {part.left + part.width}, "
        f"rows {part.top + 1} to {part.top + part.height}, pixel values unchanged"
    )
    purpose = Dataset()
    purpose.CodeValue = "121322"
    purpose.CodingSchemeDesignator = "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = scan
    source.PurposeOfReferenceCodeSequence = Items([purpose])
    dataset.SourceImageSequence = Items([source])


def _cut(film: DecodedFilm, left: int, top: int, right: int, bottom: int) -> DecodedFilm:
    """A rectangle of a scan. A source's own compressed data cannot be cut; what decoding it gave is RGB or gray."""
    photometric = "RGB" if film.pixels.ndim == 3 else film.photometric
    pixels = film.pixels[top:bottom, left:right]
    return replace(film, pixels=pixels, photometric=photometric, codestream=None, transfer_syntax=None)


def _with_margin(
    bound: FilmBounds, others: Sequence[tuple[int, int, int, int]], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """The extent of a film with a margin: at most up to the scan's edge and half way to each other film."""
    left, top, right, bottom = bound.extent
    margin = max(1, round(_MARGIN * max(right - left, bottom - top)))
    wide = round(_MARGIN_UNSEEN * max(right - left, bottom - top))
    room = {side: wide if bound.unseen == side else margin for side in ("top", "right", "bottom", "left")}
    for other in others:
        gaps = {"left": left - other[2], "right": other[0] - right, "top": top - other[3], "bottom": other[1] - bottom}
        side = max(gaps, key=lambda name: gaps[name])  # the way in which they lie furthest apart
        # Of an odd gap the part further right or down takes the middle pixel, so that no two parts share one.
        half = gaps[side] // 2 if side in ("right", "bottom") else (gaps[side] + 1) // 2
        room[side] = int(np.clip(half, 0, room[side]))
    return (
        max(0, left - room["left"]),
        max(0, top - room["top"]),
        min(shape[1], right + room["right"]),
        min(shape[0], bottom + room["bottom"]),
    )
