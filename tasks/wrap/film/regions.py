"""Where on a film there is text: places with many edges of the size of letters.

Edges that are no part of letters (a film's border, a bone, the bars of a barcode) are taken out by the size and shape of their
connected components, so that a region holds text and little else, whatever way it is turned.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tasks.wrap.film.ink import ink_of

WORKING_SIDE = 2400  # longest side of the working copy in pixels; letters on films are 15 to 60 of them high
MOST_REGIONS = 6
_MOST_FAINT_REGIONS = 4
_BEYOND = 0.2  # of a picture's usual range of shades: how far letters may lie outside of it
_STRONG = 42  # of 255: edges of letters in plain ink or light
_NEAR = 25
_EDGE = 13  # least difference between neighbours, of 255
_ABOVE_GRAIN = 2.4  # times the usual difference nearby
_STROKE = 19  # pixels, odd: more than a stroke is wide
_LEAST_INK = 6  # of 255
_INK_ABOVE_GRAIN = 3.0  # times what is usual nearby
_BLOCK = 64  # side of the blocks in which that is taken
_DENSITY = 0.10  # least share of edge pixels in a window
_WINDOW = 35  # side of that window, about the height of a line
_LEAST_EDGES = 1000  # a handful of letters
_LEAST_SIDE = 90
_MARGIN = 60  # a label's first letters may lie on a lighter ground than the rest
_WIDER = 0.3  # of its size: more margin, since letters at the end of a line may have been missed
_COHERENCE = 0.85  # 1: all edges run one way; text stays below 0.7
_BAR_ENERGY = 40_000.0  # mean squared Sobel response of many strong edges, of one film border fewer


@dataclass(frozen=True)
class Region:
    """A region of the working copy in pixels: left, top, width, height, and how many pixels of letters it holds.

    `ink` is by what letters were found: their edges (empty), or ink that is `dark` or `light`.
    """

    left: int
    top: int
    width: int
    height: int
    edges: int
    ink: str = ""

    def letters(self, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What is taken for letters in a picture, as 0 and 1, in the way in which the region was found."""
        return letters_by(gray, self.ink)

    def place(self, gray: NDArray[np.uint8], wider: float = _WIDER) -> tuple[slice, slice]:
        """Rows and columns of the region with some margin, and `wider` of its size beside that."""
        left, top, right, bottom = self._surroundings(wider)
        return slice(max(0, top), min(bottom, gray.shape[0])), slice(max(0, left), min(right, gray.shape[1]))

    def surrounds(self, other: "Region") -> bool:
        """Whether the middle of another region lies in what `cut` gives of this one."""
        left, top, right, bottom = self._surroundings()
        return left <= other.left + other.width / 2 <= right and top <= other.top + other.height / 2 <= bottom

    def _surroundings(self, wider: float = _WIDER) -> tuple[int, int, int, int]:
        across, down = (_MARGIN + int(wider * size) for size in (self.width, self.height))
        return self.left - across, self.top - down, self.left + self.width + across, self.top + self.height + down

    def in_scan(self, working: tuple[int, ...], scan: tuple[int, ...]) -> tuple[int, int, int, int]:
        """(left, top, width, height) in pixels of the scan; shapes are (rows, columns, ...) of working copy and scan."""
        down, across = scan[0] / working[0], scan[1] / working[1]
        left, top = int(self.left * across), int(self.top * down)
        right, bottom = math.ceil((self.left + self.width) * across), math.ceil((self.top + self.height) * down)
        return left, top, min(right, scan[1]) - left, min(bottom, scan[0]) - top


