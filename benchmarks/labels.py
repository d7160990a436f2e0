"""What is read of film labels, and at what cost, on made-up films of many kinds.

usage: python -m benchmarks.labels [FILMS [FIRST]]

FILMS made-up films (300), from number FIRST (0) on, on radiographs and on made-up grounds by turns. Processor time is of one
thread. The limits are those of the field: a value that is given must be right.
"""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import cv2

from benchmarks.label_films import YEARS, LabelFilm, label_film
from tasks.wrap.film.barcodes import read_barcodes
from tasks.wrap.film.labels import read_fields
from tasks.wrap.film.ocr import read_labels

REALDATA = Path(__file__).resolve().parent.parent.parent / "shared" / "realdata"
FIELDS = ("patient_name", "patient_id", "birth_date", "study_date", "accession")
LEAST_RECALL, LEAST_FAINT_RECALL, LEAST_PRECISION, MOST_SECONDS = 0.97, 0.93, 0.998, 0.8


def made_up_films(count: int, first: int) -> Iterator[LabelFilm]:
    """Films to read, every other one on a radiograph where there are some."""
    folder = REALDATA / "radiographs"
    grounds = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg")) if folder.is_dir() else []
    for number in range(first, first + count):
        yield label_film(number, grounds if number % 2 else ())


def outcome(field: str, wanted: str, given: str) -> str:
    """`right`, `wrong` or `missed`; `invented` where the label shows none and `absent` where nothing was given then."""
    if not wanted:
        return "invented" if given else "absent"
    if not given:
        return "missed"
    if field == "patient_name":  # which word is the family name, a label without comma does not say
        return "right" if sorted(re.findall(r"\w+", given)) == sorted(re.findall(r"\w+", wanted)) else "wrong"
    return "right" if given == wanted else "wrong"


def said(name: str, counts: Counter[str]) -> str:
    """A line of the report: recall and precision of what was read."""
    present = counts["right"] + counts["wrong"] + counts["missed"]
    given = counts["right"] + counts["wrong"] + counts["invented"]
    recall, precision = counts["right"] / max(1, present), counts["right"] / max(1, given)
    wrong = counts["wrong"] + counts["invented"]
    return f"{name:14} {present:5} present  recall {recall:.3f}  precision {precision:.4f}  ({wrong} wrong)"


def main() -> None:
    """Runs the benchmark and prints its figures: counts only, no label's text."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    cv2.setNumThreads(1)
    count, first = (int(sys.argv[place]) if len(sys.argv) > place else default for place, default in ((1, 300), (2, 0)))
    styles: dict[str, Counter[str]] = {}
    fields: dict[str, Counter[str]] = {}
    turned: Counter[str] = Counter()
    seconds = []
    for film in made_up_films(count, first):
        began = time.process_time()
        labels = read_labels(film.pixels, "auto")
        read = read_fields(labels, YEARS, read_barcodes(film.pixels))
        seconds.append(time.process_time() - began)
        for field in FIELDS:
            result = outcome(field, film.fields.get(field, ""), read[field].value if field in read else "")
            styles.setdefault(film.style, Counter())[result] += 1
            fields.setdefault(field, Counter())[result] += 1
        if labels:
            turned["right" if (labels[0].turn, labels[0].mirrored) == (film.turn, film.mirrored) else "wrong"] += 1
    for name, counts in (*sorted(styles.items()), *sorted(fields.items()), ("all", sum(styles.values(), Counter()))):
        print(said(name, counts))
    print(f"turn and mirroring of the fullest label: {turned['right']} right, {turned['wrong']} wrong")
    print(f"limits: recall {LEAST_RECALL} (faint flash {LEAST_FAINT_RECALL}), precision {LEAST_PRECISION}")
    print(f"processor time a film: median {median(seconds):.2f} s (limit {MOST_SECONDS}), most {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
