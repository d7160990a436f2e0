"""Rectangles on a bed: straight, square outlines of what is not bed.

Each piece of what is not bed is told by its outline. The direction most of the outline runs in, modulo a quarter turn, is the
film's skew; its sides are the outermost straight stretches in that direction. A piece is a film where its sides are seen:
where enough of each runs straight beside the bed, or lies at the edge of the scan. What a dark lid or a clear film base
swallows of an outline leaves a gap in a side; what juts out (a sticker, a thumb tab) does not move a side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.geometry.film import SIDES, Side

_STRIDE = 10  # points of the outline to either side over which its direction is taken
_MOST_SKEW = 20.0  # degrees; a film that lies further turned was not laid on the bed to be scanned
_FACING, _FACING_EDGE = 0.97, 0.9  # cosine of how far a stretch of a side, or of the scan's edge, may face away from it
_RUNNING = 0.4  # least share of an outline that runs in its film's two directions
_BAND = 3.0  # how far a straight side may waver, in pixels of the working copy
_STRETCH = 0.15  # least share of a side that one straight stretch of it must have
_SHARE = 0.3  # least share of a side that is seen, else the side is not
_MEAN_OF_FOUR, _MEAN_OF_THREE = 0.45, 0.6  # least mean share of four sides, of three where one is not seen
_WHOLE = 0.8  # least share of a side that is seen as a whole
_CUT = 0.05  # least share of a side at the edge of the scan where the film goes on beyond it
_FILLED = 0.7  # least share of the rectangle that is not bed
_NOTCH = 0.02  # least area of a notch, of the rectangle
_SQUARE = 0.85  # least share of the box around a notch that it fills
_AT_EDGE = 2  # an outline lies at the edge of the scan within so many pixels of the working copy

_OUTWARD = {"top": (0.0, -1.0), "right": (1.0, 0.0), "bottom": (0.0, 1.0), "left": (-1.0, 0.0)}


@dataclass(frozen=True)
class Rectangle:
    """A turned rectangle in pixels of the working copy.

    `skew` is in degrees clockwise. `lines` says how far out each of the sides lies from the origin (`outward`), in the order
    of `SIDES`; `None` where only the edge of the scan was seen. `cut_off` are the sides at the edge of the scan, wholly or in
    part; `unseen` is a side that does not show against the bed, its line a guess.
    """

    skew: float
    lines: tuple[float | None, ...]
    cut_off: tuple[Side, ...]
    unseen: Side | None


@dataclass(frozen=True)
class _Outline:
    """Points (n x 2: column, row), the directions they face (n x 2), and whether they lie within the scan, not at its edge."""

    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    within: NDArray[np.bool_]


def outward(side: Side, skew: float) -> NDArray[np.float64]:
    """The direction (column, row) that a side of a film faces which lies turned by `skew` degrees clockwise."""
    angle = np.deg2rad(skew)
    across, down = _OUTWARD[side]
    return np.array([across * np.cos(angle) - down * np.sin(angle), across * np.sin(angle) + down * np.cos(angle)])


def rectangle_of(piece: NDArray[np.uint8]) -> Rectangle | None:
    """The rectangle that a piece fills (rows x columns of the working copy, 0 and 1); `None` where it is no rectangle."""
    outline = _outline(piece)
    skew = _direction(outline)
    if skew is None:
        return None
    lengths = _lengths(outline, skew)
    seen = {side: _stretch(outline, side, skew, length) for side, length in lengths.items()}
    skew += _correction(outline, seen, skew)
    lines: list[float | None] = []
    cut_off: list[Side] = []
    shares: list[float] = []
    for side, length in lengths.items():
        at_edge = int((_facing(outline, side, skew, _FACING_EDGE) & ~outline.within).sum())
        line = _stretch(outline, side, skew, length)
        count = 0 if line is None else int(_near(outline, side, skew, line).sum())
        if at_edge >= _CUT * length:
            cut_off.append(side)
        shares.append(min(1.0, (count + (at_edge if side in cut_off else 0)) / length))
        lines.append(line)
    unseen = [side for side, share in zip(SIDES, shares, strict=True) if share < _SHARE]
    for side in unseen:
        lines[SIDES.index(side)] = float((outline.points @ outward(side, skew)).max())
    found = Rectangle(skew, tuple(lines), tuple(cut_off), unseen[0] if unseen else None)
    return found if _is_film(shares, found, len(unseen)) and _filled(piece, found) >= _FILLED else None


def _is_film(shares: Sequence[float], found: Rectangle, unseen: int) -> bool:
    """Whether enough was seen of the sides; where two are the scan's edge the others must be whole (so lies a bone's shaft)."""
    seen = sorted(shares)[unseen:]
    free = [share for side, share in zip(SIDES, shares, strict=True) if side not in found.cut_off and side != found.unseen]
    if unseen > 1 or len(free) < 2 or (len(found.cut_off) > 1 and min(free) < _WHOLE):
        return False
    return sum(seen) >= len(seen) * (_MEAN_OF_THREE if unseen else _MEAN_OF_FOUR)


def corners_of(rectangle: Rectangle, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The corners (4 x 2: column, row), clockwise from the top left, in a picture of rows x columns."""
    directions, distances = [], []
    for side, line in zip(SIDES, rectangle.lines, strict=True):
        directions.append(outward(side, 0.0 if line is None else rectangle.skew))
        edge = {"top": 0.0, "left": 0.0, "right": float(shape[1]), "bottom": float(shape[0])}[side]
        distances.append(edge if line is None else line)
    return meet(np.array(directions), np.array(distances))


