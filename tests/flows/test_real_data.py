"""Real films and real odd objects, through a real Orthanc, judged by readers and validators that are not ours."""

import csv
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag

from tests.flows import independent
from tests.flows.real import Migration, migration, truth

# They share one migration; the tests of a file stay on one process.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),  # on odd values
]

Tool = Callable[[str], str]

STATES = {"verified", "review", "quarantined", "waiting", "duplicate", "excluded", "withdrawn"}
# What reconcile and wrap add to every legacy object, and what a data set may not have any longer (PS3.5 7.2).
ADDED = {"SpecificCharacterSet", "ContributingEquipmentSequence", "OriginalAttributesSequence", "DataSetTrailingPadding"}


@pytest.fixture(scope="module")
def migrated(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    with migration(realdata, tmp_path_factory.mktemp("real")) as done:
        yield done


def test_every_file_is_an_item_in_a_state(migrated: Migration) -> None:
    with (migrated.data / "dicom/INDEX.csv").open(newline="", encoding="utf-8") as file:
        listed = {row["path"] for row in csv.DictReader(file)}
    assert (len(truth(migrated.data)), len(listed)) == (48, 281)
    for run in migrated.runs:
        found: dict[str, set[str]] = defaultdict(set)
        for item in run.items:
            found[item["source"]].add(item["path"])
        assert found["scans"] == set(truth(migrated.data))
        assert listed <= found["dicom"]
        assert run.status["balanced"] is True
        assert set(run.status["states"]) <= STATES
        assert sum(run.status["states"].values()) == run.status["found"] == len({(i["source"], i["path"]) for i in run.items})
        assert run.status["states"]["waiting"] == 0
        assert all(item["state"] in STATES and item["reason"] for item in run.items)


def test_nothing_is_unexpected(migrated: Migration) -> None:
    reasons = {item["reason"] for run in migrated.runs for item in run.items}
    assert [reason for reason in sorted(reasons) if "unexpected" in reason] == []


def test_no_film_is_linked_to_a_wrong_patient(migrated: Migration) -> None:
    films = truth(migrated.data)
    linked = {item["path"]: item["patient_id"] for item in migrated.runs[0].items if item["decision"] == "auto"}
    assert {path: films[path]["true_patient_id"] for path in linked} == linked
    print(len(linked), "films linked without a person")
    assert len(linked) >= 0.8 * sum(film["true_patient_id"] != "" for film in films.values())


def test_every_film_of_somebody_is_verified_under_the_right_patient(migrated: Migration) -> None:
    held = {}
    for item in migrated.verified("scans"):
        held[item["path"]] = str(pydicom.dcmread(migrated.held[item["sop_instance_uid"]], stop_before_pixels=True).PatientID)
    somebody = {path: film["true_patient_id"] for path, film in truth(migrated.data).items() if film["true_patient_id"]}
    assert len(somebody) == 43
    assert {path: held.get(path) for path in somebody} == somebody


def test_the_archive_holds_what_is_verified_once_and_nothing_else(migrated: Migration) -> None:
    verified = [item["sop_instance_uid"] for item in migrated.items if item["state"] == "verified"]
    assert len(verified) == len(set(verified)) == migrated.instances == migrated.runs[-1].archive[0]["CountInstances"]
    assert set(verified) == set(migrated.held)
    assert all(item["read_back_sha256"] == item["pixel_sha256"] for item in migrated.items if item["state"] == "verified")
    assert len(migrated.verified("dicom")) >= 100


def test_pixels_of_films_are_those_of_their_files(migrated: Migration, debian_tool: Tool) -> None:
    for item in migrated.verified("scans"):
        if item["pixel_sha256"] is None:
            continue  # the presentation state of a film that keeps its source's codestream
        expected = independent.film_pixels(migrated.data / "films/scans" / item["path"])
        if not item["path"].endswith(".jpg"):
            expected = independent.upright(expected, item["rotation"], item["mirrored"])
        found = independent.pixels(migrated.held[item["sop_instance_uid"]].read_bytes(), debian_tool, migrated.scratch)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), item["path"]
        assert np.array_equal(found, expected), item["path"]


def test_pixels_of_legacy_objects_are_those_of_their_files(migrated: Migration, debian_tool: Tool) -> None:
    different = {}
    for item in migrated.verified("dicom"):
        source = independent.source_file(migrated.data / "dicom", item["path"])
        held = migrated.held[item["sop_instance_uid"]].read_bytes()
        different[item["path"]] = independent.difference(source, held, debian_tool, migrated.scratch)
    assert {path: said for path, said in different.items() if said} == {}


def test_legacy_elements_stay_but_for_the_recorded_changes(migrated: Migration) -> None:
    for item in migrated.verified("dicom"):
        source = independent.read(independent.source_file(migrated.data / "dicom", item["path"]))
        held = independent.read(migrated.held[item["sop_instance_uid"]].read_bytes())
        tags = {int(change["tag"][:8], 16) for change in json.loads(item["changes"])}
        changed = {keyword_for_tag(tag) for tag in tags} | ADDED | set(independent.PIXELS)
        for element in source:
            if element.tag.element == 0 or element.keyword in changed:
                continue
            assert element.tag in held, (item["path"], element.tag)
            assert independent.plain(held[element.tag]) == independent.plain(element), (item["path"], element.tag)


def test_film_objects_conform_to_the_standard(migrated: Migration, debian_tool: Tool) -> None:
    studies: dict[str, list[str]] = defaultdict(list)
    for item in migrated.verified("scans"):
        path = str(migrated.held[item["sop_instance_uid"]])
        studies[item["study_instance_uid"]].append(path)
        said = subprocess.run([debian_tool("dciodvfy"), path], capture_output=True, text=True)
        assert said.returncode == 0
        assert "Error" not in said.stdout + said.stderr, item["path"]
    assert len(studies) > 25
    for paths in studies.values():
        said = subprocess.run([debian_tool("dcentvfy"), *paths], capture_output=True, text=True)
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_another_run_does_nothing(migrated: Migration) -> None:
    _, second, third = migrated.runs
    assert "\nhead: " in third.printed
    assert third.printed == second.printed
    assert third.status == second.status
    assert third.archive == second.archive
    print("a run with nothing to do:", round(third.seconds, 1), "s")
