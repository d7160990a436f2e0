"""Films made on the spot, with known facts: soft anatomy, ribs, grain, a collimated field, a label, a lead letter."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Film = NDArray[Any]


def make_film(
    seed: int,
    *,
    shape: tuple[int, int] = (1250, 1000),
    bits: int = 12,
    grain: float = 0.006,
    blur: float = 1.2,
    label: bool = True,
) -> Film:
    """A film such as a digitizer delivers it, uint8 or uint16 of `bits` bits.

    `grain` is the standard deviation of its noise as a share of the full scale, `blur` the Gaussian blur of film and optics in
    pixels, before the grain.
    """
    picture = cv2.GaussianBlur(_scene(seed, shape, label), (0, 0), blur)
    picture += np.random.default_rng((seed, 1)).normal(0, grain, shape).astype(np.float32)
    return to_values(picture, bits)


@lru_cache(32)
def _scene(seed: int, shape: tuple[int, int], label: bool) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    picture = _anatomy(random, shape)
    left, top = random.integers(40, 90, 2)
    field = np.zeros(shape, np.float32)
    cv2.rectangle(field, (int(left), int(top)), (shape[1] - int(top), shape[0] - int(left)), 1.0, -1)
    picture = np.where(field > 0, picture, np.float32(0.06))
    _write(picture, "R", (int(left) + 40, shape[0] // 2), 2.5, 9, 0.95)
    if label:
        _label(picture, random)
    return picture


def to_values(picture: NDArray[np.float32], bits: int) -> Film:
    """Levels of 0..1 as pixel values of `bits` bits."""
    full = 2**bits - 1
    return np.asarray(np.rint(picture * full).clip(0, full), dtype=np.uint8 if bits <= 8 else np.uint16)


def make_blank(seed: int, level: float = 0.8, *, shape: tuple[int, int] = (1250, 1000), bits: int = 12) -> Film:
    """A film that nothing was exposed on."""
    return to_values(np.random.default_rng(seed).normal(level, 0.006, shape).astype(np.float32), bits)


def make_wedge(
    values: Sequence[float], *, width: int = 40, height: int = 160, noise: float = 0.004, seed: int = 0
) -> NDArray[np.float32]:
    """A strip of even patches with these levels (0..1), from left to right, blurred and noisy as a scan."""
    strip = np.repeat(np.asarray(values, np.float32), width)[None].repeat(height, axis=0)
    strip = cv2.GaussianBlur(strip, (0, 0), 0.8, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(strip + np.random.default_rng(seed).normal(0, noise, strip.shape), dtype=np.float32)


def _anatomy(random: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    picture = np.full(shape, 0.5, np.float32)
    for cell, amount in ((400, 0.25), (150, 0.12), (40, 0.03)):
        coarse = random.normal(0, amount, (shape[0] // cell + 4, shape[1] // cell + 4)).astype(np.float32)
        picture += cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    bones = np.zeros(shape, np.float32)
    centre = shape[1] // 2
    for number in range(9):
        axes = (int(shape[1] * 0.38), int(shape[0] * 0.12))
        at = (centre, int(shape[0] * (0.1 + 0.09 * number)))
        cv2.ellipse(bones, at, axes, int(random.integers(-8, 8)), 10, 170, 0.12, int(random.integers(14, 22)), cv2.LINE_AA)
    cv2.rectangle(bones, (centre - 45, 0), (centre + 45, shape[0]), 0.2, -1)
    return np.asarray((picture + cv2.GaussianBlur(bones, (0, 0), 2.0)).clip(0.05, 0.95), dtype=np.float32)


def _label(picture: NDArray[np.float32], random: np.random.Generator) -> None:
    left, top = int(random.integers(60, picture.shape[1] - 400)), int(random.integers(60, 200))
    cv2.rectangle(picture, (left, top), (left + 330, top + 130), 0.92, -1)
    for line in range(3):
        text = "".join(chr(random.integers(65, 91)) for _ in range(14))
        _write(picture, text, (left + 12, top + 38 + 38 * line), 0.9, 2, 0.1)


def _write(picture: NDArray[np.float32], text: str, at: tuple[int, int], size: float, pen: int, level: float) -> None:
    ink = np.zeros(picture.shape, np.uint8)
    cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, 255, pen, cv2.LINE_AA)
    share = ink.astype(np.float32) / 255
    picture[:] = picture * (1 - share) + level * share
