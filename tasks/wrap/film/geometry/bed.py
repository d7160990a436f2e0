"""The bed of a scanner: the even ground that a scan shows at its edge and around its films.

A bed is as bright as anything in the scan (an open light table) or as dark as anything (a lid, or no light), it reaches the
edge of the scan, and its level changes slowly: a quadratic surface is fitted to it and grown from the edge inwards. How far a
pixel may lie from that surface follows from the bed's own noise, so that the clear base of a film is told from a table just
brighter.
"""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Kind = Literal["bright", "dark"]
KINDS: tuple[Kind, ...] = ("bright", "dark")

WORKING_SIDE = 1200  # longest side of the working copy in pixels

_RING = 0.006  # width of the ring at the scan's edge in which a bed must show, of the longest side
_NEAR_EXTREME = 0.08  # how far from the scan's extreme a bed may lie at first sight, of the scan's range
_LEAST_SHARE = 0.04  # of the ring
_NOISES = 5.0  # a bed's pixels lie within so many standard deviations
_TOLERANCE = (0.006, 0.05)  # least and most tolerance, of the scan's range
_SAMPLES = 300  # rows or columns of the working copy that are looked at to fit the level
_COARSE = 32  # points a side at which the level is computed before it is interpolated


@dataclass(frozen=True)
class WorkingCopy:
    """A small gray copy (rows x columns, float32, 0 to 1 over the scan's range).

    `low` and `span` are that range in values of the scan, `step` how many of its pixels (across, down) make one of the copy.
    """

    gray: NDArray[np.float32]
    low: float
    span: float
    step: tuple[float, float]


@dataclass(frozen=True)
class Bed:
    """Where the bed is (rows x columns of the working copy, 0 and 1) and how its level varies: (level, tolerance), 0 to 1."""

    mask: NDArray[np.uint8]
    kind: Kind
    level: NDArray[np.float32]
    tolerance: float


def working_copy(gray: NDArray[Any]) -> WorkingCopy:
    """The working copy of a scan (rows x columns, unsigned)."""
    rows, columns = gray.shape
    scale = min(1.0, WORKING_SIDE / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    low, high = np.percentile(small[::5, ::5], (0.2, 99.8))
    span = max(float(high - low), 1.0)
    scaled = np.clip((small - low) / np.float32(span), 0.0, 1.0)
    return WorkingCopy(np.asarray(scaled, np.float32), float(low), span, (columns / size[0], rows / size[1]))


def find_bed(copy: WorkingCopy, kind: Kind) -> Bed | None:
    """The bright or the dark bed of a scan; `None` where its edge shows none."""
    gray = copy.gray if kind == "bright" else 1.0 - copy.gray
    ring = _ring(gray.shape)
    seeds = ring & (gray > 1.0 - _NEAR_EXTREME)
    if seeds.sum() < _LEAST_SHARE * ring.sum():
        return None
    level, tolerance = _surface(gray, seeds, degree=0)
    mask = seeds.astype(np.uint8)
    for degree in (1, 2):
        mask = _grown(gray > level - tolerance, ring)
        if mask.sum() < seeds.sum() / 2:
            return None
        level, tolerance = _surface(gray, mask > 0, degree)
    mask = _grown(gray > level - tolerance, ring)
    return Bed(mask, kind, level if kind == "bright" else np.asarray(1.0 - level, np.float32), tolerance)


def _ring(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The edge of the scan."""
    width = max(2, round(_RING * max(shape)))
    ring = np.ones(shape, np.bool_)
    ring[width:-width, width:-width] = False
    return ring


def _grown(like_bed: NDArray[np.bool_], ring: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What of the pixels like the bed hangs together with the edge of the scan."""
    count, labels = cv2.connectedComponents(like_bed.astype(np.uint8), connectivity=4)
    keep = np.zeros(count, np.uint8)
    keep[np.unique(labels[ring])] = 1
    keep[0] = 0
    return np.asarray(keep[labels])


def _surface(gray: NDArray[np.float32], where: NDArray[np.bool_], degree: int) -> tuple[NDArray[np.float32], float]:
    """Level of the bed as a polynomial fitted where it was seen, held within what was seen there; and the tolerance."""
    step = max(1, max(gray.shape) // _SAMPLES)
    down, across = (step * places for places in np.nonzero(where[::step, ::step]))
    values = gray[down, across]
    rows, columns = gray.shape
    terms = _terms(down / rows - 0.5, across / columns - 0.5)[:, : (1, 3, 6)[degree]]
    weights = np.ones(len(values))
    for _ in range(3):  # reweighted, so that what is not bed among the samples counts little
        coefficients = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)[0]
        residual = values - terms @ coefficients
        spread = 1.4826 * float(np.median(np.abs(residual)))
        weights = (np.abs(residual) <= 4 * spread + 1e-6).astype(np.float64)
    fitted = terms[weights > 0] @ coefficients
    coarse = np.mgrid[-0.5 : 0.5 : 1 / _COARSE, -0.5 : 0.5 : 1 / _COARSE] + 0.5 / _COARSE
    everywhere = np.clip(_terms(*coarse)[..., : terms.shape[1]] @ coefficients, fitted.min(), fitted.max())
    level = cv2.resize(everywhere.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(level, np.float32), float(np.clip(_NOISES * spread, *_TOLERANCE))


def _terms(y: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
