"""Whether a film shows anything: a blank film, or one with nothing but lead letters, is even nearly everywhere.

On a blank film, and only there, what is left of unevenness is the digitizer's (lamp, transport, shading), and is measured.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.quality.survey import working_copy

_COARSE_PIXELS = 16_384  # 3.4 mm a pixel on the largest film: grain, dust and letters' strokes are averaged away
_EVEN = 0.04  # of the range in use
_BLANK = 0.03  # share of the area: some lead letters or an identification window
_RIM = 0.05


@dataclass(frozen=True)
class Picture:
    """The share of a film's area that shows something, whether it counts as blank, and how uneven a blank film is."""

    share: float
    blank: bool
    nonuniformity: float | None


def measure_picture(working: NDArray[Any]) -> Picture:
    """Looks at a film (H x W, uint8 or uint16) without its outermost twentieth.

    `share` is the area that differs from the median level by more than 4% of the range in use (the bits that the largest value
    needs); below 3% the film is blank. `nonuniformity` is the integral uniformity of NEMA NU 1, (max - min) / (max + min) of
    the smoothed even area; `None` for a film that shows something.
    """
    height, width = working.shape
    down, across = int(height * _RIM), int(width * _RIM)
    coarse, _ = working_copy(working[down : height - down, across : width - across], _COARSE_PIXELS)
    full = 2 ** max(8, int(working.max()).bit_length()) - 1
    levels = cv2.blur(coarse.astype(np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE) / np.float32(full)
    even = abs(levels - np.median(levels)) <= _EVEN
    share = float(1 - even.mean())
    if share >= _BLANK:
        return Picture(share, False, None)
    low, high = float(levels[even].min()), float(levels[even].max())
    return Picture(share, True, (high - low) / (high + low) if high > 0 else None)
