"""The reconcile stage over a made-up population: wrong links, the share linked without a person, time and memory.

usage: python -m benchmarks.reconcile [PERSONS [LABELS [SEED [FOLDER]]]]

The population (`benchmarks.population`) is written as a Parquet file; timed are the index made ready from it and every batch of
labels through `reconcile_batch`, headers included, on two processes as a run has them. With FOLDER, the precision and recall of
other limits on the match probability, and the calibration, are drawn there as pictures.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydicom.dataset import Dataset
from scipy.stats import beta

from benchmarks.population import Label, Population, make_labels, make_population
from tasks.configuration import Configuration
from tasks.keys import key_of, uid_of
from tasks.pixel_data import header_bytes
from tasks.reconcile.stage import reconcile_batch
from tasks.stage import Row, StageContext

_BATCH = 250
_NOTHING = ("conflict", "listing", "body_part", "decision", "decision_value", "decided_by", "decided_at", "source_trailer")
_NONE = ("rejections", "wrong_links", "checked_links")


def rows_of(labels: Sequence[Label]) -> list[Row]:
    """Rows of `RECONCILE_VIEW`: a study of one film for each label."""
    header = Dataset()
    header.SOPClassUID, header.Modality = "1.2.840.10008.5.1.4.1.1.7.2", "RG"
    staged = header_bytes(header)
    return [_row(str(number), label, staged) for number, label in enumerate(labels)]


def _row(number: str, label: Label, header: bytes) -> Row:
    key = key_of("label", number)
    read = {
        "patient_id": label.number,
        "patient_name": label.name,
        "birth_date": label.birth_date,
        "study_date": label.study_date,
        "sex": "",
        "accession": "",
    }
    row: dict[str, Any] = {f"label_{name}": text or None for name, text in read.items()}
    row |= {f"label_{name}_origin": "ocr" if text else None for name, text in read.items()}
    uids = {f"{name}_instance_uid": uid_of(name, key) for name in ("study", "series", "sop")}
    return {
        **dict.fromkeys(_NOTHING),
        **dict.fromkeys(_NONE, 0),
        **row,
        **uids,
        "object_key": key,
        "item_key": key,
        "kind": "film",
        "instance_number": 1,
        "source": "films",
        "source_header": header,
        "pixel_header": b"",
    }


def links(rows: Sequence[Row], context: StageContext) -> list[dict[str, Any]]:
    """The row of `links` of each row, in order."""
    return [dict(outcome.rows["links"][0]) for outcome in reconcile_batch(rows, context)]


def context_of(population: Population, folder: Path) -> StageContext:
    """A migration whose index is the population, with the configuration's defaults."""
    pq.write_table(population.table(), folder / "index.parquet")
    raw: dict[str, Any] = {
        "project": {"name": "benchmark", "workspace": folder / "workspace", "issuer": "STE", "now": "2026-01-01T00:00:00"},
        "source": [{"kind": "film", "path": folder}],
        "patients": {"index": folder / "index.parquet"},
    }
    return StageContext(Configuration.model_validate(raw), folder / "workspace", "reconcile")


def main() -> None:
    """Prints what came of the labels."""
    persons, labels, seed = (
        int(sys.argv[at]) if len(sys.argv) > at else default for at, default in enumerate((10**6, 20_000, 7), 1)
    )
    population = make_population(persons, seed)
    made = make_labels(population, labels, seed)
    with tempfile.TemporaryDirectory() as folder:
        context = context_of(population, Path(folder))
        rows = rows_of(made)
        start, busy = time.perf_counter(), _processors()
        list(reconcile_batch([], context))
        ready = time.perf_counter() - start
        batches = [rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH)]
        with ProcessPoolExecutor(2) as pool:
            found = [link for part in pool.map(partial(links, context=context), batches) for link in part]
        spent = time.perf_counter() - start
        # The pool has ended, so its processes count among the children.
        busy = _processors() - busy
    report(population, made, found)
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    gigabytes = (own + 2 * child) / 2**20  # the index's pages counted in each, though they are the same
    print(
        f"{spent:.1f} s, of them {ready:.1f} for the index; {busy:.1f} s of processors; {gigabytes:.1f} GiB at most", flush=True
    )
    if len(sys.argv) > 4:
        from benchmarks.curves import draw

        draw(population, made, found, Path(sys.argv[4]))


def _processors() -> float:
    """Seconds of processor time of this process and its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def report(population: Population, labels: Sequence[Label], found: Sequence[dict[str, Any]]) -> None:
    """Prints wrong links with their 95% upper bound, and how many were linked without a person."""
    linked = [(label, link) for label, link in zip(labels, found, strict=True) if link["decision"] == "auto"]
    wrong = [(label, link) for label, link in linked if not is_owner(population, label, link["patient_id"])]
    bound = beta.ppf(0.95, len(wrong) + 1, max(1, len(linked) - len(wrong)))
    members = [label.owner >= 0 for label in labels]
    legible = [label.legible for label in labels]
    automatic = [link["decision"] == "auto" for link in found]
    print(f"{len(labels)} labels, {sum(members)} of persons in an index of {len(population.number)}")
    print(f"wrong links {len(wrong)} of {len(linked)}, 95% upper bound {bound:.2e}")
    for name, which in (("legible", legible), ("all members", members)):
        both = sum(one and other for one, other in zip(which, automatic, strict=True))
        print(f"automatic of {name}: {both} of {sum(which)} = {both / sum(which):.4f}")
    reasons = Counter(
        link["reason"] for link, label in zip(found, labels, strict=True) if label.legible and link["decision"] != "auto"
    )
    for reason, count in reasons.most_common(8):
        print(f"  legible, for a person: {count} {reason}")
    for label, link in wrong:
        print(f"  wrong: {label} {json.dumps({name: link[name] for name in ('patient_id', 'probability', 'runner_up')})}")


def is_owner(population: Population, label: Label, patient_id: str) -> bool:
    """Whether a link is to the label's owner."""
    return label.owner >= 0 and str(population.number[label.owner]) == patient_id


if __name__ == "__main__":
    main()
