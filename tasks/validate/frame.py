"""The frame the rules are applied to: one row an object, one column an attribute of its final header.

DICOM attributes stand under their keyword. Text is text (`object`, several values joined by a backslash as in the data set),
numbers are `float64`. An attribute that is absent, empty or blank is null in either: type 2 (present, may be empty) is what
`dciodvfy` is for, here only what is said counts. Beside them stand the columns of `SETTLED`, in small letters: what the tables
say the header should say.

Values are taken from the bytes and never converted by pydicom, which warns with the value in the text, that is with names.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import pandas as pd
from pydicom.charset import python_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement

from tasks.pixel_data import read_data_set
from tasks.stage import Row

TEXT_KEYWORDS = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "Modality",
    "ConversionType",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "DateOfSecondaryCapture",
    "NominalScannedPixelSpacing",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "StudyID",
    "PhotometricInterpretation",
    "PixelSpacing",
    "PixelAspectRatio",
    "PixelSpacingCalibrationType",
    "BurnedInAnnotation",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "LossyImageCompression",
)
NUMBER_KEYWORDS = (
    "SamplesPerPixel",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
SETTLED = (
    "object_key",
    "kind",
    "has_pixels",
    "transfer_syntax_uid",
    "link_patient_id",
    "settled_study_instance_uid",
    "settled_sop_instance_uid",
    "settled_sop_class_uid",
    "series_in_study",
    "staged_pixels",
    "header_pixels",
    "today",
)
COLUMNS = (*SETTLED, *TEXT_KEYWORDS, *NUMBER_KEYWORDS)

Values = Mapping[str, tuple[str, bytes]]  # VR and bytes by keyword

_KEYWORDS = {tag_for_keyword(keyword): keyword for keyword in (*TEXT_KEYWORDS, *NUMBER_KEYWORDS)}
_PACKED = {"US": "H", "SS": "h", "UL": "L", "SL": "l"}
_LATIN = "iso8859-1"
_DESCRIPTION = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PhotometricInterpretation",
)


@dataclass(frozen=True)
class HeaderFrame:
    """`frame`: a row for each object whose header can be read; `unreadable`: keys of the objects whose header cannot."""

    frame: pd.DataFrame
    unreadable: frozenset[str]


def header_frame(batch: Sequence[Row], now: datetime) -> HeaderFrame:
    """The frame of a batch of VALIDATE_VIEW rows, in their order; `now` becomes the column `today` (DA)."""
    today = now.strftime("%Y%m%d")
    records: list[dict[str, Any]] = []
    unreadable: set[str] = set()
    for row in batch:
        try:
            records.append(_record(row, today))
        except Exception:  # pydicom raises whatever it likes on bytes that are no data set
            unreadable.add(str(row["object_key"]))
    frame = pd.DataFrame({name: _series(name, [record[name] for record in records]) for name in COLUMNS})
    return HeaderFrame(frame, frozenset(unreadable))


def _series(name: str, values: list[Any]) -> "pd.Series[Any]":
    if name == "has_pixels":
        return pd.Series(values, dtype=bool)
    return pd.Series(values, dtype="float64" if name in NUMBER_KEYWORDS else object)


def _record(row: Row, today: str) -> dict[str, Any]:
    if not row["header"]:
        raise ValueError("no header")
    header = _values(row["header"])
    described = row["pixel_header"] or b""
    record: dict[str, Any] = {
        "object_key": row["object_key"],
        "kind": row["kind"] if described else "other",  # a film's presentation state is no film
        "transfer_syntax_uid": row["transfer_syntax_uid"] or None,
        "link_patient_id": row["patient_id"] or None,
        "settled_study_instance_uid": row["study_instance_uid"],
        "settled_sop_instance_uid": row["sop_instance_uid"],
        "settled_sop_class_uid": row["sop_class_uid"],
        "today": today,
        "has_pixels": bool(described),
    }
    encoding = _encoding(header)
    record |= {keyword: text_value(header, keyword, encoding) for keyword in TEXT_KEYWORDS}
    record |= {keyword: number_value(header, keyword) for keyword in NUMBER_KEYWORDS}
    record["series_in_study"] = f"{row['study_instance_uid']} {record['SeriesInstanceUID']}"
    record["staged_pixels"] = _staged_description(described) if described else None
    record["header_pixels"] = _description(header) if described else None
    return record


def _values(data: bytes) -> Values:
    """The values of a data set's own elements, unconverted, with their VR, by keyword."""
    return {
        keyword: (element.VR or "UN", element.value)
        for element in read_data_set(data).elements()
        if isinstance(element, RawDataElement)
        and isinstance(element.value, bytes)
        and (keyword := _KEYWORDS.get(int(element.tag))) is not None
    }


@lru_cache(maxsize=4096)
def _staged_description(described: bytes) -> str:
    return _description(_values(described))


def _description(values: Values) -> str:
    return ", ".join(f"{keyword} {text_value(values, keyword, _LATIN)}" for keyword in _DESCRIPTION)


def _encoding(values: Values) -> str:
    """Python's name of the data set's (first) character set; ISO 8859-1 where it is none we know: it reads any byte."""
    declared = (text_value(values, "SpecificCharacterSet", _LATIN) or "").split("\\")[0]
    return python_encoding.get(declared, _LATIN)


def _numbers(kind: str, value: bytes) -> Iterable[int]:
    width = struct.calcsize(f"<{kind}")
    return (number for (number,) in struct.iter_unpack(f"<{kind}", value[: len(value) // width * width]))


def text_value(values: Values, keyword: str, encoding: str) -> str | None:
    """The attribute as text without padding; null where absent or blank. Binary numbers are written in decimal."""
    found = values.get(keyword)
    if found is None:
        return None
    representation, value = found
    if kind := _PACKED.get(representation):
        text = "\\".join(str(number) for number in _numbers(kind, value))
    else:
        try:
            text = value.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            text = value.decode(_LATIN)
    return text.strip(" \0") or None


def number_value(values: Values, keyword: str) -> float | None:
    """The attribute's first value as a number; null where absent, blank or no number."""
    text = text_value(values, keyword, _LATIN)
    if text is None:
        return None
    try:
        return float(text.split("\\")[0])
    except ValueError:
        return None
