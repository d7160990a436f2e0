"""The reconcile stage: whose a study is, by a person's decision or by the policy, and the final headers of what is linked."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from tasks.configuration import Configuration
from tasks.errors import ConfigurationError, ReviewError, StageBlockedError
from tasks.pixel_data import read_data_set
from tasks.reconcile.assemble import TWO_CONTENTS
from tasks.reconcile.candidates import Candidate, Query, find_candidates
from tasks.reconcile.header import FilmStudy, compose_header
from tasks.reconcile.index import PatientIndex, Person, index_version, read_index
from tasks.reconcile.normalise import normal_date, normal_identifier, normal_sex, split_name
from tasks.reconcile.policy import UNPROVED, Limits, Member, Verdict, judge
from tasks.reconcile.readings import hints_of, label, reading_of
from tasks.reconcile.renaming import new_uids, renamed
from tasks.stage import Outcome, Row, StageContext, each_group, outcome_of_error

STOPPED = "automatic linking has stopped: more automatic links were found wrong than error_rate allows"
_SHOWN = 10  # candidates a reviewer is shown


def index_settings(configuration: Configuration) -> object:
    """What of the patient index decides what the stage yields: part of its fingerprint."""
    return index_version(configuration)


def reconcile_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Reconciles whole studies (rows of `RECONCILE_VIEW`); yields links and headers.

    Raises `StageBlockedError` where the patient index cannot be used.
    """
    try:
        index = read_index(context.configuration.patients, context.workspace)
    except ConfigurationError as error:
        raise StageBlockedError(str(error)) from error
    studies = [list(rows) for _, rows in groupby(batch, key=lambda row: row["study_instance_uid"])]
    candidates = find_candidates([_query(rows) for rows in studies], index, context.configuration.reconcile.review)

    def work(rows: Sequence[Row]) -> Iterator[Outcome]:
        return _study(rows, candidates[rows[0]["study_instance_uid"]], index, context)

    return each_group(batch, "study_instance_uid", "object_key", work)


def _study(rows: Sequence[Row], candidates: list[Candidate], index: PatientIndex, context: StageContext) -> Iterator[Outcome]:
    may = context.configuration.reconcile
    verdict = _by_person(rows, index, context.configuration.project.issuer)
    decided = verdict is not None
    if verdict is None:
        members = [_member(row) for row in rows]
        verdict = judge(
            members, candidates, Limits(may.auto_link, may.strangers, context.configuration.project.issuer, index.scheme)
        )
        if verdict.decision == "auto" and rows[0]["wrong_links"] > may.error_rate * rows[0]["checked_links"]:
            verdict = Verdict("review", STOPPED)
    decided_at: datetime = rows[0]["decided_at"] if decided else context.now()
    shown = [candidate for candidate in candidates if candidate.probability >= may.review]
    link = {
        "study_instance_uid": rows[0]["study_instance_uid"],
        "patient_id": verdict.person.patient_id if verdict.person else None,
        "decision": verdict.decision,
        "probability": shown[0].probability if shown else None,
        "runner_up": shown[1].probability if len(shown) > 1 else None,
        "evidence": _evidence(rows, shown),
        "decided_by": rows[0]["decided_by"] if decided else "filmroom",
        "decided_at": decided_at,
        "reason": verdict.reason,
    }
    study, uids = _film_study(rows), new_uids(rows)
    for number, row in enumerate(rows):
        outcome = _object(row, verdict, study, decided_at, uids, context)
        tables = {"links": [link], **outcome.rows} if number == 0 else outcome.rows
        yield Outcome(outcome.key, outcome.item_key, outcome.outcome, outcome.reason, tables)


def _object(
    row: Row, verdict: Verdict, study: FilmStudy, decided_at: datetime, uids: Mapping[str, str], context: StageContext
) -> Outcome:
    """What becomes of one object of a study that was judged; its trouble is not that of the others.

    `uids` are new SOP Instance UIDs by former ones.
    """
    key, item = row["object_key"], row["item_key"]
    if verdict.decision == "none":
        return Outcome(key, item, "excluded", verdict.reason)
    if verdict.person is None:
        return Outcome(key, item, "review", verdict.reason)
    if key in verdict.unproved:
        return Outcome(key, item, "review", UNPROVED)
    try:
        if TWO_CONTENTS in (row["conflict"] or ""):
            raise ReviewError(TWO_CONTENTS)  # whose it is does not tell which content counts
        header = compose_header(row, verdict.person, study, decided_at, context.configuration.project.issuer)
        if uids:
            header = renamed(header, uids)
    except Exception as error:  # the item boundary within a study
        return outcome_of_error(error, key, item)
    return Outcome(key, item, rows={"headers": [header]})


