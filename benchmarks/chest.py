"""Trains the model of the upright frontal chest (`tasks/wrap/film/chest.json`), and measures it on collections it has not seen.

usage: python -m benchmarks.chest [--only-train]

Radiographs come from `../shared/realdata/radiographs`, whose licences (SOURCES.csv) allow it; all stand upright there. Each
collection in turn is left out of the training and turned in all eight ways: the figures printed are of those.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from tasks.wrap.film import anatomy
from tasks.wrap.film.turn import TURNS, permuted

ROOT = Path(__file__).resolve().parent.parent
RADIOGRAPHS = ROOT.parent / "shared" / "realdata" / "radiographs"
TARGET = ROOT / "tasks" / "wrap" / "film" / "chest.json"
COPIES = 24  # of each radiograph, each spoilt in another way
RIDGE = 2e-3


def radiographs() -> list[tuple[str, str, NDArray[np.uint8]]]:
    """(collection, body part, pixels) of every radiograph."""
    with (RADIOGRAPHS / "bodypart_truth.csv").open() as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: row["file"])
    read = [(row["file"].split("/")[0], row["body_part"], RADIOGRAPHS / row["file"]) for row in rows]
    return [(name, part, np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))) for name, part, file in read]


def spoilt(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """As a digitizer delivers it: cut, skewed, mirrored, lighter or darker, with a bed around it and labels on it."""
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-7, 7), random.uniform(0.95, 1.15))
    picture = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    top, bottom, left, right = (random.uniform(0, 0.14, 4) * [height, height, width, width]).astype(int)
    picture = picture[top : height - bottom, left : width - right]
    picture = picture[:, ::-1] if random.random() < 0.5 else picture
    picture = (255 * (picture / 255) ** random.uniform(0.5, 1.8)).astype(np.uint8)
    if random.random() < 0.4:
        edges = (random.uniform(0, 0.08, 4) * max(picture.shape)).astype(int).tolist()
        picture = cv2.copyMakeBorder(picture, *edges, cv2.BORDER_CONSTANT, value=int(random.choice([0, 5, 250])))
    picture = np.ascontiguousarray(picture)
    for _ in range(random.integers(0, 3)):
        size = (random.uniform(0.08, 0.32, 2) * picture.shape).astype(int)
        place = [int(random.choice([0, 0.03, 0.97 - share, 1 - share]) * side)
                 for share, side in zip(size / picture.shape, picture.shape, strict=True)]  # fmt: skip
        picture[place[0] : place[0] + size[0], place[1] : place[1] + size[1]] = random.choice([5, 235])
    return picture


def examples(films: list[tuple[str, str, NDArray[np.uint8]]], seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(features, whether an upright chest) of spoilt copies in all four turns."""
    random = np.random.default_rng(seed)
    rows, answers = [], []
    for _, part, pixels in films:
        for _ in range(COPIES):
            small = anatomy.reduced(spoilt(pixels, random))
            for turn in TURNS:
                rows.append(anatomy.features(permuted(small, turn, False)))
                answers.append(part == "CHEST" and turn == 0)
    return np.stack(rows).astype(np.float64), np.array(answers)


def trained(rows: NDArray[Any], answers: NDArray[Any]) -> NDArray[Any]:
    """Weights of a logistic regression with a ridge, the constant last."""
    signs = np.where(answers, 1.0, -1.0)
    share = np.where(answers, 0.5 / answers.sum(), 0.5 / (~answers).sum())

    def loss(weights: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        margins = signs * (rows @ weights[:-1] + weights[-1])
        pull = -share * signs / (1 + np.exp(margins))
        value = float((share * np.logaddexp(0, -margins)).sum() + RIDGE * np.square(weights[:-1]).sum() / 2)
        return value, np.append(rows.T @ pull + RIDGE * weights[:-1], pull.sum())

    return np.asarray(minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)


def held_out(films: list[tuple[str, str, NDArray[np.uint8]]]) -> Iterator[tuple[str, str, float, float]]:
    """(collection, body part, score upright, highest score of another turn) with each collection left out in turn."""
    for name in sorted({film[0] for film in films}):
        weights = trained(*examples([film for film in films if film[0] != name], 1))
        random = np.random.default_rng(2)
        for _, part, pixels in (film for film in films if film[0] == name):
            for picture in [pixels, *(spoilt(pixels, random) for _ in range(4))]:
                small = anatomy.reduced(picture)
                scores = [float(anatomy.features(permuted(small, turn, False)) @ weights[:-1] + weights[-1]) for turn in TURNS]
                yield name, part, scores[0], max(scores[1:])


def main() -> None:
    """Prints figures of held-out collections, then trains on all and writes the model."""
    films = radiographs()
    results = [] if sys.argv[1:] == ["--only-train"] else list(held_out(films))
    for name in sorted({result[0] for result in results}):
        chests = [(up, other) for collection, part, up, other in results if collection == name and part == "CHEST"]
        rest = [max(up, other) for collection, part, up, other in results if collection == name and part != "CHEST"]
        print(f"{name}: {len(chests)} chests, least lead {min((up - other for up, other in chests), default=0):.1f},", end=" ")
        for limit in (1.0, 2.0, 3.0, 4.0):
            right = sum(up >= limit and other <= -limit for up, other in chests)
            wrong = sum(other >= limit and up <= -limit for up, other in chests)
            print(
                f"at {limit:.0f}: {right} right {wrong} wrong {sum(score >= limit for score in rest)}/{len(rest)} others;",
                end=" ",
            )
        print()
    weights = trained(*examples(films, 1))
    TARGET.write_text(json.dumps([round(float(weight), 4) for weight in weights]) + "\n")


if __name__ == "__main__":
    main()
