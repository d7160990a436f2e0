"""What was read off an object, and what is only said of it: a reading may link a study, a hint may only contradict."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tasks.reconcile.normalise import name_words, names_compatible, normal_date, normal_identifier, normal_sex, split_name
from tasks.stage import Row

READ = frozenset({"ocr", "barcode", "header"})  # origins of what stands on or in the object itself


@dataclass(frozen=True, order=True)
class Reading:
    """Who an object says it is of, in normal form; `None` or empty where it does not say.

    `patient_id` as `normal_identifier`, `name` as `name_words`, `birth_date` and `study_date` as YYYYMMDD, `sex` as M, F or O.
    """

    patient_id: str = ""
    name: tuple[str, ...] = ()
    birth_date: str = ""
    sex: str = ""
    study_date: str = ""

    @property
    def names_somebody(self) -> bool:
        """Whether it says anything that tells people apart."""
        return bool(self.patient_id or self.name)

    def identity(self) -> "Reading":
        """The same without the examination date."""
        return Reading(self.patient_id, self.name, self.birth_date, self.sex)


def label(row: Row, field: str, read: bool = True) -> str | None:
    """Label value as spelled, if it was read (or, with `read=False`, if it is the manifest's)."""
    if (row.get(f"label_{field}_origin") in READ) is not read:
        return None
    value: str | None = row.get(f"label_{field}")
    return value


def reading_of(row: Row, read: bool = True) -> Reading:
    """What was read on the object of a row, or with `read=False` what the manifest gave for it."""
    return Reading(
        patient_id=normal_identifier(label(row, "patient_id", read)) or "",
        name=name_words(*split_name(label(row, "patient_name", read))),
        birth_date=normal_date(label(row, "birth_date", read)) or "",
        sex=normal_sex(label(row, "sex", read)) or "",
        study_date=normal_date(label(row, "study_date", read)) or "",
    )


def hints_of(row: Row) -> tuple[Reading, ...]:
    """What the manifest says of the object and of its jacket, without repeats and without what is empty."""
    listing = json.loads(row["listing"]) if row.get("listing") else {}
    listed = Reading(
        patient_id=normal_identifier(listing.get("patient_id")) or "",
        name=name_words(*split_name(listing.get("name"))),
        birth_date=normal_date(listing.get("birth_date")) or "",
        sex=normal_sex(listing.get("sex")) or "",
        study_date=normal_date(listing.get("study_date")) or "",
    )
    return tuple(sorted({hint for hint in (listed, reading_of(row, read=False)) if hint != Reading()}))


def contradict(one: Reading, other: Reading) -> bool:
    """Whether two readings cannot be of one person.

    Where both have the same identifier a slip in either name or birth date is borne (the link will not be automatic), both
    differing are not.
    """
    names_differ = bool(one.name and other.name) and not names_compatible(one.name, other.name)
    births_differ = bool(one.birth_date and other.birth_date) and one.birth_date != other.birth_date
    if one.patient_id and other.patient_id:
        return one.patient_id != other.patient_id or (names_differ and births_differ)
    return names_differ or births_differ


def same_person(one: Reading, other: Reading) -> bool:
    """Whether two readings that do not contradict share enough to be of one person: the identifier or the name."""
    if contradict(one, other):
        return False
    shared = bool(one.patient_id) and one.patient_id == other.patient_id
    return shared or names_compatible(one.name, other.name)


def people(readings: Iterable[Reading]) -> list[list[Reading]]:
    """Groups distinct readings by person; readings that could be joined only through a third that contradicts stay apart."""
    groups: list[list[Reading]] = []
    for reading in sorted(set(readings)):
        joined = [group for group in groups if any(same_person(reading, member) for member in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([reading, *(member for group in joined for member in group)])
    apart = [
        parts
        for group in groups
        for parts in ([[member] for member in group] if any(contradict(a, b) for a in group for b in group) else [group])
    ]
    return sorted(sorted(group) for group in apart)
