"""Texts of a legacy header from the character set it declares (PS3.3 C.12.1.1.2, PS3.5 section 6.1) into UTF-8."""

import re
from collections.abc import Iterable

from pydicom.charset import convert_encodings, python_encoding
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from tasks.errors import ReviewError

UTF8 = "ISO_IR 192"
_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_SPELLING = re.compile(r"ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)", re.IGNORECASE)
_UNREADABLE = re.compile("[\u0080-\u009f\ufffd]")  # C1 controls and the replacement character are signs of a wrong set


def to_utf8(dataset: Dataset) -> bool:
    """Converts all texts in place; says whether any had to be read otherwise than declared.

    What is ASCII, and what is not text, stays as the bytes it came as. Raises `ReviewError` where a text is not in the declared
    character set, or that is unknown.
    """
    repaired = _convert(dataset, [])
    dataset.SpecificCharacterSet = UTF8
    # Says that what is still raw is in the new set already (it is ASCII), so that writing copies it instead of parsing it.
    dataset.set_original_encoding(False, True, convert_encodings(UTF8))
    return repaired


def _convert(dataset: Dataset, inherited: list[str]) -> bool:
    declared = _declared(dataset) if "SpecificCharacterSet" in dataset else inherited
    repaired = False
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if element.VR == "SQ":
            for item in dataset[tag].value:
                repaired |= _convert(item, declared)
                if "SpecificCharacterSet" in item:
                    del item.SpecificCharacterSet
        elif element.VR in _TEXT and isinstance(element, RawDataElement) and not _is_plain(element.value):
            dataset[tag], fixed = _text(element, declared)
            repaired |= fixed
    return repaired


def _declared(dataset: Dataset) -> list[str]:
    """The declared character sets in the standard's spelling; raises `ReviewError` on one it does not know."""
    value = dataset.SpecificCharacterSet
    names = [value] if isinstance(value, str) or value is None else list(value)
    declared = []
    for name in (str(name or "").strip() for name in names):
        match = _SPELLING.fullmatch(name)
        standard = f"ISO {match.group(1)} IR {match.group(2)}" if match and match.group(1) else name
        if match and not match.group(1):
            standard = f"ISO_IR {match.group(2)}"
        if standard not in python_encoding:
            raise ReviewError("the header declares a character set that DICOM does not know")
        declared.append(standard)
    return declared


def _is_plain(value: bytes | None) -> bool:
    return value is None or (value.isascii() and b"\x1b" not in value)


def _text(raw: RawDataElement, declared: list[str]) -> tuple[DataElement, bool]:
    """The element decoded, and whether its set had to be inferred because the header declares none that holds it."""
    value = bytes(raw.value or b"")
    undeclared = not any(declared) or declared == ["ISO_IR 6"]
    sets = declared
    if undeclared:
        # The usual slip: nothing is declared. UTF-8 is all but never met by chance; else Latin-1, where it makes sense.
        sets = [UTF8] if _is_utf8(value) else ["ISO_IR 100"]
    try:
        element = convert_raw_data_element(raw, encoding=convert_encodings(sets))
        readable = not any(_UNREADABLE.search(text) for text in _strings(element.value))
    except (LookupError, ValueError) as error:
        raise ReviewError("a text is not in the character set that the header declares") from error
    if not readable:
        raise ReviewError("a text is not in the character set that the header declares")
    return element, undeclared


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _strings(value: object) -> Iterable[str]:
    values = value if isinstance(value, MultiValue | list) else [value]
    return (str(text) for text in values)
