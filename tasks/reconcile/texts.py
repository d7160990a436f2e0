"""Texts of a legacy header from the character set it declares (PS3.3 C.12.1.1.2, PS3.5 section 6.1) into UTF-8.

Where a text is not in the declared set it is read in the one set that it can be in, and the bytes it came as are recorded:
those that its escape sequences name; UTF-8, which is all but never met by chance; the one multi-byte set that is declared,
without the escape sequence it should have; Latin-1, or the Windows set that extends it, where most of the letters are plain
ones, as in Western European names. Else a person has to look.
"""

import re

from pydicom.charset import CODES_TO_ENCODINGS, convert_encodings, python_encoding
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from tasks.errors import ReviewError
from tasks.reconcile.revision import Place, Revision, inner_places

UTF8 = "ISO_IR 192"
_CHARACTER_SET = Tag(0x00080005)
_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_SPELLING = re.compile(r"ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)", re.IGNORECASE)
_UNREADABLE = re.compile("[\u0080-\u009f\ufffd]")  # C1 controls and the replacement character are signs of a wrong set
_ESCAPE = re.compile(rb"\x1b(?:\$[()]?.|[()\-].)?", re.DOTALL)  # PS3.3 Tables C.12-3 and C.12-4
_DEFAULT = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
# Single-byte sets for languages in Latin letters, in which no text looks like UTF-8.
_LATIN = frozenset(f"{prefix} {number}" for prefix in ("ISO_IR", "ISO 2022 IR") for number in (100, 101, 109, 110, 148, 203))
_MULTI_BYTE = {"ISO 2022 IR 149": "euc_kr", "ISO 2022 IR 58": "gb2312", "GB18030": "gb18030", "GBK": "gbk"}
# What is no letter of Latin-1 and stands in texts all the same: signs of measures, quotation marks and the like.
_SYMBOLS = frozenset(
    bytes([0xA0, 0xA1, 0xA7, 0xA9, 0xAA, 0xAB, 0xAE, *range(0xB0, 0xB6), 0xB7, *range(0xBA, 0xC0), 0xD7]).decode("latin-1")
)
# What Windows-1252 has beyond it, where it can be meant only so: an apostrophe in a word, a dash between words or numbers. In
# Japanese texts the same bytes begin characters.
_WINDOWS = re.compile(rb"(?<=[A-Za-z])\x92(?=[A-Za-z])|(?<=[ \d])[\x96\x97](?=[ \d])")
_DECLARED_WRONGLY = "not in the character set that the header declares: read in the one it is in"


def to_utf8(revision: Revision) -> None:
    """Converts all texts in place, and records those that had to be read otherwise than declared.

    What is ASCII, and what is not text, stays as the bytes it came as. Raises `ReviewError` where it cannot be told which set a
    text is in.
    """
    _convert(revision, Place(revision.dataset), [])
    if revision.dataset.get("SpecificCharacterSet") != UTF8:
        revision.put(Place(revision.dataset), DataElement(_CHARACTER_SET, "CS", UTF8), "texts are in UTF-8 now")


def _convert(revision: Revision, place: Place, inherited: list[str]) -> None:
    dataset = place.dataset
    declared = inherited
    if _CHARACTER_SET in dataset:
        declared, known = _declared(dataset)
        if not known:
            revision.note(place.path, revision.standing(place.path, _CHARACTER_SET), readable=False)
        if place.path:
            revision.take(place, _CHARACTER_SET, "texts of the item are in UTF-8 now, as all are")
        else:
            revision.declared = declared
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if element.VR == "SQ":
            for inner in inner_places(place, tag):
                _convert(revision, inner, declared)
        elif element.VR in _TEXT and isinstance(element, RawDataElement) and not _is_plain(element.value):
            text, repaired = _text(element, declared)
            if repaired:
                revision.note(place.path, revision.standing(place.path, tag), readable=False)
                revision.put(place, text, _DECLARED_WRONGLY)
            else:
                dataset[tag] = text


def _declared(dataset: Dataset) -> tuple[list[str], bool]:
    """The declared character sets in the standard's spelling, and whether it knows all of them; none where it does not."""
    value = dataset.SpecificCharacterSet
    names = [value] if isinstance(value, str) or value is None else list(value)
    declared = []
    for name in (str(name or "").strip() for name in names):
        match = _SPELLING.fullmatch(name)
        standard = f"ISO {match.group(1)} IR {match.group(2)}" if match and match.group(1) else name
        if match and not match.group(1):
            standard = f"ISO_IR {match.group(2)}"
        if standard not in python_encoding:
            return [], False
        declared.append(standard)
    return declared, True


def _is_plain(value: bytes | None) -> bool:
    return value is None or (value.isascii() and b"\x1b" not in value)


def _text(raw: RawDataElement, declared: list[str]) -> tuple[DataElement, bool]:
    """The element decoded, and whether it had to be read in another character set than the declared one."""
    value = bytes(raw.value or b"")
    if not _contradicts(value, declared) and (element := _read(raw, convert_encodings(declared))):
        return element, False
    inferred = _inferred(value, declared)
    if not inferred or (element := _read(raw, inferred)) is None:
        raise ReviewError("a text is not in the character set that the header declares, and it cannot be told which it is in")
    return element, True


def _contradicts(value: bytes, declared: list[str]) -> bool:
    """Whether a text has bytes that the declared character sets do not explain, though a reader would take them."""
    if all(name in _DEFAULT for name in declared):
        return True
    if escapes := _ESCAPE.findall(value):
        return not {CODES_TO_ENCODINGS.get(escape) for escape in escapes} <= {"iso8859", *convert_encodings(declared)}
    return declared[0] in _DEFAULT or (declared[0] in _LATIN and _is(value, "utf-8"))


def _inferred(value: bytes, declared: list[str]) -> list[str]:
    """The Python codecs of the character sets that a text can only be in; none where that cannot be told."""
    if escapes := _ESCAPE.findall(value):
        known = [CODES_TO_ENCODINGS[escape] for escape in escapes if escape in CODES_TO_ENCODINGS]
        return ["iso8859", *dict.fromkeys(known)] if len(known) == len(escapes) else []
    if _is(value, "utf-8"):
        return ["utf8"]
    fitting = [codec for name in declared if (codec := _MULTI_BYTE.get(name)) and _is(value, codec)]
    if len(fitting) == 1:
        return fitting
    return ["cp1252"] if not fitting and _is_western(value) else []


def _is_western(value: bytes) -> bool:
    """Whether a text in Latin-1, or in Windows-1252, reads like one in a Western European language."""
    text = _WINDOWS.sub(b"", value).decode("latin-1")
    special = [character for character in text if not character.isascii()]
    letters = [character for character in special if character.isalpha() and character not in _SYMBOLS]
    plain = sum(character.isascii() and character.isalpha() for character in text)
    return len(letters) <= plain and all(character in _SYMBOLS for character in special if character not in letters)


def _is(value: bytes, codec: str) -> bool:
    try:
        value.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _read(raw: RawDataElement, codecs: list[str]) -> DataElement | None:
    """The element decoded; `None` where its text is not in these character sets."""
    try:
        element = convert_raw_data_element(raw, encoding=codecs)
    except (LookupError, ValueError):
        return None
    values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    return None if any(_UNREADABLE.search(str(value)) for value in values) else element
