"""Answers to C-FIND and the instances that C-GET and C-MOVE name (PS3.4 C.4), from the index.

One answer a patient, study, series or image, never one an instance; counts are over all visible instances of it, whatever the
query's other keys. The attributes of an answer are those of its instance with the lowest SOP Instance UID, so that they fit
together and do not depend on the order of arrival.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from tasks.pacs.index import IMAGE, PATIENT, SERIES, STUDY, VISIBLE, Index, Instance

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
UNIQUE_KEYS = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}
_KEYS = {"PATIENT": PATIENT, "STUDY": STUDY, "SERIES": SERIES, "IMAGE": IMAGE}
_GROUPS = {
    "PATIENT": "patient_key",
    "STUDY": "patient_key, StudyInstanceUID",
    "SERIES": "patient_key, StudyInstanceUID, SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
# Computed keys (PS3.4 C.3.4), the level they belong to and how they are counted.
_COMPUTED = {
    "NumberOfPatientRelatedStudies": ("PATIENT", "count(DISTINCT StudyInstanceUID)"),
    "NumberOfPatientRelatedSeries": ("PATIENT", "count(DISTINCT StudyInstanceUID || ' ' || SeriesInstanceUID)"),
    "NumberOfPatientRelatedInstances": ("PATIENT", "count(*)"),
    "NumberOfStudyRelatedSeries": ("STUDY", "count(DISTINCT SeriesInstanceUID)"),
    "NumberOfStudyRelatedInstances": ("STUDY", "count(*)"),
    "ModalitiesInStudy": ("STUDY", "replace(group_concat(DISTINCT nullif(Modality, '')), ',', '\\')"),
    "SOPClassesInStudy": ("STUDY", "replace(group_concat(DISTINCT SOPClassUID), ',', '\\')"),
    "NumberOfSeriesRelatedInstances": ("SERIES", "count(*)"),
}
_NOT_KEYS = frozenset(
    {"QueryRetrieveLevel", "SpecificCharacterSet", "TimezoneOffsetFromUTC", "QueryRetrieveView", "RetrieveAETitle"}
)


class IdentifierError(ValueError):
    """The identifier does not fit the information model: status 0xA900."""


@dataclass(frozen=True)
class Answer:
    """One match; `partial` where an optional key was asked for that is not kept (status 0xFF01)."""

    identifier: Dataset
    partial: bool


def level_of(identifier: Dataset, study_root: bool) -> str:
    """Query/Retrieve Level; raises `IdentifierError` where there is none or the model does not have it."""
    level = str(identifier.get("QueryRetrieveLevel", "") or "")
    if level not in LEVELS or (study_root and level == "PATIENT"):
        raise IdentifierError("no such Query/Retrieve Level in this model")
    return level


def find(index: Index, identifier: Dataset, study_root: bool) -> Iterator[Answer]:
    """Matches of a C-FIND identifier; raises `IdentifierError`."""
    level = level_of(identifier, study_root)
    kept = {key for upper in LEVELS[: LEVELS.index(level) + 1] for key in _KEYS[upper]}
    computed = {key: sql for key, (at, sql) in _COMPUTED.items() if at == level}
    asked = [element.keyword for element in identifier if element.tag.element and element.keyword not in _NOT_KEYS]
    partial = any(key not in kept and key not in computed for key in asked)
    where, parameters = _conditions(identifier, [key for key in asked if key in kept])
    having, more = _conditions(identifier, [key for key in asked if key in computed and key.endswith("InStudy")])
    group = _GROUPS[level]
    counts = "".join(f", {sql} AS {key}" for key, sql in computed.items())
    # Keys choose groups and not rows, so that the counts are of the whole group. With min() in the list, SQLite takes the bare
    # columns from the row of the minimum.
    sql = f"""
        SELECT *, min(SOPInstanceUID) AS first{counts} FROM instances
        WHERE {VISIBLE} AND ({group}) IN (SELECT {group} FROM instances WHERE {VISIBLE} AND {where})
        GROUP BY {group} HAVING {having} ORDER BY {group}
    """
    with index.reader() as connection:
        for row in connection.execute(sql, (*parameters, *more)):
            values = {key: row[key] for key in asked if key in kept or key in computed}
            yield Answer(_answer(values, level), partial)


def instances(index: Index, identifier: Dataset, study_root: bool) -> list[Instance]:
    """Visible instances that a C-GET or C-MOVE identifier names by its unique keys, in the order of their UIDs.

    The level's own unique key must be there (PS3.4 C.4.2.2.1): a retrieve without would be of the whole archive. Those of the
    levels above narrow it down where they are given. Raises `IdentifierError`.
    """
    level = level_of(identifier, study_root)
    if not _wanted(identifier, UNIQUE_KEYS[level]):
        raise IdentifierError("the unique key of the level is missing")
    keys = [UNIQUE_KEYS[upper] for upper in LEVELS[: LEVELS.index(level) + 1]]
    clauses, parameters = [VISIBLE], []
    for key in keys:
        if wanted := _wanted(identifier, key):
            clauses.append(f"{key} IN ({', '.join('?' * len(wanted))})")
            parameters += wanted
    where = " AND ".join(clauses)
    sql = f"SELECT SOPInstanceUID, SOPClassUID, syntax, digest FROM instances WHERE {where} ORDER BY SOPInstanceUID"
    with index.reader() as connection:
        return [Instance(*row) for row in connection.execute(sql, parameters)]


def _conditions(identifier: Dataset, keys: list[str]) -> tuple[str, list[str]]:
    """(SQL, parameters) of the keys with a value. UIDs and plain identifiers go by an index, all else through `matches`."""
    clauses, parameters = ["1"], []
    for key in keys:
        wanted = _wanted(identifier, key)
        if not wanted:
            continue
        vr = dictionary_VR(key)
        plain = vr == "UI" or (key == "PatientID" and not set("*?") & set("".join(wanted)))
        if plain and key not in _COMPUTED:
            clauses.append(f"{key} IN ({', '.join('?' * len(wanted))})")
            parameters += wanted
        else:
            clauses.append(f"matches('{vr}', {key}, ?)")
            parameters.append("\\".join(wanted))
    return " AND ".join(clauses), parameters


def _wanted(identifier: Dataset, key: str) -> list[str]:
    """The values of a matching key as text; none where it is absent or empty.

    Raises `IdentifierError` where they are no values.
    """
    try:
        value = identifier.get(key)
    except (TypeError, ValueError) as error:
        raise IdentifierError("a key has a value that its VR does not allow") from error
    if value is None:
        return []
    values = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    return [text for one in values if (text := str(one).strip(" \x00"))]


def _answer(values: dict[str, object], level: str) -> Dataset:
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    answer.QueryRetrieveLevel = level
    for key, value in values.items():
        texts = [] if value is None or value == "" else str(value).split("\\")
        if key.endswith("InStudy"):
            texts.sort()
        try:
            numbers = [int(text) for text in texts] if dictionary_VR(key) in ("IS", "US") else texts
        except ValueError:  # stored as it came, and no number
            numbers = []
        setattr(answer, key, None if not numbers else numbers[0] if len(numbers) == 1 else numbers)
    return answer
