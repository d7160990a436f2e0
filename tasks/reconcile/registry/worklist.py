"""A DICOM modality worklist (PS3.4 K): an entry a file, as DCMTK's worklist server holds them (`dump2dcm` text, or DICOM)."""

import re
from io import BytesIO

import pydicom
from pydicom.errors import InvalidDicomError

from tasks.reconcile.normalise import split_name
from tasks.reconcile.registry.event import Event, Facts, UnreadableError

_LINE = re.compile(r"\(([0-9a-f]{4}),([0-9a-f]{4})\)\s+[A-Z]{2}\s*(.*)", re.IGNORECASE)
_KEYWORDS = {
    "00100010": "PatientName",
    "00100020": "PatientID",
    "00100021": "IssuerOfPatientID",
    "00100030": "PatientBirthDate",
    "00100040": "PatientSex",
    "00080050": "AccessionNumber",
}
_DEEPER = re.compile(r"\((fffe,e000|fffe,e00d|fffe,e0dd)\)", re.IGNORECASE)


def read_entry(content: bytes) -> Event:
    """The patient and order of a worklist entry; raises `UnreadableError` where it is none or names no patient."""
    values = _of_dicom(content) if content[128:132] == b"DICM" else _of_text(content)
    identifier = values.get("PatientID", "")
    if not identifier:
        raise UnreadableError("no worklist entry with a Patient ID")
    family, given = split_name(values.get("PatientName"))
    facts = Facts(
        names=((family or "", given or ""),) if family or given else (),
        birth_date=values.get("PatientBirthDate", ""),
        sex=values.get("PatientSex", ""),
    )
    accession = values.get("AccessionNumber", "")
    return Event(("", "", accession), "known", ((identifier, values.get("IssuerOfPatientID", "")),), facts, accession=accession)


def _of_text(content: bytes) -> dict[str, str]:
    """Values of the entry itself, not of what its sequences hold."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError("texts beyond ASCII in a worklist entry as text") from error
    found: dict[str, str] = {}
    depth = 0
    for line in text.splitlines():
        if match := _DEEPER.match(line.strip()):
            depth += {"fffe,e000": 1, "fffe,e00d": -1, "fffe,e0dd": 0}[match[1].lower()]
        elif depth == 0 and (element := _LINE.match(line.strip())):
            keyword = _KEYWORDS.get((element[1] + element[2]).lower())
            value = element[3].split("#")[0].strip()
            if keyword:
                found.setdefault(keyword, value.removeprefix("[").removesuffix("]").strip())
    return found


def _of_dicom(content: bytes) -> dict[str, str]:
    try:
        dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        return {keyword: str(dataset.get(keyword) or "") for keyword in _KEYWORDS.values()}
    except (InvalidDicomError, OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableError("no DICOM object that can be read") from error
