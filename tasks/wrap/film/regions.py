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

WORKING_SIDE = 2400  # longest side of the working copy in pixels; letters on films are 15 to 60 of them high
MOST_REGIONS = 6
_EDGE = 42  # least difference between neighbours, of 255
_DENSITY = 0.10  # least share of edge pixels in a window
_WINDOW = 35  # side of that window, about the height of a line
_LEAST_EDGES = 1500  # a handful of letters
_LEAST_SIDE = 90
_MARGIN = 24
_COHERENCE = 0.85  # 1: all edges run one way; text stays below 0.7
_BAR_ENERGY = 40_000.0  # mean squared Sobel response of many strong edges, of one film border fewer


@dataclass(frozen=True)
class Region:
    """A region of the working copy in pixels: left, top, width, height, and how many pixels of letter edges it holds."""

    left: int
    top: int
    width: int
    height: int
    edges: int

    def cut(self, gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The region with some margin, dark letters on a light ground."""
        top, left = max(0, self.top - _MARGIN), max(0, self.left - _MARGIN)
        crop = gray[top : self.top + self.height + _MARGIN, left : self.left + self.width + _MARGIN]
        ground = gray[self.top : self.top + self.height, self.left : self.left + self.width]
        return crop if _lighter_ground(ground) else np.asarray(255 - crop)

    def in_scan(self, working: tuple[int, ...], scan: tuple[int, ...]) -> tuple[int, int, int, int]:
        """(left, top, width, height) in pixels of the scan; shapes are (rows, columns, ...) of working copy and scan."""
        down, across = scan[0] / working[0], scan[1] / working[1]
        left, top = int(self.left * across), int(self.top * down)
        right, bottom = math.ceil((self.left + self.width) * across), math.ceil((self.top + self.height) * down)
        return left, top, min(right, scan[1]) - left, min(bottom, scan[0]) - top


def _lighter_ground(region: NDArray[np.uint8]) -> bool:
    """Whether most of a region lies nearer to its light end than to its dark one."""
    low, middle, high = np.percentile(region, (2, 50, 98))
    return bool(middle * 2 >= low + high)


def for_reading(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """An 8-bit working copy (rows x columns, longest side at most 2,400), stretched between the 0.5th and 99.5th percentile."""
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    scale = WORKING_SIDE / max(gray.shape)
    if scale < 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(gray[::4, ::4], (0.5, 99.5))
    stretched = (gray.astype(np.float32) - low) * (255.0 / max(high - low, 1.0))
    return _without_bars(np.asarray(np.clip(stretched, 0, 255).astype(np.uint8)))


def _without_bars(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The working copy with barcodes painted over in their light ground.

    Bars are told from letters by their edges, which all run one way: coherence of the structure tensor (Bigun, Granlund 1987).
    """
    across, down = (cv2.Sobel(gray, cv2.CV_32F, x, y) for x, y in ((1, 0), (0, 1)))
    window = (_WINDOW, _WINDOW)
    xx, yy, xy = (cv2.blur(product, window) for product in (across * across, down * down, across * down))
    energy = xx + yy
    coherence = np.sqrt((xx - yy) ** 2 + 4 * xy * xy) / np.maximum(energy, 1.0)
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
    letters = _letter_edges(gray)
    density = cv2.blur(letters.astype(np.float32), (_WINDOW, _WINDOW))
    dense = (density > _DENSITY).astype(np.uint8)
    joined = cv2.morphologyEx(dense, cv2.MORPH_CLOSE, np.ones((_WINDOW, _WINDOW), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for left, top, width, height in boxes[1:, :4].tolist():
        edges = int(letters[top : top + height, left : left + width].sum())
        if edges >= _LEAST_EDGES and max(width, height) >= _LEAST_SIDE:
            found.append(Region(left, top, width, height, edges))
    found.sort(key=lambda region: (-region.edges, region.top, region.left))
    yield from found[:MOST_REGIONS]


def straightened(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The crop turned so that its lines of text lie level; itself where they do already, to within a degree.

    The angle is the one of at most 8 degrees at which the rows differ most in how many letter edges they hold.
    """
    letters = _letter_edges(crop).astype(np.float32)
    height, width = letters.shape

    def turned(picture: NDArray[Any], angle: float, fill: int) -> NDArray[Any]:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        flags = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_CONSTANT, "borderValue": fill}
        return np.asarray(cv2.warpAffine(picture, matrix, (width, height), **flags))

    angles = np.arange(-8.0, 8.1, 0.5)
    sharpness = [float(np.square(np.diff(turned(letters, angle, 0).sum(axis=1))).sum()) for angle in angles]
    best = float(angles[int(np.argmax(sharpness))])
    return crop if abs(best) < 1 else turned(crop, best, int(np.percentile(crop, 75)))


def _letter_edges(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Edges of letters and short runs of letters, as 0 and 1."""
    gradient = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((gradient > _EDGE).astype(np.uint8))
    width, height, area = boxes[:, 2], boxes[:, 3], boxes[:, 4]
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    letter = (longer >= 8) & (longer <= 90) & (area >= 20) & ~((longer > 60) & (shorter < 12))
    run_of_letters = (longer > 90) & (longer <= 320) & (shorter >= 14) & (shorter <= 70) & (area > 0.25 * longer * shorter)
    keep = letter | run_of_letters
    keep[0] = False
    return np.asarray(keep[labels].astype(np.uint8))
