"""Assembling studies: legacy objects by Study Instance UID, films of one jacket by what their labels say.

| films of a jacket | become |
| --- | --- |
| read patient and examination date agree | one study |
| nothing read, while all other films of the jacket agree | part of that study, for the jacket's sake |
| two patients read | a study each, with a conflict: a person decides |
| what is read contradicts the manifest | a study with a conflict: possibly mis-filed |
| the same picture lies in another jacket | a study with a conflict |

A conflict never decides anything; it keeps `reconcile` from linking by itself.
"""

import json
from collections.abc import Iterator, Sequence

from tasks.keys import uid_of
from tasks.reconcile.normalise import digits, name_words
from tasks.stage import Outcome, Row, StageContext, each_group

READ = frozenset({"ocr", "barcode", "header"})


def assemble_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Groups the objects of whole jackets and legacy studies; yields studies rows."""
    return each_group(batch, "assembly_key", "object_key", _assemble)


def _assemble(rows: Sequence[Row]) -> Iterator[Outcome]:
    return _legacy(rows) if rows[0]["kind"] == "dicom" else _jacket(rows)


def _legacy(rows: Sequence[Row]) -> Iterator[Outcome]:
    patients = {digits(row["label_patient_id"]) or name_words(row["label_patient_name"]) for row in rows}
    contents: dict[str, set[str]] = {}
    for row in rows:
        contents.setdefault(row["sop_instance_uid"], set()).add(row["item_sha256"])
    conflict = "one Study Instance UID under two patients" if len(patients) > 1 else None
    if any(len(hashes) > 1 for hashes in contents.values()):
        conflict = "one SOP Instance UID with two contents"
    ordered = sorted(rows, key=lambda row: (row["source_order"], row["path"]))
    evidence = {"by": "Study Instance UID", "objects": len(rows)}
    for row in ordered:
        yield _member(row, row["study_instance_uid"], row["series_instance_uid"], None, evidence, conflict)


def _jacket(rows: Sequence[Row]) -> Iterator[Outcome]:
    ordered = sorted(rows, key=lambda row: (row["source_order"], row["path"], row["page"]))
    read = {row["object_key"]: (_read_patient(row), _read(row, "study_date")) for row in ordered}
    whole = {pair for pair in read.values() if pair[0] and pair[1]}
    patients = {patient for patient, _ in read.values() if patient}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in ordered:
        patient, day = read[row["object_key"]]
        if len(whole) == 1 and len(patients) == 1 and not (patient and day):
            only = next(iter(whole))
            fits = (not patient or patient == only[0]) and (not day or day == only[1])
            pair = only if fits else (patient, day or row["object_key"])
        else:
            pair = (patient, day) if patient and day else (patient, row["object_key"])
        groups.setdefault(pair, []).append(row)
    for (patient, _), members in groups.items():
        study = uid_of("study", rows[0]["assembly_key"], *sorted(row["object_key"] for row in members))
        conflict = _jacket_conflict(members, patients)
        evidence = {
            "by": "jacket, patient and examination date" if patient else "the film alone",
            "objects": len(members),
            "read": sum(read[row["object_key"]][0] != "" for row in members),
        }
        for number, row in enumerate(members, start=1):
            yield _member(row, study, uid_of("series", study), number, evidence, conflict)


def _jacket_conflict(members: Sequence[Row], patients: set[str]) -> str | None:
    if any(row["other_jackets"] for row in members):
        return "the same picture lies in another jacket"
    if len(patients) > 1:
        return "two patients were read in one jacket"
    for row in members:
        listed = json.loads(row["listing"] or "{}")
        read_id, listed_id = _read(row, "patient_id"), listed.get("patient_id")
        if read_id and listed_id and digits(read_id) != digits(listed_id):
            return "label and jacket name different patients: possibly mis-filed"
        listed_name, read_name = name_words(listed.get("name")), name_words(_read(row, "patient_name"))
        if read_name and listed_name and not set(read_name.split()) & set(listed_name.split()):
            return "label and jacket name different patients: possibly mis-filed"
    return None


def _read(row: Row, field: str) -> str:
    """A field that was read on the object itself; the manifest's word for it does not count."""
    return row[f"label_{field}"] or "" if row_origin(row, field) in READ else ""


def row_origin(row: Row, field: str) -> str | None:
    """Where a label field came from."""
    return row.get(f"label_{field}_origin")


def _read_patient(row: Row) -> str:
    return digits(_read(row, "patient_id")) or name_words(_read(row, "patient_name"))


def _member(
    row: Row, study: str, series: str, number: int | None, evidence: dict[str, object], conflict: str | None
) -> Outcome:
    columns = {
        "object_key": row["object_key"],
        "item_key": row["item_key"],
        "study_instance_uid": study,
        "series_instance_uid": series,
        "instance_number": number,
        "evidence": json.dumps(evidence, sort_keys=True),
        "conflict": conflict,
    }
    return Outcome(row["object_key"], row["item_key"], rows={"studies": [columns]})
