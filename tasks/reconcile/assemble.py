"""Assemble: which objects make a study, in which order, and what contradicts itself.

Films of a jacket become one study where their labels agree on patient and examination date; legacy objects keep their Study
Instance UID. Nothing is guessed: what cannot be placed is a study of its own, what contradicts itself says so in `conflict`,
and no conflict is linked without a person.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.keys import uid_of
from tasks.reconcile.readings import Reading, contradict, hints_of, people, reading_of
from tasks.stage import Outcome, Row, StageContext, each_group

TWO_PATIENTS = "two patients read in one jacket"
TWO_PATIENTS_IN_STUDY = "one Study Instance UID under two patients"
TWO_CONTENTS = "one SOP Instance UID with two contents"
MISFILED = "label and jacket disagree: possibly mis-filed"
OTHER_JACKET = "same picture in another jacket"
SEVERAL_FILMS = "several films on one scan that may not be one patient's"
NO_FILMS = frozenset({"PR", "DOC"})  # Modality of what shows a film upright, and of paper


@dataclass(frozen=True)
class Placed:
    """A film, what was read on it, and the study it goes into.

    `basis` is `label` (its own label says patient and date), `jacket` (one of both is the whole jacket's) or `alone`.
    """

    row: Row
    reading: Reading
    study: tuple[str, ...]
    basis: str


def assemble_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Assembles groups of objects (rows of `ASSEMBLE_VIEW`, one `assembly_key` a group); yields studies."""
    return each_group(batch, "assembly_key", "object_key", assemble_group)


def assemble_group(rows: Sequence[Row]) -> Iterable[Outcome]:
    """Studies of one group: a jacket's films, or the legacy objects of one Study Instance UID."""
    ordered = sorted(rows, key=lambda row: (row["source_order"], row["path"], row["page"], row["object_key"]))
    films = [row for row in ordered if row["kind"] == "film"]
    legacy = [row for row in ordered if row["kind"] != "film"]
    yield from _films(films)
    yield from _legacy(legacy)


def _films(rows: Sequence[Row]) -> Iterator[Outcome]:
    readings = {row["object_key"]: reading_of(row) for row in rows}
    persons = people(reading.identity() for reading in readings.values() if reading.names_somebody)
    split = any(contradict(a, b) for one in persons for other in persons if one is not other for a in one for b in other)
    studies: dict[tuple[str, ...], list[Placed]] = defaultdict(list)
    for placed in _place(rows, readings, persons):
        studies[placed.study].append(placed)
    for members in studies.values():
        study = uid_of("study", members[0].row["object_key"])
        numbers: Counter[str] = Counter()
        films = sum(placed.row["modality"] not in NO_FILMS for placed in members)
        for placed in members:
            conflicts = [TWO_PATIENTS] if split else []
            if any(contradict(placed.reading, hint) for hint in hints_of(placed.row)):
                conflicts.append(MISFILED)
            if placed.row["other_jackets"]:
                conflicts.append(OTHER_JACKET)
            if "doubt" in json.loads(placed.row["film_bounds"] or "{}"):
                conflicts.append(SEVERAL_FILMS)
            evidence = {"basis": placed.basis, "films": films, "patients_in_jacket": len(persons)}
            series = uid_of("series", study, placed.row["modality"] or "", placed.row["body_part"] or "")
            numbers[series] += 1
            yield _outcome(placed.row, study, series, numbers[series], evidence, conflicts)


def _place(rows: Sequence[Row], readings: dict[str, Reading], persons: list[list[Reading]]) -> Iterator[Placed]:
    """Says for each film which study it goes into; see the module for what is not guessed."""
    person_of = {reading: str(number) for number, group in enumerate(persons) for reading in group}
    dates = sorted({reading.study_date for reading in readings.values() if reading.study_date})
    # The jacket may speak for a film only where everything read in it, and the manifest, tell of one patient and one date.
    whole = [replace(reading, study_date=dates[0]) for reading in persons[0]] if len(persons) == len(dates) == 1 else []
    unanimous = bool(whole) and not any(
        contradict(reading, hint) or (hint.study_date and hint.study_date != reading.study_date)
        for reading in whole
        for row in rows
        for hint in hints_of(row)
    )
    for row in rows:
        reading = readings[row["object_key"]]
        person = person_of.get(reading.identity()) if reading.names_somebody else None
        fits = all(not contradict(reading, other) for other in whole)
        if person is not None and reading.study_date:
            yield Placed(row, reading, ("label", person, reading.study_date), "label")
        elif unanimous and fits:
            yield Placed(row, reading, ("label", "0", dates[0]), "jacket")
        else:
            yield Placed(row, reading, ("alone", row["object_key"]), "alone")


def _legacy(rows: Sequence[Row]) -> Iterator[Outcome]:
    contents: dict[str, set[str]] = defaultdict(set)
    by_study: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        contents[row["sop_instance_uid"]].add(row["item_sha256"])
        by_study[row["study_instance_uid"]].append(row)
    for study, members in by_study.items():
        patients = {reading_of(row).identity() for row in members}
        two = any(_two_patients(one, other) for one in patients for other in patients)
        numbers: Counter[str] = Counter()
        for row in members:
            conflicts = [TWO_PATIENTS_IN_STUDY] if two else []
            if len(contents[row["sop_instance_uid"]]) > 1:
                conflicts.append(TWO_CONTENTS)
            numbers[row["series_instance_uid"]] += 1
            evidence = {"basis": "study instance uid", "objects": len(members)}
            yield _outcome(row, study, row["series_instance_uid"], numbers[row["series_instance_uid"]], evidence, conflicts)


def _two_patients(one: Reading, other: Reading) -> bool:
    """Headers are not read by a camera: any difference in identifier, name or birth date counts, a missing one does not."""
    pairs = ((one.patient_id, other.patient_id), (one.name, other.name), (one.birth_date, other.birth_date))
    return any(a and b and a != b for a, b in pairs)


def _outcome(
    row: Row, study: str, series: str, number: int, evidence: Mapping[str, object], conflicts: Sequence[str]
) -> Outcome:
    studies = {
        "object_key": row["object_key"],
        "item_key": row["item_key"],
        "study_instance_uid": study,
        "series_instance_uid": series,
        "instance_number": number,
        "evidence": json.dumps(evidence, sort_keys=True),
        "conflict": "; ".join(conflicts) or None,
    }
    return Outcome(key=row["object_key"], item_key=row["item_key"], rows={"studies": [studies]})
