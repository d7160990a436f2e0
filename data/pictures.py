"""The pictures of the sample migration: phantoms that look like radiographs from afar, with a label, as a digitizer saves them.

Everything is computed with integers, so that the same picture comes out on every machine.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from people import SEED

ROWS, COLUMNS = 700, 560
DPI = 150
_SCANNED = "2026:03:02 10:11:12"
Format = Literal["jpeg8", "png8", "tiff8", "tiff12", "tiff16"]
_SUFFIX = {"jpeg8": "jpg", "png8": "png", "tiff8": "tif", "tiff12": "tif", "tiff16": "tif"}
_LETTERS = 26  # height of the label's letters in pixels
_PITCH = 34  # from line to line
_FACE = "uni"  # the face among OpenCV's own whose zero has no stroke, as on a typewriter


def _chest(canvas: NDArray[np.uint16], shift: int) -> None:
    middle = COLUMNS // 2 + shift
    cv2.ellipse(canvas, (middle, 400), (215, 260), 0, 0, 360, 1500, -1)
    for side in (-1, 1):
        cv2.ellipse(canvas, (middle + side * 100, 390), (78, 185), side * 5, 0, 360, 620, -1)
        cv2.line(canvas, (middle + side * 12, 205), (middle + side * 170, 175), 2300, 12)
        for rib in range(8):
            cv2.ellipse(canvas, (middle + side * 90, 300 + 40 * rib), (100, 40), side * 14, 190, 350, 1250, 6)
    cv2.rectangle(canvas, (middle - 17, 140), (middle + 17, 630), 2500, -1)
    for vertebra in range(12):
        cv2.line(canvas, (middle - 17, 160 + 40 * vertebra), (middle + 17, 160 + 40 * vertebra), 1700, 3)
    cv2.ellipse(canvas, (middle + 40, 450), (85, 95), 20, 0, 360, 2200, -1)


def _hand(canvas: NDArray[np.uint16], shift: int) -> None:
    wrist = (COLUMNS // 2 + shift, 560)
    cv2.ellipse(canvas, (wrist[0], 440), (110, 120), 0, 0, 360, 1100, -1)
    for finger, (lean, reach) in enumerate(((-165, 190), (-80, 270), (-10, 290), (60, 270), (125, 225))):
        start, tip = np.array((wrist[0] + lean // 3, 470)), np.array((wrist[0] + lean, 470 - reach))
        cv2.line(canvas, start.tolist(), tip.tolist(), 1100, 48)
        joints = [start + (tip - start) * part // 100 for part in (0, 45, 72, 88, 100)]
        for near, far in pairwise(joints):
            near, far = near + (far - near) * 8 // 100, far - (far - near) * 8 // 100
            cv2.line(canvas, near.tolist(), far.tolist(), 2300, 15 if finger else 17)
    for bone in range(8):
        cv2.circle(canvas, (wrist[0] - 54 + 36 * (bone % 4), 490 + 34 * (bone // 4)), 17, 2250, -1)
    for side in (-1, 1):
        cv2.line(canvas, (wrist[0] + side * 32, 556), (wrist[0] + side * 36, 639), 2350, 34)


def _skull(canvas: NDArray[np.uint16], shift: int) -> None:
    middle = COLUMNS // 2 + shift
    cv2.ellipse(canvas, (middle, 370), (175, 215), 0, 0, 360, 2500, -1)
    cv2.ellipse(canvas, (middle, 365), (160, 198), 0, 0, 360, 1650, -1)
    for side in (-1, 1):
        cv2.ellipse(canvas, (middle + side * 68, 410), (42, 34), 0, 0, 360, 850, -1)
        cv2.ellipse(canvas, (middle + side * 68, 410), (44, 36), 0, 0, 360, 2500, 5)
        cv2.line(canvas, (middle + side * 150, 470), (middle + side * 90, 600), 2300, 22)
    cv2.ellipse(canvas, (middle, 475), (22, 40), 0, 0, 360, 800, -1)
    cv2.rectangle(canvas, (middle - 65, 535), (middle + 65, 575), 2700, -1)
    for tooth in range(7):
        cv2.line(canvas, (middle - 56 + 18 * tooth, 535), (middle - 56 + 18 * tooth, 575), 1500, 2)


BODIES: tuple[Callable[[NDArray[np.uint16], int], None], ...] = (_chest, _hand, _skull)


def phantom(number: int, body: int) -> NDArray[np.uint16]:
    """Picture `number` of a chest, a hand or a skull (`body` 0, 1, 2); ROWS x COLUMNS, 12 bits in uint16, without a label."""
    chosen = np.random.default_rng(SEED + number)
    canvas = np.full((ROWS, COLUMNS), 330, np.uint16)
    BODIES[body](canvas[60:], int(chosen.integers(-18, 19)))  # the upper edge is the label's
    canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 2.5), np.uint16)
    grain = chosen.integers(-5, 6, (3, ROWS, COLUMNS)).sum(axis=0)
    return np.asarray(np.clip(canvas + grain, 0, 4095), np.uint16)


def labelled(film: NDArray[np.uint16], lines: Sequence[str], *, flash: bool, blurred: bool = False) -> NDArray[np.uint16]:
    """The film with its label at the top: a white sticker with dark letters, or a `flash` with light letters exposed on it."""
    ground, ink = (18, 235) if flash else (240, 14)
    block = np.full((20 + _PITCH * len(lines), 430), ground, np.uint8)
    face = cv2.FontFace(_FACE)
    for row, text in enumerate(lines):
        cv2.putText(block, text, (16, 38 + _PITCH * row), (ink, ink, ink), face, _LETTERS, 500)
    if blurred:
        block = np.asarray(cv2.GaussianBlur(block, (0, 0), 9), np.uint8)
    film = film.copy()
    film[10 : 10 + len(block), 12 : 12 + block.shape[1]] = block.astype(np.uint16) * 16 + 7
    return film


def marked(film: NDArray[np.uint16], letter: str) -> NDArray[np.uint16]:
    """The film with a lead letter at its lower left."""
    lead = np.zeros(film.shape, np.uint8)
    cv2.putText(lead, letter, (30, 660), (255, 255, 255), cv2.FontFace(_FACE), 54, 700)
    return np.maximum(film, lead.astype(np.uint16) * 15)


def save(folder: Path, stem: str, film: NDArray[np.uint16], form: Format) -> str:
    """Saves a film of 12 bits as a digitizer would; gives back the file's name."""
    name = f"{stem}.{_SUFFIX[form]}"
    eight = (film >> 4).astype(np.uint8)
    tags: dict[str, Any] = {
        "resolution": (DPI, DPI),
        "resolutionunit": "INCH",
        "datetime": "2026:03:02 10:11:12",
        "metadata": None,
    }
    match form:
        case "jpeg8":
            (folder / name).write_bytes(imagecodecs.jpeg_encode(eight, level=90))
        case "png8":
            (folder / name).write_bytes(imagecodecs.png_encode(eight, level=9))
        case "tiff8":
            tifffile.imwrite(folder / name, eight, compression="zlib", predictor=True, software="scanner", **tags)
        case "tiff12":  # 12 bits in 16: the greatest value that can occur says so (MaxSampleValue, tag 281)
            tifffile.imwrite(
                folder / name, film, compression="zlib", predictor=True, extratags=[(281, "H", 1, 4095, True)], **tags
            )
        case "tiff16":
            tifffile.imwrite(folder / name, film * 16, compression="zlib", predictor=True, **tags)
    return name
