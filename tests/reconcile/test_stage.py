import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tasks.errors import StageBlockedError
from tasks.reconcile.assemble import TWO_CONTENTS, assemble_batch
from tasks.reconcile.policy import UNPROVED
from tasks.reconcile.stage import index_settings, reconcile_batch
from tasks.stage import Outcome

from .rows import INDEX_HEAD, NOW, PERSON, assembled, context, film, film_header, legacy, true_films

READ = {"patient_name": "O'NEIL^MARY ANN", "patient_id": "1001", "birth_date": "19310312", "study_date": "19600101"}
DECIDED = {"decided_by": "reviewer", "decided_at": NOW, "decision_reason": "saw the jacket"}


def run(films: Sequence[dict[str, Any]], folder: Path, **decision: Any) -> tuple[list[Outcome], dict[str, Any]]:
    """Outcomes in order of the batch, and the link of its one study."""
    rows = [film_header(row) for row in films]
    ctx = context(folder)
    batch = [{**row, **decision} for row in assembled(rows, assemble_batch(rows, ctx))]
    outcomes = list(reconcile_batch(batch, ctx))
    links = [link for outcome in outcomes for link in outcome.rows.get("links", ())]
    assert len(links) == len({row["study_instance_uid"] for row in batch})
    return outcomes, dict(links[0])


def test_a_study_that_proves_its_owner_is_linked_with_headers(tmp_path: Path) -> None:
    outcomes, link = run([film("a", **READ), film("b", **READ)], tmp_path)
    assert [o.outcome for o in outcomes] == ["done", "done"]
    assert all(len(o.rows["headers"]) == 1 for o in outcomes)
    assert (link["decision"], link["patient_id"], link["decided_by"], link["decided_at"]) == ("auto", "1001", "filmroom", NOW)


def test_without_an_identifier_the_candidates_are_shown_to_a_person(tmp_path: Path) -> None:
    outcomes, link = run([film("a", **{**READ, "patient_id": None})], tmp_path)
    assert [(o.outcome, "headers" in o.rows) for o in outcomes] == [("review", False)]
    (candidate,) = json.loads(link["evidence"])["candidates"]
    assert candidate["patient_id"] == "1001"
    assert candidate["agreement"] == [{"patient_id": "missing", "name": "agrees", "birth_date": "agrees", "sex": "missing"}]
    assert link["patient_id"] is None and link["decision"] == "review"


def test_nobody_in_the_index(tmp_path: Path) -> None:
    outcomes, link = run([film("a", patient_name="X^Y", patient_id="5", study_date="19600101")], tmp_path)
    assert outcomes[0].reason == link["reason"] == "nobody in the index matches"
    assert link["probability"] is None


def test_a_film_for_its_jackets_sake_waits_beside_a_linked_study(tmp_path: Path) -> None:
    outcomes, link = run([film("a", **READ), film("b")], tmp_path)
    assert link["decision"] == "auto"
    assert sorted((o.outcome, o.reason) for o in outcomes) == [("done", ""), ("review", UNPROVED)]
    outcomes, link = run([film("a", **READ), film("b")], tmp_path, decision="link", decision_value="1001", **DECIDED)
    assert [o.outcome for o in outcomes] == ["done", "done"]


@pytest.mark.parametrize(
    ("decision", "value", "outcome", "kind", "patient"),
    [
        ("link", "1001", "done", "person", "1001"),
        ("link", "1002", "review", "review", None),
        ("link", None, "review", "review", None),
        ("new patient", "N7", "done", "person", "N7"),
        ("new patient", "1001", "done", "person", "1001"),
        ("new patient", " ", "review", "review", None),
        ("nobody", None, "excluded", "none", None),
        ("undo", None, "review", "review", None),
        ("split", "x", "review", "review", None),
    ],
)
def test_decisions(tmp_path: Path, decision: str, value: str | None, outcome: str, kind: str, patient: str | None) -> None:
    films = [film("a", patient_name="SMITH^JOHN", study_date="19600101")]
    outcomes, link = run(films, tmp_path, decision=decision, decision_value=value, **DECIDED)
    assert [o.outcome for o in outcomes] == [outcome]
    assert (link["decision"], link["patient_id"]) == (kind, patient)
    assert link["decided_by"] == ("filmroom" if decision == "undo" else "reviewer")
    assert all(o.reason or o.outcome == "done" for o in outcomes)


