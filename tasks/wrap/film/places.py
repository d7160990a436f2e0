"""Where something was read on a scan, as a place on the picture that is stored, which may be turned."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoredAs:
    """How a scan of `rows` x `columns` pixels was permuted: mirrored left to right first, then turned clockwise by `turn`."""

    rows: int
    columns: int
    turn: int = 0
    mirrored: bool = False

    def place(self, rectangle: tuple[int, int, int, int], turn: int = 0, mirrored: bool = False) -> dict[str, Any]:
        """What lies at (left, top, width, height) of the scan, and what sets it upright: a mirroring, then a clockwise turn."""
        left, top, width, height = self._moved(*rectangle)
        flips = mirrored != self.mirrored
        upright = (turn + self.turn if flips else turn - self.turn) % 360
        return {"left": left, "top": top, "width": width, "height": height, "turn": upright, "mirrored": flips}

    def _moved(self, left: int, top: int, width: int, height: int) -> tuple[int, int, int, int]:
        if self.mirrored:
            left = self.columns - left - width
        if self.turn == 90:
            return self.rows - top - height, left, height, width
        if self.turn == 180:
            return self.columns - left - width, self.rows - top - height, width, height
        if self.turn == 270:
            return top, self.columns - left - width, height, width
        return left, top, width, height