def _by_person(rows: Sequence[Row], index: PatientIndex, issuer: str) -> Verdict | None:
    """What a person decided; `None` where nobody did, or took it back."""
    match rows[0]["decision"]:
        case None | "undo":
            return None
        case "wrong":
            return Verdict("review", "the automatic link was checked by a person and is wrong")
        case "nobody":
            return Verdict("none", "decided: belongs to nobody in the index")
        case "link" | "new patient" as kind:
            value = rows[0]["decision_value"]
            having = index.with_identifier(value or "")
            # Who has the number now is meant, not who had it.
            known = [one for one in having if normal_identifier(one.patient_id) == normal_identifier(value)] or having
            if len(known) == 1:
                return Verdict("person", "linked by a person", known[0])
            if kind == "new patient" and not known and normal_identifier(value):
                return Verdict("person", "a new patient by a person's decision", _new_patient(rows, value.strip(), issuer))
            times = "more than once" if known else "not"
            return Verdict("review", f"the decision names an identifier that is {times} in the index: decide again")
        case _:
            return Verdict(
                "review", "the decision is of a kind that this version cannot carry out: undo it or decide otherwise"
            )


def _new_patient(rows: Sequence[Row], patient_id: str, issuer: str) -> Person:
    """A person whom registration gave an identifier, with what the study's objects say alike of them."""
    family, given = split_name(_alike(rows, "patient_name", lambda text: split_name(text)))
    birth_date = normal_date(_alike(rows, "birth_date", normal_date)) or ""
    sex = normal_sex(_alike(rows, "sex", normal_sex)) or ""
    return Person(patient_id, family or "", given or "", birth_date, sex, issuer)


def _alike(rows: Sequence[Row], field: str, normal: Any, read: bool = True) -> str | None:
    """The value that all objects that show it show alike, as first spelled; `None` where they differ or none does."""
    values = [value for row in rows if (value := label(row, field, read)) and normal(value)]
    return values[0] if len({normal(value) for value in values}) == 1 else None


def _film_study(rows: Sequence[Row]) -> FilmStudy:
    """Study attributes that all films of a study share: what was read, else what the manifest says of all of them."""
    date = _alike(rows, "study_date", normal_date) or _alike(rows, "study_date", normal_date, read=False)
    accession = _alike(rows, "accession", normal_identifier) or _alike(rows, "accession", normal_identifier, read=False)
    in_order = sorted(rows, key=lambda row: row["instance_number"] or 0)
    parts = dict.fromkeys(row["body_part"] for row in in_order if row["body_part"])
    series = dict.fromkeys(row["series_instance_uid"] for row in in_order)
    series_of = {row["sop_instance_uid"]: row["series_instance_uid"] for row in rows}
    return FilmStudy(normal_date(date) or "", (accession or "").strip(), ", ".join(parts), tuple(series), series_of)


def _member(row: Row) -> Member:
    issuer = "" if row["kind"] == "film" else str(read_data_set(row["source_header"]).get("IssuerOfPatientID", "") or "")
    return Member(row["object_key"], reading_of(row), hints_of(row), row["conflict"], issuer)


def _query(rows: Sequence[Row]) -> Query:
    """What is known of the study's patient, the most often read first; the manifest fills in what was not read."""
    values = {field: _most(rows, field) for field in ("patient_id", "patient_name", "birth_date", "sex")}
    family, given = split_name(values["patient_name"])
    return Query(
        study_instance_uid=rows[0]["study_instance_uid"],
        patient_id=values["patient_id"],
        family_name=family,
        given_name=given,
        birth_date=values["birth_date"],
        sex=values["sex"],
        accession=_alike(rows, "accession", normal_identifier),
        **_reached_at(rows[0]),
    )


def _reached_at(row: Row) -> dict[str, str]:
    """Where a legacy object's header says that the patient lives and can be rung up."""
    if row["kind"] == "film":
        return {}
    header = read_data_set(row["source_header"])
    street, city, *_ = [*re.split(r"[,^\r\n]+", str(header.get("PatientAddress") or "")), "", ""]
    phones = header.get("PatientTelephoneNumbers") or ""
    phone = phones if isinstance(phones, str) else str(phones[0])
    return {name: text.strip() for name, text in (("street", street), ("city", city), ("phone", phone)) if text.strip()}


def _most(rows: Sequence[Row], field: str) -> str | None:
    for read in (True, False):
        values = [value for row in rows if (value := label(row, field, read))]
        if values:
            return max(sorted(set(values)), key=values.count)
    listings = [json.loads(row["listing"]) for row in rows if row["listing"]]
    listed = [listing.get(field.removeprefix("patient_") if field == "patient_name" else field) for listing in listings]
    return next((str(value) for value in listed if value), None)


def _evidence(rows: Sequence[Row], candidates: Sequence[Candidate]) -> str:
    """What a reviewer is shown: the candidates, with what of each agrees with what was read on the study's objects."""
    readings = sorted({reading_of(row).identity() for row in rows})
    shown: list[Mapping[str, object]] = [
        {
            **asdict(candidate.person),
            "probability": candidate.probability,
            "agreement": [candidate.agreement(reading) for reading in readings],
        }
        for candidate in candidates[:_SHOWN]
    ]
    conflicts = sorted({row["conflict"] for row in rows if row["conflict"]})
    return json.dumps({"candidates": shown, "conflicts": conflicts}, sort_keys=True, ensure_ascii=False)
