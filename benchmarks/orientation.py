"""Turns and mirrorings decided on the real films and radiographs, each lying in all eight ways.

usage: python -m benchmarks.orientation [--all] [--no-labels]

Without `--all` each picture lies in one of the ways, in turn. `--no-labels` reads markers only, which is many times quicker.
Says how many quarter turns and mirrorings were decided and how many wrongly, by what they rest on; wrong ones are named.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.wrap.film.letters import WAYS
from tasks.wrap.film.markers import read_markers
from tasks.wrap.film.ocr import read_labels
from tasks.wrap.film.orientation import Orientation, decide_orientation
from tasks.wrap.film.turn import inverse, permuted

REALDATA = Path(__file__).resolve().parent.parent.parent / "shared" / "realdata"


@dataclass(frozen=True)
class Picture:
    """A picture set upright (rows x columns, unsigned), and whether it shows text or a marker that was put there to be read."""

    name: str
    upright: NDArray[Any]
    lettered: bool


def films() -> Iterator[Picture]:
    """The digitizer's films, set upright by their truth: all have a label."""
    folder = REALDATA / "films"
    with (folder / "truth.csv").open() as lines:
        for row in csv.DictReader(lines):
            pixels = cv2.imread(str(folder / row["file"]), cv2.IMREAD_UNCHANGED)
            gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
            # The truth says how the upright film was made to lie: turned counterclockwise, then mirrored.
            lying = gray[:, ::-1] if row["mirrored"] == "1" else gray
            yield Picture(row["file"], permuted(lying, int(row["rotated"]), False), True)


def radiographs() -> Iterator[Picture]:
    """The radiographs, upright as they are; those with a marker in the list count as lettered."""
    folder = REALDATA / "radiographs"
    with (folder / "markers_truth.csv").open() as lines:
        marked = {row["file"] for row in csv.DictReader(lines)}
    with (folder / "bodypart_truth.csv").open() as lines:
        for row in csv.DictReader(lines):
            pixels = cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE)
            yield Picture(row["file"], np.asarray(pixels), row["file"] in marked)


def judged(found: Orientation, way: tuple[int, bool]) -> tuple[str, str]:
    """(`right`, `wrong` or `undecided` of the turn, the same of the mirroring) where `way` would set the picture upright."""
    up = -way[0] % 360 if way[1] and not found.mirrored else way[0]
    turn = "undecided" if found.turn is None else "right" if found.turn == up else "wrong"
    if found.turn is not None and found.mirrored is True and not way[1]:
        turn = "wrong"
    mirrored = "undecided" if found.mirrored is None else "right" if found.mirrored == way[1] else "wrong"
    return turn, mirrored


def main() -> None:
    """Prints the counts."""
    turns: Counter[str] = Counter()
    mirrorings: Counter[str] = Counter()
    sides: Counter[str] = Counter()
    why: Counter[str] = Counter()
    for number, picture in enumerate([*films(), *radiographs()]):
        for way in WAYS if "--all" in sys.argv else [WAYS[number % len(WAYS)]]:
            pixels = np.ascontiguousarray(permuted(picture.upright, *inverse(*way)))
            labels = [] if "--no-labels" in sys.argv else read_labels(pixels, "auto")
            found = decide_orientation(pixels, labels, read_markers(pixels), None, None)
            turn, mirrored = judged(found, way)
            turns[turn] += 1
            mirrorings[f"{'lettered' if picture.lettered else 'without letters'}: {mirrored}"] += 1
            sides[found.patient_orientation or "empty"] += 1
            why.update(found.evidence.replace(f"turn {found.turn} ", "turn ").split("; "))
            if "wrong" in (turn, mirrored) or "-v" in sys.argv:
                print(f"{picture.name} {way}: turn {turn}, mirroring {mirrored}: {found.evidence}", flush=True)
    for name, counts in (("quarter turns", turns), ("mirroring", mirrorings), ("Patient Orientation", sides), ("because", why)):
        print(name, *(f"  {count:5} {what}" for what, count in sorted(counts.items())), sep="\n")


if __name__ == "__main__":
    main()