def meet(directions: NDArray[np.float64], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the sides meet that face `directions` (4 x 2) at `distances` from the origin, in the order of `SIDES`."""
    pairs = ((0, 3), (0, 1), (2, 1), (2, 3))
    return np.array([np.linalg.solve(directions[list(pair)], distances[list(pair)]) for pair in pairs])


def _outline(piece: NDArray[np.uint8]) -> _Outline:
    rows, columns = piece.shape
    contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(contours, key=len)[:, 0, :].astype(np.float64)
    chord = np.roll(longest, -_STRIDE, axis=0) - np.roll(longest, _STRIDE, axis=0)
    length = np.maximum(np.hypot(chord[:, 0], chord[:, 1]), 1e-9)
    # OpenCV follows an outer contour with the piece at its left as rows count downwards: what faces out lies at its right.
    normals = np.stack([-chord[:, 1], chord[:, 0]], axis=1) / length[:, None]
    low = longest.min(axis=1) >= _AT_EDGE
    within = low & (longest[:, 0] < columns - _AT_EDGE) & (longest[:, 1] < rows - _AT_EDGE)
    # A pixel's outer border lies half a pixel further out than its middle.
    return _Outline(longest + 0.5 + 0.5 * normals, normals, within)


def _direction(outline: _Outline) -> float | None:
    """Degrees clockwise by which most of the outline within the scan runs off the rows and columns."""
    normals = outline.normals[outline.within]
    if len(normals) < 8 * _STRIDE:
        return None
    angles = np.rad2deg(np.arctan2(normals[:, 1], normals[:, 0]))
    off = (angles + 45.0) % 90.0 - 45.0
    counts, edges = np.histogram(off, bins=90, range=(-45.0, 45.0))
    around = sum(np.roll(counts, by) for by in range(-3, 4))
    peak = float(edges[int(np.argmax(around))]) + 0.5
    near = np.abs((off - peak + 45.0) % 90.0 - 45.0) < 6.0
    if near.mean() < _RUNNING or abs(peak) > _MOST_SKEW:
        return None
    return peak + float(np.mean((off[near] - peak + 45.0) % 90.0 - 45.0))


def _lengths(outline: _Outline, skew: float) -> dict[Side, float]:
    """About how long the sides are, in the order of `SIDES`."""
    across = float(np.ptp(outline.points @ outward("right", skew)))
    down = float(np.ptp(outline.points @ outward("bottom", skew)))
    return {"top": across, "right": down, "bottom": across, "left": down}


def _facing(outline: _Outline, side: Side, skew: float, cosine: float = _FACING) -> NDArray[np.bool_]:
    return np.asarray(outline.normals @ outward(side, skew) > cosine)


def _near(outline: _Outline, side: Side, skew: float, line: float, band: float = _BAND) -> NDArray[np.bool_]:
    """Which points within the scan make up a side at `line`."""
    distance = outline.points @ outward(side, skew)
    return outline.within & _facing(outline, side, skew) & (np.abs(distance - line) <= band)


def _stretch(outline: _Outline, side: Side, skew: float, length: float) -> float | None:
    """How far out the outermost straight stretch of a side lies; `None` where there is none."""
    facing = outline.within & _facing(outline, side, skew)
    distance = np.sort(outline.points[facing] @ outward(side, skew))[::-1]
    needed = max(_STRIDE, int(_STRETCH * length))
    if len(distance) < needed:
        return None
    tight = distance[: len(distance) - needed + 1] - distance[needed - 1 :] <= 2 * _BAND
    if not tight.any():
        return None
    first = distance[int(np.argmax(tight))]
    return float(np.median(distance[(distance <= first) & (distance >= first - 2 * _BAND)]))


def _correction(outline: _Outline, seen: dict[Side, float | None], skew: float) -> float:
    """By how many degrees the sides that were seen run off the skew, weighted by what was seen of each."""
    total = weight = 0.0
    for side, line in seen.items():
        if line is None:
            continue
        points = outline.points[_near(outline, side, skew, line, 2 * _BAND)]
        normal = outward(side, skew)
        along, out = points @ np.array([-normal[1], normal[0]]), points @ normal
        spread = float(np.ptp(along)) if len(points) else 0.0
        if spread < 4 * _STRIDE:
            continue
        total += float(np.rad2deg(np.arctan(-np.polyfit(along, out, 1)[0]))) * spread
        weight += spread
    return total / weight if weight else 0.0


def is_stepped(piece: NDArray[np.uint8], rectangle: Rectangle) -> bool:
    """Whether a square notch is missing from a rectangle: no film has one, two that touch or overlap have."""
    mask = _mask(piece, rectangle)
    missing = cv2.morphologyEx(mask & (1 - piece), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))  # without slivers along the sides
    area = int(mask.sum())
    contours, _ = cv2.findContours(missing, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        inside = float(cv2.contourArea(contour))
        _, (width, height), _ = cv2.minAreaRect(contour)
        if inside >= _NOTCH * area and inside >= _SQUARE * width * height:
            return True
    return False


def _filled(piece: NDArray[np.uint8], rectangle: Rectangle) -> float:
    """The share of a rectangle that the piece fills."""
    mask = _mask(piece, rectangle)
    area = int(mask.sum())
    return float((mask & piece).sum() / area) if area else 0.0


def _mask(piece: NDArray[np.uint8], rectangle: Rectangle) -> NDArray[np.uint8]:
    corners = np.round(corners_of(rectangle, piece.shape)).astype(np.int32)
    return np.asarray(cv2.fillConvexPoly(np.zeros_like(piece), corners, 1))
