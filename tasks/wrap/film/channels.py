"""Channels of a scan that say less than they could: palettes, alpha, three equal colours."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.errors import QuarantineError, ReviewError

_STRIP = 2**18  # pixels looked at at once, so that looking takes no memory to speak of
OPAQUE_ALPHA = "an opaque alpha channel"


def without_alpha(pixels: NDArray[Any], what: str) -> NDArray[Any]:
    """The picture (rows x columns [x 3]) of one whose last channel (of 2 or 4) is alpha, a view of it.

    Raises `ReviewError` where a pixel of `what` is not opaque: what shows then is not what was scanned.
    """
    opaque = np.iinfo(pixels.dtype).max
    if any(bool((strip[..., -1] != opaque).any()) for strip in _strips(pixels)):
        raise ReviewError(f"a {what} with transparency is not wrapped yet")
    return pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3]


def from_palette(indices: NDArray[np.uint8], palette: NDArray[np.uint8], bits: int) -> tuple[NDArray[np.uint8], int, str]:
    """Pixels, Bits Stored and Photometric Interpretation of indices (rows x columns) of `bits` bits into a palette (N x 3).

    Where the entries that the picture uses are grays, it is gray: of 8 bits, as the palette says them, or of one bit where the
    indices are and stand for black and white. Else it is colour. Raises `QuarantineError` for an index beyond the palette.
    """
    used = cv2.calcHist([indices], [0], None, [256], [0, 256]).ravel() > 0
    if used[len(palette) :].any():
        raise QuarantineError("a picture that uses more colours than its palette has")
    entries = np.zeros((256, 3), np.uint8)
    entries[: len(palette)] = palette
    shown = entries[used]
    if bool((shown != shown[:, :1]).any()):
        return np.asarray(cv2.LUT(cv2.merge([indices] * 3), entries[None]), np.uint8), 8, "RGB"
    if bits == 1 and bool(np.isin(shown[:, 0], (0, 255)).all()):
        return np.asarray(cv2.LUT(indices, entries[:, 0] // 255), np.uint8), 1, "MONOCHROME2"
    return np.asarray(cv2.LUT(indices, entries[:, 0]), np.uint8), 8, "MONOCHROME2"


def is_colourless(pixels: NDArray[Any], noise: int = 0) -> bool:
    """Whether no pixel of a colour picture (rows x columns x 3) has channels that differ by more than `noise`.

    So is a film that a colour scanner took. With `noise` 0 the three channels are one.
    """
    return all(bool((np.ptp(strip, axis=-1) <= noise).all()) for strip in _strips(pixels))


def _strips(pixels: NDArray[Any]) -> list[NDArray[Any]]:
    rows = max(1, _STRIP // max(1, pixels.shape[1]))
    return [pixels[start : start + rows] for start in range(0, len(pixels), rows)]
