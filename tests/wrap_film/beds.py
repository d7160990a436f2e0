"""Scans of films on a bed, composed so that the place of every film is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lying:
    """A film (rows x columns, 0 to 1), where its top left corner would lie unturned, and its turn in degrees clockwise."""

    film: NDArray[np.float32]
    left: float
    top: float
    skew: float = 0.0


def synthetic_film(height: int, width: int, seed: int, *, clear: float = 0.9) -> NDArray[np.float32]:
    """Something like a radiograph: soft shapes from black to the clear base of the film, a black surround, a label."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0.1, clear, (7, 5)).astype(np.float32)
    film = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    film = film * (1 - np.clip(x**8 + y**8, 0, 1)) + 0.07
    film += random.normal(0, 0.008, film.shape)
    tall, wide = height // 9, width // 4
    film[tall : 2 * tall, wide // 3 : wide // 3 + wide] = clear
    film[tall + tall // 3 : tall + tall // 2, wide // 2 : wide] = 0.1
    return np.clip(film, 0.05, clear).astype(np.float32)


def bed_of(height: int, width: int, kind: str, seed: int, noise: float = 0.004, gradient: float = 0.0) -> NDArray[np.float32]:
    """An empty bed, 0 to 1: `bright` saturates unless it has a gradient, `dark` lies just above 0."""
    random = np.random.default_rng(seed)
    slope = gradient * np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.linspace(0.5, 1, width, dtype=np.float32)
    level = 1.0 - slope if kind == "bright" else 0.01 + slope
    return np.clip(level + random.normal(0, noise, (height, width)), 0, 1).astype(np.float32)


def compose(bed: NDArray[np.float32], films: Sequence[Lying], bits: int = 8) -> tuple[NDArray[Any], list[NDArray[np.float64]]]:
    """The scan (uint8 or uint16) and each film's corners (4 x 2: column, row), clockwise from its top left."""
    scan = bed.copy()
    truth = []
    for lying in films:
        rows, columns = lying.film.shape
        angle = np.deg2rad(lying.skew)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([columns / 2, rows / 2])
        corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float64)
        truth.append((corners - middle) @ turn.T + middle + (lying.left, lying.top))
        # warpAffine counts from the middles of pixels, corners are their outer borders: hence the half pixels.
        shift = np.array([lying.left, lying.top]) + middle - turn @ (middle - 0.5) - 0.5
        matrix = np.column_stack([turn, shift])
        size = (scan.shape[1], scan.shape[0])
        laid = cv2.warpAffine(lying.film, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        share = cv2.warpAffine(np.ones_like(lying.film), matrix, size, flags=cv2.INTER_LINEAR)
        scan = scan * (1 - share) + laid * share
    depth = np.uint8 if bits <= 8 else np.uint16
    return np.round(np.clip(scan, 0, 1) * (2**bits - 1)).astype(depth), truth


def furthest(corners: Sequence[tuple[float, float]], truth: NDArray[np.float64]) -> float:
    """How far the worst corner lies off, in pixels."""
    return float(np.hypot(*(np.array(corners) - truth).T).max())


def laid_out(
    films: Sequence[NDArray[np.float32]], across: int, gap: int, most_skew: float, seed: int
) -> tuple[list[Lying], tuple[int, int]]:
    """Films in rows of so many, at least `gap` pixels between their upright boxes; and the size of the bed (rows, columns)."""
    random = np.random.default_rng(seed)
    lying: list[Lying] = []
    top, right = gap + 20, 0
    for start in range(0, len(films), across):
        left, bottom = gap + 20, top
        for film in films[start : start + across]:
            skew = float(random.uniform(-most_skew, most_skew))
            rows, columns = film.shape
            sine = abs(np.sin(np.deg2rad(skew)))
            wider, higher = int(rows * sine) + 1, int(columns * sine) + 1
            down = int(random.integers(0, 20))
            lying.append(Lying(film, left + wider / 2, top + down + higher / 2, skew))
            left += columns + wider + gap
            bottom = max(bottom, top + down + rows + higher)
        right, top = max(right, left), bottom + gap
    return lying, (top + 20, right + 20)
