"""The IOD check beside dciodvfy, on real objects and on the same objects spoiled; what differs is explained in docs/IOD.md."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.validate.iod import check
from tests.validate.dciodvfy import verdict
from tests.validate.raw_objects import elements_of

MOST_DIFFERENT = 0.02
"""Share of objects on which an error may be missed, and on which one may be invented."""


def found_in(path: Path) -> frozenset[tuple[str, tuple[int, ...]]]:
    return frozenset((problem.kind, problem.path) for problem in check(elements_of(path)) if problem.kind != "class")


def objects(folder: Path) -> list[Path]:
    with (folder / "INDEX.csv").open(newline="") as file:
        return [folder / row["path"] for row in csv.DictReader(file) if row["sop"] or row["Modality"] or row["pixels"]]


@pytest.mark.slow
def test_errors_of_real_objects_are_those_of_dciodvfy(realdata: Path, debian_tool: Callable[[str], str]) -> None:
    program, compared = debian_tool("dciodvfy"), 0
    missed: dict[str, object] = {}
    invented: dict[str, object] = {}
    for path in objects(realdata / "dicom"):
        said = verdict(program, path)
        if not said.is_whole:
            continue
        compared += 1
        mine = found_in(path)
        if said.found - mine:
            missed[path.name] = sorted(said.found - mine)
        if mine - said.found:
            invented[path.name] = sorted(mine - said.found)
    assert compared > 200
    assert len(missed) <= MOST_DIFFERENT * compared, missed
    assert len(invented) <= MOST_DIFFERENT * compared, invented
