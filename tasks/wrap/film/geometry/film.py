"""What is known of a film's place in a scan."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["top", "right", "bottom", "left"]
SIDES: tuple[Side, ...] = ("top", "right", "bottom", "left")
Point = tuple[float, float]


@dataclass(frozen=True)
class FilmBounds:
    """A film on the bed of a scanner, in pixels of the scan; (0, 0) is the outer corner of the first pixel.

    `corners` are (column, row), clockwise from the film's top left as it lies in the scan. `skew` is how far it lies turned,
    in degrees clockwise. `cut_off` are the sides at which the film goes on beyond the scan; there the corners lie on the edge
    of the scan. `unseen` is a side that does not show against the bed (black film under a black lid): the corners beside it are
    a guess. `extent` is (left, top, right, bottom), right and bottom exclusive: the whole pixels of the film and of what
    sticks to it and juts out.
    """

    corners: tuple[Point, Point, Point, Point]
    skew: float
    cut_off: tuple[Side, ...]
    unseen: Side | None
    extent: tuple[int, int, int, int]
