"""The reconcile stage: whose a study is, by a person's decision or by the policy, and the final headers of what is linked."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tasks.errors import ReviewError
from tasks.reconcile.assemble import READ, row_origin
from tasks.reconcile.candidates import Candidate, Reading, evidence, find_candidates
from tasks.reconcile.header import compose_header
from tasks.reconcile.index import PatientIndex, Person, read_index
from tasks.reconcile.normalise import da, digits, name_words
from tasks.reconcile.policy import Verdict, judge
from tasks.stage import Outcome, OutcomeKind, Row, StageContext, each_group

_FIELDS = ("patient_id", "patient_name", "birth_date", "sex")


def reconcile_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Reconciles whole studies; yields links and headers rows."""
    index = read_index(context.configuration.patients)
    studies: dict[str, list[Row]] = {}
    for row in batch:
        studies.setdefault(row["study_instance_uid"], []).append(row)
    readings = [read_study(rows) for rows in studies.values()]
    candidates = find_candidates(readings, index, context.configuration.reconcile.review)
    by_study = {reading.study_instance_uid: reading for reading in readings}

    def work(rows: Sequence[Row]) -> Iterator[Outcome]:
        study = rows[0]["study_instance_uid"]
        return _study(rows, by_study[study], candidates[study], index, context)

    return each_group(batch, "study_instance_uid", "object_key", work)


def read_study(rows: Sequence[Row]) -> Reading:
    """What a study's objects say of the patient; the first that says anything speaks for all (see `contradictions`)."""
    values = {field: next((v for row in rows if (v := _read(row, field))), "") for field in _FIELDS}
    return Reading(
        rows[0]["study_instance_uid"],
        digits(values["patient_id"]),
        values["patient_name"],
        da(values["birth_date"]),
        values["sex"],
    )


def _read(row: Row, field: str) -> str:
    return row[f"label_{field}"] or "" if row_origin(row, field) in READ else ""


def contradictions(rows: Sequence[Row]) -> list[str]:
    """Fields that two objects of a study say differently."""
    compared = {"patient_id": digits, "patient_name": name_words, "birth_date": da, "sex": digits}
    return [field for field, normal in compared.items() if len({normal(v) for row in rows if (v := _read(row, field))}) > 1]


def _study(
    rows: Sequence[Row], reading: Reading, candidates: list[Candidate], index: PatientIndex, context: StageContext
) -> Iterator[Outcome]:
    decision = rows[0]["decision"]
    person: Person | None
    if decision in ("link", "new patient", "nobody"):
        person, kind, reason, outcome = _by_person(rows[0], reading, index)
        decided_by, decided_at = rows[0]["decided_by"], rows[0]["decided_at"]
    else:
        verdict = _by_policy(rows, candidates, context)
        person = verdict.candidate.person if verdict.candidate else None
        kind, reason, outcome = verdict.decision, verdict.reason, "done" if person else "review"
        decided_by, decided_at = "filmroom", context.now()
    link = {
        "study_instance_uid": reading.study_instance_uid,
        "patient_id": person.patient_id if person else None,
        "decision": kind,
        "probability": candidates[0].probability if candidates else None,
        "runner_up": candidates[1].probability if len(candidates) > 1 else None,
        "evidence": evidence(candidates, rows[0]["conflict"]),
        "decided_by": decided_by,
        "decided_at": decided_at,
        "reason": reason,
    }
    yield from _members(rows, person, link, outcome, reason, decided_at, context)


def _members(
    rows: Sequence[Row],
    person: Person | None,
    link: dict[str, object],
    outcome: OutcomeKind,
    reason: str,
    decided_at: datetime,
    context: StageContext,
) -> Iterator[Outcome]:
    outcomes = []
    for number, row in enumerate(rows):
        tables: dict[str, list[Row]] = {"links": [link]} if number == 0 else {}
        if person:
            tables["headers"] = [compose_header(row, person, decided_at, context)]
        outcomes.append(Outcome(row["object_key"], row["item_key"], outcome, "" if outcome == "done" else reason, tables))
    yield from outcomes


def _by_policy(rows: Sequence[Row], candidates: list[Candidate], context: StageContext) -> Verdict:
    dates = [da(row["label_study_date"]) for row in rows if _read(row, "study_date")]
    return judge(
        candidates,
        auto_link=context.configuration.reconcile.auto_link,
        conflict=rows[0]["conflict"],
        contradictions=contradictions(rows),
        study_date=min(dates, default=""),
    )


def _by_person(row: Row, reading: Reading, index: PatientIndex) -> tuple[Person | None, str, str, OutcomeKind]:
    """(person, decision, reason, outcome) of a reviewer's decision."""
    if row["decision"] == "nobody":
        return None, "none", "decided: belongs to nobody in the index", "excluded"
    known = index.person(row["decision_value"])
    if row["decision"] == "link":
        if known is None:
            raise ReviewError("the decision names nobody in the index: decide again")
        return known, "person", "linked by a person", "done"
    if known is not None:
        raise ReviewError("the decision makes a new patient of a number the index knows: decide again")
    family, _, given = reading.name.partition("^")
    person = Person(row["decision_value"], family, given, reading.birth_date, reading.sex)
    return person, "person", "a new patient by a person's decision", "done"
