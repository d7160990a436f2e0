"""Paper told from film: a sheet that is light and even nearly everywhere, with ink on it in many small strokes.

A film is dark, or shades into dark, over much of its face, whatever is printed on it; of a sheet of text the paper itself is
left when the strokes are closed. Nothing is decided by a name or a format. What looks like neither stays a film.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.decoded import DecodedFilm

_SIDE = 1200  # pixels of the longer side that is looked at: a line of type is then some 12 pixels high
_STROKES = 41  # pixels: what is narrower is closed, and so what is written or printed
_LIGHT = 0.55  # of full scale
_EVEN = 0.15  # by which the sheet may differ from its median
_SHEET_SHARE = 0.9  # of the picture that is light and even
_INK = 0.7  # of the sheet's lightness; what is darker is ink
_HALF_TONE = 0.9
_HALF_TONE_SHARE = 0.1  # of the picture between ink and sheet: edges of strokes, no shading
_INK_SHARES = (0.003, 0.25)
_SMALL_SHARE = 0.6  # of the ink that lies in strokes of the size of letters and lines
_LEAST_STROKES = 60


def looks_like_paper(film: DecodedFilm) -> bool:
    """Whether a decoded scan is a sheet of text; its depth need not be used to the full."""
    gray = _small(film)
    if min(gray.shape) < _STROKES or float(np.median(gray)) < _LIGHT * 255:
        return False
    kernel = np.ones((_STROKES, _STROKES), np.uint8)
    sheet = cv2.blur(cv2.morphologyEx(gray, cv2.MORPH_CLOSE, kernel), (_STROKES, _STROKES)).astype(np.float32)
    tone = float(np.median(sheet))
    even = (sheet >= _LIGHT * 255) & (np.abs(sheet - tone) <= _EVEN * tone)
    if float(even.mean()) < _SHEET_SHARE:
        return False
    lightness = gray / np.maximum(sheet, 1)
    ink = lightness < _INK
    half_tones = float((lightness < _HALF_TONE).mean()) - float(ink.mean())
    if not _INK_SHARES[0] <= float(ink.mean()) <= _INK_SHARES[1] or half_tones > _HALF_TONE_SHARE:
        return False
    return _is_written(ink)


def _small(film: DecodedFilm) -> NDArray[np.uint8]:
    """Eight bits of gray, black is zero, the longer side `_SIDE` pixels at the most; the lightest half per cent is white."""
    pixels = film.pixels if film.bits_stored >= 8 else film.pixels * np.uint8(255 // (2**film.bits_stored - 1))
    scale = min(1.0, _SIDE / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    gray = small if small.ndim == 2 else small @ np.array([0.299, 0.587, 0.114], np.float32)
    if film.photometric == "MONOCHROME1":
        gray = (2 ** max(film.bits_stored, 8) - 1) - gray
    spread: NDArray[np.uint8] = np.clip(gray * (255 / max(float(np.percentile(gray, 99.5)), 1.0)), 0, 255).astype(np.uint8)
    return spread


def _is_written(ink: NDArray[np.bool_]) -> bool:
    _, _, found, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    strokes = found[1:]
    small = strokes[(strokes[:, cv2.CC_STAT_HEIGHT] <= _STROKES) & (strokes[:, cv2.CC_STAT_AREA] >= 4)]
    return len(small) >= _LEAST_STROKES and int(small[:, cv2.CC_STAT_AREA].sum()) >= _SMALL_SHARE * int(ink.sum())
