"""The films on the bed of a scanner: found on a small copy, their sides then laid through the edges in the full scan.

A scan without a bed gives none. Where what lies on the bed does not add up to separate films, the doubt is told instead of a
guess: a film cut in two is worse than two films left in one scan.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.geometry.apart import LEVEL, TOUCHING, doubt_about
from tasks.wrap.film.geometry.bed import KINDS, Bed, WorkingCopy, find_bed, working_copy
from tasks.wrap.film.geometry.collimation import soft_edged
from tasks.wrap.film.geometry.edges import Ground, find_edge
from tasks.wrap.film.geometry.film import SIDES, FilmBounds, Side
from tasks.wrap.film.geometry.rectangle import Rectangle, corners_of, is_stepped, meet, outward, rectangle_of

_LEAST_AREA = 0.03  # of the scan, that a film covers
_LEAST_SIDE = 0.08  # of the scan's longest side
_RUBBISH = 0.002  # of the scan: what is smaller than that is dust or a hair
_LEAST_COVER = 0.2  # of the scan, by all films
_MOST_LEFT_OVER = 0.2  # of what the films cover, that is no film
_NECK = 5  # what joins two films by no more than so many pixels of the working copy does not
_LEAST_SIDE_OF_SCAN = 64
_REACH = 4  # how far the first guess of a side may be off, in pixels of the working copy


@dataclass(frozen=True)
class Found:
    """The films on a bed, from the top left on, and why they may not be cut apart, where there is a doubt.

    None are given, only the doubt, where what lies there may be views on one film, or films that cannot be told apart.
    """

    films: tuple[FilmBounds, ...] = ()
    doubt: str | None = None


def film_bounds(pixels: NDArray[Any], bits: int) -> tuple[FilmBounds, ...]:
    """The films on the bed, as `find_films` gives them; none where the scan shows no bed."""
    return find_films(pixels, bits).films


def find_films(pixels: NDArray[Any], bits: int) -> Found:
    """Finds the films in a scan (rows x columns [x 3], unsigned, of so many bits stored), whatever its polarity."""
    if bits < 2 or min(pixels.shape[:2]) < _LEAST_SIDE_OF_SCAN:
        return Found()
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    copy = working_copy(gray)
    for kind in KINDS:
        bed = find_bed(copy, kind)
        found = Found() if bed is None else _on_bed(gray, copy, bed)
        if found.films or found.doubt:
            return found
    return Found()


def _on_bed(gray: NDArray[Any], copy: WorkingCopy, bed: Bed) -> Found:
    films, covered, left_over, stepped = [], 0, 0, False
    for piece, box in _pieces(bed):
        rectangle = rectangle_of(piece)
        if rectangle is None or not _may_be_film(rectangle, copy, bed):
            left_over += int(piece.sum())
            continue
        stepped |= is_stepped(piece, rectangle)
        covered += int(piece.sum())
        films.append(_measured(gray, copy, bed, rectangle, box))
    if left_over > _MOST_LEFT_OVER * covered or covered < _LEAST_COVER * copy.gray.size:
        return Found()  # rectangles among other things, or small ones: labels on a dark film
    if stepped:
        return Found((), TOUCHING)
    films.sort(key=lambda film: (film.extent[1], film.extent[0]))
    doubt = doubt_about(films, left_over) if len(films) > 1 else None
    return Found(() if doubt == LEVEL else tuple(films), doubt)


def _pieces(bed: Bed) -> list[tuple[NDArray[np.uint8], tuple[int, int, int, int]]]:
    """What lies on the bed, piece by piece: a mask of the working copy and the box (left, top, right, bottom) around it."""
    kernel = np.ones((_NECK, _NECK), np.uint8)
    lying = cv2.morphologyEx(1 - bed.mask, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(lying)
    pieces = []
    for number in range(1, count):
        left, top, width, height, area = boxes[number].tolist()
        if area >= _RUBBISH * lying.size:
            pieces.append(((labels == number).astype(np.uint8), (left, top, left + width, top + height)))
    return pieces


def _may_be_film(rectangle: Rectangle, copy: WorkingCopy, bed: Bed) -> bool:
    """Whether a rectangle is large enough for a film and, on a light table, has the sharp edge of one."""
    rows, columns = copy.gray.shape
    corners = corners_of(rectangle, copy.gray.shape)
    width, height = (float(np.hypot(*(corners[a] - corners[b]))) for a, b in ((1, 0), (3, 0)))
    if min(width, height) < _LEAST_SIDE * max(rows, columns) or width * height < _LEAST_AREA * rows * columns:
        return False
    sides = [(corners[number], corners[(number + 1) % 4]) for number in range(4) if rectangle.lines[number] is not None]
    return bed.kind == "dark" or not soft_edged(copy, bed, sides)


def _measured(
    gray: NDArray[Any], copy: WorkingCopy, bed: Bed, rectangle: Rectangle, box: tuple[int, int, int, int]
) -> FilmBounds:
    step = np.array(copy.step)
    corners = corners_of(rectangle, bed.mask.shape) * step
    reach = int(np.ceil(_REACH * step.max()))
    directions, distances, skews = [], [], []
    for number, side in enumerate(SIDES):
        start, end = corners[number], corners[(number + 1) % 4]
        seen = rectangle.lines[number] is not None
        edge = find_edge(gray, start, end, reach, _ground(copy, bed, (start + end) / 2)) if seen else None
        normal = outward(side, rectangle.skew if seen else 0.0) if edge is None else edge.normal
        directions.append(normal)
        distances.append(float(start @ normal) if edge is None else edge.distance)
        if edge is not None:
            skews.append(_skew_of(edge.normal, side))
    exact = meet(np.array(directions), np.array(distances))
    return FilmBounds(
        corners=tuple((round(x, 2), round(y, 2)) for x, y in exact.tolist()),  # type: ignore[arg-type]
        skew=round(float(np.mean(skews)) if skews else rectangle.skew, 3),
        cut_off=rectangle.cut_off,
        unseen=rectangle.unseen,
        extent=_extent(exact, np.array(box) * np.tile(step, 2), gray.shape),
    )


def _ground(copy: WorkingCopy, bed: Bed, place: NDArray[np.float64]) -> Ground:
    """The bed beside a place (column, row) of the scan."""
    column, row = np.clip(place / copy.step, 0, np.array(bed.level.shape[::-1]) - 1).astype(int).tolist()
    level = copy.low + copy.span * float(bed.level[row, column])
    return Ground(level, copy.span * bed.tolerance, bed.kind == "bright")


def _skew_of(normal: NDArray[np.float64], side: Side) -> float:
    """Degrees clockwise that a side is turned which faces `normal`."""
    unturned = outward(side, 0.0)
    return float(np.rad2deg(np.arctan2(unturned[0] * normal[1] - unturned[1] * normal[0], unturned @ normal)))


def _extent(corners: NDArray[np.float64], box: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    left, top = np.floor(np.minimum(corners.min(axis=0), box[:2])).astype(int).tolist()
    right, bottom = np.ceil(np.maximum(corners.max(axis=0), box[2:])).astype(int).tolist()
    return max(left, 0), max(top, 0), min(right, shape[1]), min(bottom, shape[0])
