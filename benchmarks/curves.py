"""Pictures of what the reconcile benchmark found: precision and recall by limit, and predicted against actual matches."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.population import Label, Population

mpl.use("Agg")


def draw(population: Population, labels: Sequence[Label], found: Sequence[dict[str, Any]], folder: Path) -> None:
    """Writes `precision_recall.png` and `calibration.png`: of the best candidate of each label, without the policy."""

    from matplotlib import pyplot

    best = [(json.loads(link["evidence"])["candidates"] or [None])[0] for link in found]
    known = [(label, one) for label, one in zip(labels, best, strict=True) if one is not None]
    probable = np.array([one["probability"] for _, one in known])
    right = np.array([label.owner >= 0 and population.number[label.owner] == one["patient_id"] for label, one in known])
    members = sum(label.owner >= 0 for label in labels)
    folder.mkdir(parents=True, exist_ok=True)

    order = np.argsort(-probable, kind="stable")
    hits = np.cumsum(right[order])
    figure, axes = pyplot.subplots()
    axes.plot(hits / members, hits / np.arange(1, len(hits) + 1))
    axes.set(xlabel="recall", ylabel="precision", title="The best candidate of each label, without the policy")
    figure.savefig(folder / "precision_recall.png")

    edges = np.array([0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 1.0])
    bins = np.digitize(probable, edges[1:-1])
    kept = [at for at in range(len(edges) - 1) if (bins == at).any()]
    figure, axes = pyplot.subplots()
    axes.plot([0, 1], [0, 1], linestyle=":")
    axes.plot([probable[bins == at].mean() for at in kept], [right[bins == at].mean() for at in kept], marker="o")
    axes.set(xlabel="predicted probability", ylabel="share of true matches", title="Calibration")
    figure.savefig(folder / "calibration.png")
    for at in kept:
        inside = bins == at
        print(f"predicted {probable[inside].mean():.5f}: true {right[inside].mean():.5f} of {inside.sum()}")