def test_undo_brings_the_policy_back(tmp_path: Path) -> None:
    outcomes, link = run([film("a", **READ)], tmp_path, decision="undo", **DECIDED)
    assert (outcomes[0].outcome, link["decision"]) == ("done", "auto")


def test_a_decision_about_the_owner_does_not_say_which_content_counts(tmp_path: Path) -> None:
    batch = [{**film_header(film("a", **READ)), "study_instance_uid": "1.2", "instance_number": 1, "conflict": TWO_CONTENTS}]
    decided = {"decision": "link", "decision_value": "1001", **DECIDED}
    (outcome,) = reconcile_batch([{**row, **decided} for row in batch], context(tmp_path))
    assert (outcome.outcome, outcome.reason) == ("review", TWO_CONTENTS)
    assert outcome.rows["links"][0]["decision"] == "person"


def test_the_same_tables_give_the_same_rows(tmp_path: Path) -> None:
    films = [film("a", **READ), film("b", **READ), film("c")]
    assert run(films, tmp_path) == run(films, tmp_path)


def test_an_index_without_a_column_stops_the_stage_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StageBlockedError, match="no column 'sex'"):
        list(reconcile_batch([], context(tmp_path, INDEX_HEAD.replace("sex", "gender") + PERSON)))
    assert list(reconcile_batch([], context(tmp_path, None))) == []
    assert index_settings(context(tmp_path).configuration)


def test_real_films_with_perfect_labels_have_no_wrong_link(realdata: Path, tmp_path: Path) -> None:
    films, owners = true_films(realdata)
    ctx = context(tmp_path, realdata / "films" / "mpi.csv")
    rows = [film_header(row) for row in films]
    outcomes = list(reconcile_batch(assembled(rows, assemble_batch(rows, ctx)), ctx))
    assert len(outcomes) == len(films)
    link_of = {link["study_instance_uid"]: link["patient_id"] for o in outcomes for link in o.rows.get("links", ())}
    linked = {o.key: link_of[h["study_instance_uid"]] for o in outcomes for h in o.rows.get("headers", ())}
    assert {key: owner for key, owner in linked.items() if owners[key] != owner} == {}
    print(len(linked), "of", sum(owner != "" for owner in owners.values()), "linked without a person")
    assert len(linked) >= 0.8 * sum(owner != "" for owner in owners.values())
    secrets = {owner for owner in owners.values() if owner}
    assert not any(secret in o.reason for o in outcomes for secret in secrets)


def test_a_legacy_header_without_a_number_is_linked_by_the_telephone_it_gives(tmp_path: Path) -> None:
    index = INDEX_HEAD.replace("issuer", "issuer,phone") + PERSON.strip() + ",+1 555 0100 200\n"
    said = {"patient_name": "O'NEIL^MARY ANN", "birth_date": "19310312", "study_date": "19600101"}
    for phone, decision in (("555-0100-200", "auto"), ("555-0100-999", "review"), ("", "review")):
        header = Dataset()
        header.SOPClassUID, header.SOPInstanceUID, header.PatientTelephoneNumbers = (
            "1.2.840.10008.5.1.4.1.1.7",
            "1.2.3.4",
            phone,
        )
        rows = [legacy("a", "1.2.3", "1.2.3.4", header, **said)]
        ctx = context(tmp_path, index)
        (outcome,) = reconcile_batch(assembled(rows, assemble_batch(rows, ctx)), ctx)
        assert outcome.rows["links"][0]["decision"] == decision


@pytest.mark.parametrize(
    ("checked", "wrong", "decision"), [(0, 0, "auto"), (2000, 2, "auto"), (2000, 3, "review"), (1, 1, "review")]
)
def test_automatic_linking_stops_above_the_error_rate(tmp_path: Path, checked: int, wrong: int, decision: str) -> None:
    _, link = run([{**film("a", **READ), "checked_links": checked, "wrong_links": wrong}], tmp_path)
    assert link["decision"] == decision


def test_a_link_found_wrong_goes_to_a_person(tmp_path: Path) -> None:
    outcomes, link = run([film("a", **READ)], tmp_path, decision="wrong", decision_value="", **DECIDED)
    assert (outcomes[0].outcome, link["decision"], link["patient_id"]) == ("review", "review", None)
