"""The policy over a made-up population with known owners (`benchmarks.population`): never a wrong link, and few reviews."""

from pathlib import Path

import pytest

from benchmarks.population import make_labels, make_population
from benchmarks.reconcile import context_of, is_owner, links, rows_of


@pytest.mark.parametrize("seed", [11])
def test_no_label_goes_to_somebody_else_and_nine_in_ten_need_nobody(tmp_path: Path, seed: int) -> None:
    population = make_population(30_000, seed)
    labels = make_labels(population, 2000, seed, noise=0.01)
    found = links(rows_of(labels), context_of(population, tmp_path))
    linked = [(label, link["patient_id"]) for label, link in zip(labels, found, strict=True) if link["decision"] == "auto"]
    assert [label.why for label, number in linked if not is_owner(population, label, number)] == []
    legible = [link["decision"] == "auto" for label, link in zip(labels, found, strict=True) if label.legible]
    assert sum(legible) >= 0.9 * len(legible)
