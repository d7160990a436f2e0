import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.reconcile.assemble import (
    MISFILED,
    OTHER_JACKET,
    SEVERAL_FILMS,
    TWO_CONTENTS,
    TWO_PATIENTS,
    TWO_PATIENTS_IN_STUDY,
    assemble_batch,
)

from .rows import context, film, legacy

ANN = {"patient_name": "SMITH^ANN", "patient_id": "1", "birth_date": "19300101"}
BOB = {"patient_name": "SMITH^BOB", "patient_id": "2", "birth_date": "19300101"}


def studies(rows: Sequence[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    outcomes = list(assemble_batch(rows, context(folder)))
    assert [o.outcome for o in outcomes] == ["done"] * len(rows)
    by_key = {o.key: o.rows["studies"][0] for o in outcomes}
    return [dict(by_key[row["object_key"]]) for row in rows]


def uids(found: list[dict[str, Any]]) -> list[int]:
    """Studies as small numbers, in order of first sight."""
    seen: dict[str, int] = {}
    return [seen.setdefault(s["study_instance_uid"], len(seen)) for s in found]


def test_films_that_agree_on_patient_and_date_are_one_study_in_order(tmp_path: Path) -> None:
    found = studies([film("b.tif", **ANN, study_date="19600101"), film("a.tif", **ANN, study_date="19600101")], tmp_path)
    assert uids(found) == [0, 0]
    assert [s["instance_number"] for s in found] == [2, 1]
    assert {s["series_instance_uid"] for s in found} != {found[0]["study_instance_uid"]}
    assert [s["conflict"] for s in found] == [None, None]


def test_another_date_is_another_study(tmp_path: Path) -> None:
    assert uids(studies([film("a", **ANN, study_date="19600101"), film("b", **ANN, study_date="19600102")], tmp_path)) == [0, 1]


def test_two_patients_are_split_and_say_so_without_names(tmp_path: Path) -> None:
    found = studies([film("a", **ANN, study_date="19600101"), film("b", **BOB, study_date="19600101")], tmp_path)
    assert uids(found) == [0, 1]
    assert {s["conflict"] for s in found} == {TWO_PATIENTS}
    assert "SMITH" not in json.dumps(found)


def test_twins_with_the_same_birth_date_are_two_patients(tmp_path: Path) -> None:
    twins = [film(n, patient_name=f"SMITH^{n}", birth_date="19300101", study_date="19600101") for n in ("JOAN", "JOHN")]
    assert uids(studies(twins, tmp_path)) == [0, 1]


def test_an_initial_that_fits_two_patients_joins_neither(tmp_path: Path) -> None:
    rows = [film(n, patient_name=f"SMITH^{n}", study_date="19600101") for n in ("JOAN", "J", "JOHN")]
    found = studies(rows, tmp_path)
    assert uids(found) == [0, 1, 2]
    assert {s["conflict"] for s in found} == {TWO_PATIENTS}


def test_a_film_without_readings_joins_only_an_unanimous_jacket(tmp_path: Path) -> None:
    found = studies([film("a", **ANN, study_date="19600101"), film("b")], tmp_path)
    assert uids(found) == [0, 0]
    assert json.loads(found[1]["evidence"])["basis"] == "jacket"
    two_dates = [film("a", **ANN, study_date="19600101"), film("b"), film("c", **ANN, study_date="19610101")]
    assert uids(studies(two_dates, tmp_path)) == [0, 1, 2]
    assert uids(studies([film("a"), film("b")], tmp_path)) == [0, 1]


def test_the_manifest_may_forbid_but_never_make_a_group(tmp_path: Path) -> None:
    listing = {"jacket": "J1", "patient_id": "2"}
    found = studies([film("a", **ANN, study_date="19600101", listing=listing), film("b", listing=listing)], tmp_path)
    assert uids(found) == [0, 1]
    assert found[0]["conflict"] == MISFILED
    hinted = [film(name, origin="manifest", **ANN, study_date="19600101") for name in ("a", "b")]
    assert uids(studies(hinted, tmp_path)) == [0, 1]


def test_the_same_picture_in_another_jacket_is_a_conflict(tmp_path: Path) -> None:
    found = studies([film("a", **ANN, study_date="19600101", other_jackets=1)], tmp_path)
    assert found[0]["conflict"] == OTHER_JACKET


def test_what_is_minted_rests_on_the_content_alone(tmp_path: Path) -> None:
    rows = [film("a", **ANN, study_date="19600101"), film("b", **ANN, study_date="19600101")]
    assert studies(rows, tmp_path) == studies(rows[::-1], tmp_path)[::-1]


def test_legacy_objects_keep_their_uids(tmp_path: Path) -> None:
    rows = [legacy("x", "1.2.3", "1.2.3.1", **ANN), legacy("y", "1.2.3", "1.2.3.2", patient_id="1")]
    found = studies(rows, tmp_path)
    assert [(s["study_instance_uid"], s["series_instance_uid"], s["conflict"]) for s in found] == [
        ("1.2.3", "1.2.3.1", None)
    ] * 2


def test_one_study_uid_under_two_patients_is_a_conflict(tmp_path: Path) -> None:
    found = studies([legacy("x", "1.2.3", "1.2.3.1", **ANN), legacy("y", "1.2.3", "1.2.3.2", **BOB)], tmp_path)
    assert {s["conflict"] for s in found} == {TWO_PATIENTS_IN_STUDY}


def test_one_instance_with_two_contents_is_a_conflict_of_those_two(tmp_path: Path) -> None:
    rows = [legacy(p, "1.2.3", uid, **ANN) for p, uid in (("x", "1.2.3.1"), ("y", "1.2.3.1"), ("z", "1.2.3.2"))]
    assert [s["conflict"] for s in studies(rows, tmp_path)] == [TWO_CONTENTS, TWO_CONTENTS, None]


def test_each_body_part_is_a_series_of_the_study(tmp_path: Path) -> None:
    rows = [
        film(name, body_part=part, **ANN, study_date="19600101")
        for name, part in zip("abc", ("CHEST", "HAND", "CHEST"), strict=True)
    ]
    found = studies(rows, tmp_path)
    assert uids(found) == [0, 0, 0]
    chest, hand, again = (s["series_instance_uid"] for s in found)
    assert chest == again != hand


def test_a_presentation_state_is_in_a_series_of_its_own_and_counts_as_no_film(tmp_path: Path) -> None:
    rows = [
        film(name, modality=kind, **ANN, study_date="19600101") for name, kind in zip("abc", ("RG", "PR", "RG"), strict=True)
    ]
    found = studies(rows, tmp_path)
    assert uids(found) == [0, 0, 0]
    assert [s["instance_number"] for s in found] == [1, 1, 2]
    assert found[0]["series_instance_uid"] == found[2]["series_instance_uid"] != found[1]["series_instance_uid"]
    assert {json.loads(s["evidence"])["films"] for s in found} == {2}


def test_films_that_may_not_be_told_apart_are_for_a_person(tmp_path: Path) -> None:
    bounds = json.dumps({"films": [], "doubt": "they lie level"})
    (found,) = studies([film("a", film_bounds=bounds, **ANN, study_date="19600101")], tmp_path)
    assert found["conflict"] == SEVERAL_FILMS
