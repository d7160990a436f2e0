"""Answers to C-FIND (PS3.4 C.4.1): one row a patient, study, series or image, with right counts.

A Study Instance UID under two patients is shown as two studies, one under each, as what is there is. Matching: single value, list of
UIDs, wild cards, ranges of dates and times, and person names without regard to case (PS3.4 C.2.2.2).
"""

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

from tasks.pacs.index import COLUMNS, IMAGE, PATIENT, SERIES, STUDY, Index

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
_KEYS = {"PATIENT": PATIENT, "STUDY": STUDY, "SERIES": SERIES, "IMAGE": IMAGE}
_GROUPS = {
    "PATIENT": ("PatientID",),
    "STUDY": ("PatientID", "StudyInstanceUID"),
    "SERIES": ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"),
    "IMAGE": ("SOPInstanceUID",),
}
_COUNTS = {
    "NumberOfPatientRelatedStudies": ("PATIENT", "count(DISTINCT StudyInstanceUID)"),
    "NumberOfPatientRelatedSeries": ("PATIENT", "count(DISTINCT SeriesInstanceUID)"),
    "NumberOfPatientRelatedInstances": ("PATIENT", "count(*)"),
    "NumberOfStudyRelatedSeries": ("STUDY", "count(DISTINCT SeriesInstanceUID)"),
    "NumberOfStudyRelatedInstances": ("STUDY", "count(*)"),
    "NumberOfSeriesRelatedInstances": ("SERIES", "count(*)"),
    "ModalitiesInStudy": ("STUDY", "group_concat(DISTINCT Modality)"),
}
_VISIBLE = "SOPInstanceUID NOT IN (SELECT SOPInstanceUID FROM rejected)"


def find(index: Index, identifier: Dataset) -> Iterator[Dataset]:
    """Matches of a C-FIND identifier at its Query/Retrieve Level; `ValueError` where the level is none."""
    level = str(identifier.get("QueryRetrieveLevel", ""))
    if level not in LEVELS:
        raise ValueError(f"no such Query/Retrieve Level: {level!r}")
    where, parameters = conditions(identifier)
    group = ", ".join(_GROUPS[level])
    counts = ", ".join(f"{sql} AS {name}" for name, (at, sql) in _COUNTS.items() if at == level)
    names = ", ".join(f"max({name}) AS {name}" for name in COLUMNS if name not in _GROUPS[level])
    # Counts are over the whole patient, study or series, so the conditions choose groups and not rows.
    sql = f"""
        SELECT {group}, {names}{", " + counts if counts else ""} FROM instances WHERE {_VISIBLE}
        AND ({group}) IN (SELECT {group} FROM instances WHERE {_VISIBLE} AND {where}) GROUP BY {group} ORDER BY {group}"""
    wanted_modalities = _values(identifier, "ModalitiesInStudy") if level == "STUDY" else []
    for row in index.select(sql, tuple(parameters)):
        answer = _answer(identifier, dict(row), level)
        if not wanted_modalities or set(wanted_modalities) & set(str(row["ModalitiesInStudy"]).split(",")):
            yield answer


def conditions(identifier: Dataset) -> tuple[str, list[str]]:
    """(SQL condition, parameters) of the matching keys of an identifier."""
    clauses, parameters = ["1"], []
    for name in COLUMNS:
        values = _values(identifier, name)
        if not values or values == ["*"]:
            continue
        if len(values) > 1:
            clauses.append(f"{name} IN ({', '.join('?' * len(values))})")
            parameters += values
        elif name.endswith(("Date", "Time")) and "-" in values[0]:
            low, _, high = values[0].partition("-")
            clauses.append(f"{name} <> '' AND {name} BETWEEN ? AND ?")
            parameters += [low or "0", high or "99999999"]
        elif re.search(r"[*?]", values[0]):
            clauses.append(f"upper({name}) GLOB ?")
            parameters.append(values[0].upper().replace("[", "[[]"))
        else:
            clauses.append(f"upper({name}) = ?" if name == "PatientName" else f"{name} = ?")
            parameters.append(values[0].upper().rstrip("^") if name == "PatientName" else values[0])
    return " AND ".join(clauses), parameters


def _values(identifier: Dataset, keyword: str) -> list[str]:
    value = identifier.get(keyword)
    if value is None or value == "":
        return []
    return [str(v) for v in value] if isinstance(value, list | tuple) or hasattr(value, "append") else [str(value)]


def _answer(identifier: Dataset, row: dict[str, object], level: str) -> Dataset:
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 192"
    allowed = {key for upper in LEVELS[: LEVELS.index(level) + 1] for key in _KEYS[upper]} | set(_COUNTS)
    for element in identifier:
        keyword = element.keyword
        if keyword in ("QueryRetrieveLevel", "SpecificCharacterSet") or not keyword:
            continue
        value = row.get(keyword) if keyword in allowed else None
        if keyword == "ModalitiesInStudy":
            value = sorted(str(value).split(",")) if value else None
        if element.VR != "SQ":
            setattr(answer, keyword, value if value is not None else "")
    answer.QueryRetrieveLevel = level
    return answer


def instances(index: Index, identifier: Dataset) -> list[str]:
    """Paths of the visible instances that a C-GET or C-MOVE identifier names by its unique keys."""
    where, parameters = conditions(identifier)
    sql = f"SELECT path FROM instances WHERE {_VISIBLE} AND {where} ORDER BY path"
    return [str(row["path"]) for row in index.select(sql, tuple(parameters))]
