"""What every legacy header is mended of, in all its items: dates and times as ACR-NEMA wrote them, and UIDs that are none.

Lengths of groups, which wrap leaves out of the outermost data set, go from items here (PS3.5 section 7.2).

A reference gets the UID that the object it names gets, which hangs on nothing but the medium, the patient and the UID itself
(`tasks.uids`): references follow, whichever is read first, over all of a migration.
"""

import re
from collections.abc import Callable
from datetime import date

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import BaseTag

from tasks.reconcile.revision import Place, Revision, places, tag_of
from tasks.uids import valid_or_mapped

_DATE = re.compile(rb"(\d{4})\.(\d\d)\.(\d\d)")
_TIME = re.compile(rb"([01]\d|2[0-3])([:.])([0-5]\d)\2([0-5]\d)(\.\d{1,6})?")
# UIDs of classes, syntaxes, codes, equipment and places, which are nobody's data (PS3.6 Annex A, PS3.15 Table E.1-1).
_NOT_MAPPED = re.compile(
    r"SOPClass|SyntaxUID|Coding|Context|Creator|Mapping|Template|DeviceUID|DeviceClass|Implementation|Repository|Retrieve|Home"
)
_STUDY, _SERIES = tag_of("StudyInstanceUID"), tag_of("SeriesInstanceUID")
_OF_STUDY = tag_of("ReferencedStudySequence")
_FORMER = f"{tag_of('OriginalAttributesSequence'):08X}["  # values that an earlier revision kept
_SETTLED = frozenset({_STUDY, _SERIES, tag_of("SOPInstanceUID")})  # of the object itself


def mend(revision: Revision, group_key: str, patient: str) -> None:
    """Mends a header; `group_key` is its medium, `patient` the Patient ID that it came with."""
    vrs: dict[str, Callable[[Place, BaseTag, bytes], str | None]] = {
        "DA": lambda _place, _tag, value: _dotted_date(value),
        "TM": lambda _place, _tag, value: _parted_time(value),
        "UI": lambda place, tag, value: _uids(place, tag, value, group_key, patient),
    }
    whys = {"DA": "a date as ACR-NEMA wrote it", "TM": "a time as ACR-NEMA wrote it", "UI": "not a valid UID"}
    for place in places(Place(revision.dataset)):
        if place.path.startswith(_FORMER):
            continue
        for tag in list(place.dataset.keys()):
            element = place.dataset.get_item(tag)
            if not tag.element:
                revision.take(place, tag, "lengths of groups are retired")
            elif isinstance(element, RawDataElement) and element.VR in vrs:
                value = vrs[element.VR](place, tag, bytes(element.value or b"").strip(b"\0 "))
                if value is not None:
                    revision.put(place, DataElement(tag, element.VR, value), whys[element.VR])


def _dotted_date(value: bytes) -> str | None:
    """A date (PS3.5 section 6.2: older ones were written yyyy.mm.dd) as DICOM writes it; `None` where it is none of these."""
    match = _DATE.fullmatch(value)
    try:
        return date(*map(int, match.groups())).strftime("%Y%m%d") if match else None
    except ValueError:
        return None


def _parted_time(value: bytes) -> str | None:
    """A time (PS3.5 section 6.2: older ones were written hh:mm:ss.frac) as DICOM writes it."""
    match = _TIME.fullmatch(value)
    return b"".join(match.group(part) or b"" for part in (1, 3, 4, 5)).decode() if match else None


def _uids(place: Place, tag: BaseTag, value: bytes, group_key: str, patient: str) -> str | None:
    keyword = keyword_for_tag(tag)
    if not value or not keyword or _NOT_MAPPED.search(keyword) or (not place.path and tag in _SETTLED):
        return None
    uids = value.decode("latin-1").split("\\")
    mapped = [
        valid_or_mapped(stripped, _purpose(place, tag, keyword), group_key, patient) if (stripped := uid.strip("\0 ")) else ""
        for uid in uids
    ]
    return "\\".join(mapped) if mapped != [uid.strip("\0 ") for uid in uids] else None


def _purpose(place: Place, tag: BaseTag, keyword: str) -> str:
    """What a UID names, as wrap names it where it mints one."""
    if tag == _STUDY or (place.sequence == _OF_STUDY and keyword == "ReferencedSOPInstanceUID"):
        return "study"
    if tag == _SERIES:
        return "series"
    return "instance" if "SOPInstance" in keyword else "entity"