def for_reading(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """An 8-bit working copy (rows x columns, longest side at most 2,400), stretched to the shades that the picture has.

    Those are from the 0.5th to the 99.5th percentile and somewhat beyond, since letters may be fewer pixels than that and the
    only ones that are so light or dark. A small picture is doubled: its letters are small as well.
    """
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    scale = WORKING_SIDE / max(gray.shape)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    elif scale >= 2:
        gray = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    low, high = _shades(gray[::4, ::4])
    stretched = np.clip((gray.astype(np.float32) - low) * (255.0 / max(high - low, 1.0)), 0, 255).astype(np.uint8)
    return _without_bars(stretched)


def _shades(sample: NDArray[Any]) -> tuple[float, float]:
    low, high = np.percentile(sample, (0.5, 99.5))
    beyond = _BEYOND * (high - low)
    return max(float(sample.min()), low - beyond), min(float(sample.max()), high + beyond)


def _without_bars(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The working copy with barcodes painted over in their light ground.

    Bars are told from letters by their edges, which all run one way: coherence of the structure tensor (Bigun, Granlund 1987).
    """
    window = (_WINDOW, _WINDOW)
    across, down = (cv2.Sobel(gray, cv2.CV_32F, x, y) for x, y in ((1, 0), (0, 1)))
    # In place where it can be: one such picture takes four times the memory of the working copy.
    xy = cv2.blur(across * down, window)
    xx = cv2.blur(np.square(across, out=across), window, dst=across)
    yy = cv2.blur(np.square(down, out=down), window, dst=down)
    energy = xx + yy
    apart = np.square(np.subtract(xx, yy, out=xx), out=xx)
    apart += np.square(np.multiply(xy, 2, out=xy), out=xy)
    coherence = np.divide(np.sqrt(apart, out=apart), np.maximum(energy, 1.0, out=yy), out=apart)
    bars = ((coherence > _COHERENCE) & (energy > _BAR_ENERGY)).astype(np.uint8)
    bars = cv2.morphologyEx(bars, cv2.MORPH_OPEN, np.ones((_WINDOW, _WINDOW), np.uint8))
    if not bars.any():
        return gray
    bars = cv2.dilate(bars, np.ones((_WINDOW, _WINDOW), np.uint8))
    painted = gray.copy()
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(bars)
    for number, (left, top, width, height) in enumerate(boxes[1:, :4].tolist(), start=1):
        place = (slice(top, top + height), slice(left, left + width))
        inside = labels[place] == number
        painted[place][inside] = np.uint8(np.percentile(gray[place][inside], 85))
    return painted


def text_regions(gray: NDArray[np.uint8]) -> Iterator[Region]:
    """Regions that may hold text, the fullest first; `gray` is a working copy of `for_reading`."""
    yield from _fullest(_regions(gray, ""), MOST_REGIONS)


def faint_text_regions(gray: NDArray[np.uint8]) -> Iterator[Region]:
    """Regions that may hold text too faint for its edges to be seen: slower, and much besides that is no text."""
    yield from _fullest([*_regions(gray, "dark"), *_regions(gray, "light")], _MOST_FAINT_REGIONS)


def _fullest(regions: list[Region], most: int) -> list[Region]:
    return sorted(regions, key=lambda region: (-region.edges, region.top, region.left))[:most]


def _regions(gray: NDArray[np.uint8], ink: str) -> list[Region]:
    letters = letters_by(gray, ink)
    density = cv2.blur(letters.astype(np.float32), (_WINDOW, _WINDOW))
    dense = (density > _DENSITY).astype(np.uint8)
    joined = cv2.morphologyEx(dense, cv2.MORPH_CLOSE, np.ones((2 * _WINDOW, 2 * _WINDOW), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for left, top, width, height in boxes[1:, :4].tolist():
        edges = int(letters[top : top + height, left : left + width].sum())
        if edges >= _LEAST_EDGES and max(width, height) >= _LEAST_SIDE:
            found.append(Region(left, top, width, height, edges, ink))
    return found


def letters_by(gray: NDArray[np.uint8], ink: str) -> NDArray[np.uint8]:
    """Edges (where `ink` is empty) or ink of letters that stand beside others of their size, and of short runs, as 0 and 1."""
    seen = _inked(gray if ink == "dark" else np.asarray(255 - gray)) if ink else _edges(gray)
    labels, boxes, keep = letters_among(seen)
    single = np.flatnonzero(keep & (boxes[:, 2:].max(axis=1) <= 90))
    keep[single] = _has_neighbour(boxes[single])
    return np.asarray(keep[labels].astype(np.uint8))


def letters_among(edges: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """(the component of each pixel, boxes of all: left, top, width, height, and which are of the size and shape of letters)."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(edges)
    width, height, area = boxes[:, 2], boxes[:, 3], boxes[:, 4]
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    letter = (longer >= 8) & (longer <= 90) & (area >= 20) & ~((longer > 60) & (shorter < 12))
    run_of_letters = (longer > 90) & (longer <= 320) & (shorter >= 14) & (shorter <= 70) & (area > 0.25 * longer * shorter)
    keep = letter | run_of_letters
    keep[0] = False
    return np.asarray(labels), np.asarray(boxes[:, :4]), np.asarray(keep)


def gradient_of(gray: NDArray[np.uint8], *, soft: bool) -> NDArray[np.uint8]:
    """How much neighbours differ, 0 to 255; `soft`: with grain smoothed away."""
    picture = cv2.GaussianBlur(gray, (0, 0), 1.0) if soft else gray
    return np.asarray(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))


def _edges(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Edges as 0 and 1: where neighbours differ more than grain and texture do around them; beside strong edges only such."""
    soft, hard = gradient_of(gray, soft=True), gradient_of(gray, soft=False)
    most = cv2.blur(cv2.dilate(soft, np.ones((_NEAR, _NEAR), np.uint8)), (_NEAR, _NEAR))
    grain = _ABOVE_GRAIN * usual_around(soft)
    faint = (most < _STRONG) & (soft > np.maximum(_EDGE, grain))
    strong = (most >= _STRONG) & (hard > _STRONG) & (soft > grain)
    return np.asarray((faint | strong).astype(np.uint8))


def _inked(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Dark ink as 0 and 1: where it is more than grain and texture have around there."""
    ink = ink_of(gray, _STROKE, 1.2)
    return np.asarray((ink > np.maximum(_LEAST_INK, _INK_ABOVE_GRAIN * usual_around(ink))).astype(np.uint8))


def usual_around(gradient: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The usual difference (or ink) around each place of a picture of differences: that of grain and texture."""
    rows, columns = (max(1, size // _BLOCK) for size in gradient.shape)
    blocks = gradient[: rows * _BLOCK, : columns * _BLOCK] if min(gradient.shape) >= _BLOCK else gradient
    split = blocks.reshape(rows, blocks.shape[0] // rows, columns, -1)
    usual = np.median(split[:, ::2, :, ::2], axis=(1, 3)).astype(np.float32)
    return np.asarray(cv2.resize(usual, gradient.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _has_neighbour(boxes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which letters have another of their size beside them, or above or below where lines run down; grain has none."""
    if len(boxes) < 2:
        return np.zeros(len(boxes), np.bool_)
    sizes = boxes[:, 2:].astype(np.float32)
    middles = boxes[:, :2] + sizes / 2
    _, nearest = cKDTree(middles).query(middles, k=min(5, len(boxes)))
    near = nearest[:, 1:]
    apart = np.abs(middles[near] - middles[:, None])
    largest, unlike = np.maximum(sizes[near], sizes[:, None]), np.abs(sizes[near] - sizes[:, None])
    beside = np.zeros(len(boxes), np.bool_)
    for along, across in ((0, 1), (1, 0)):
        size = largest[:, :, across]
        fits = (unlike[:, :, across] <= 0.3 * size) & (apart[:, :, across] <= 0.3 * size) & (apart[:, :, along] <= 2.2 * size)
        beside |= (fits & (size >= 10)).any(axis=1)
    return beside
