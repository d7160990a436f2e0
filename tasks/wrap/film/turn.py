"""A decided turn as a lossless permutation of the pixels, proved by its inverse.

A film is mirrored left to right first and turned clockwise then, as `decoded` says. No pixel is computed anew, so the film that
comes out has the values of the scan in another order, and the inverse gives the scan back.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.errors import QuarantineError
from tasks.wrap.film.decoded import DecodedFilm

TURNS = (0, 90, 180, 270)


def permuted(pixels: NDArray[Any], turn: int, mirrored: bool) -> NDArray[Any]:
    """Pixels (rows x columns [x samples], any dtype) mirrored left to right, where `mirrored`, then turned clockwise.

    `turn` is 0, 90, 180 or 270 degrees; raises `ValueError` for any other. A view of the same memory where that is possible.
    """
    if turn not in TURNS:
        raise ValueError(f"a turn is 0, 90, 180 or 270 degrees, not {turn}")
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -(turn // 90))


def inverse(turn: int, mirrored: bool) -> tuple[int, bool]:
    """The turn and mirroring that undo these; a mirrored turn is its own inverse."""
    return (turn, True) if mirrored else (-turn % 360, False)


def turned(film: DecodedFilm, turn: int, mirrored: bool) -> DecodedFilm:
    """The film set upright; what its file said of the turn is done and no longer stands in it.

    Raises `QuarantineError` where the inverse does not give the scan's pixels back, and `ValueError` for a film whose own
    codestream is kept: that one is turned by a presentation state.
    """
    if film.codestream is not None:
        raise ValueError("a film whose compressed data is kept is turned by a presentation state")
    pixels = np.ascontiguousarray(permuted(film.pixels, turn, mirrored))
    if not np.array_equal(permuted(pixels, *inverse(turn, mirrored)), film.pixels):
        raise QuarantineError("turning a film back did not give the scan's pixels: report it with the item's key")
    dpi = (film.dpi[1], film.dpi[0]) if film.dpi and turn in (90, 270) else film.dpi
    return replace(film, pixels=pixels, dpi=dpi, turn=None, mirrored=None)


def describe_turn(dataset: Dataset, turn: int, mirrored: bool) -> None:
    """Image Type and Derivation Description (PS3.3 C.7.6.1.1.2 and C.7.6.1.1.3) of a film that was permuted.

    Without Derivation Code Sequence: CID 7203 has no term for a permutation, and its nearest, spatial resampling, would say
    that pixels were computed anew. Does nothing where the film was left as it lay.
    """
    if not turn and not mirrored:
        return
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    steps = (["mirrored left to right"] if mirrored else []) + ([f"turned {turn} degrees clockwise"] if turn else [])
    dataset.DerivationDescription = f"Scan {' and '.join(steps)}: pixels in another order, no value changed"
