"""A legacy header under revision: elements are put and taken out one by one, and what stood there is remembered."""

import base64
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom import config
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import STR_VR, validate_value

from tasks.changes import Change, alters_a_value, replaced
from tasks.pixel_data import read_data_set

_STEP = re.compile(r"([0-9A-F]{8})\[(\d+)\]\.")

Stored = DataElement | RawDataElement


@dataclass(frozen=True)
class Place:
    """A data set or an item of one, the way to it as in `tasks.changes`, and the sequence it is an item of (0: none)."""

    dataset: Dataset
    path: str = ""
    sequence: int = 0


@dataclass
class Revision:
    """A data set under revision, the same as it came (`prior`, only looked at), and the record of what was changed.

    `unreadable` are values that break their VR or character set, by path and tag, as bytes; `declared` is the character set
    that the header declares, as the standard spells it.
    """

    dataset: Dataset
    prior: Dataset
    changes: list[Change] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    unreadable: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def set(self, keyword: str, value: str, why: str) -> None:
        """Gives an attribute of the outermost data set a value, if it has another one or is missing."""
        tag = tag_of(keyword)
        standing = self.dataset.get_item(tag)
        if standing is None or not self._is_conforming(standing) or self._shown(standing) != value:
            self.put(Place(self.dataset), DataElement(tag, dictionary_VR(tag), value), why)

    def remove(self, keyword: str, why: str) -> None:
        """Takes an attribute out of the outermost data set, if it is there."""
        if keyword in self.dataset:
            self.take(Place(self.dataset), tag_of(keyword), why)

    def append(self, keyword: str, item: Dataset, why: str) -> None:
        """Adds an item at the end of a sequence of the outermost data set, which need not be there yet."""
        earlier = list(self.dataset[keyword].value or []) if keyword in self.dataset else []
        self.put(Place(self.dataset), DataElement(tag_of(keyword), "SQ", Items([*earlier, item])), why)

    def put(self, place: Place, element: DataElement, why: str) -> None:
        """Puts an element where another one stands, or none."""
        self._remember(place, element.tag, self._shown(element), why)
        place.dataset[element.tag] = element

    def take(self, place: Place, tag: BaseTag, why: str) -> None:
        """Takes an element out."""
        self._remember(place, tag, "", why)
        del place.dataset[tag]

    def standing(self, path: str, tag: BaseTag) -> Stored | None:
        """An element as it came; `None` where there was none."""
        return item_at(self.prior, path).get_item(tag)

    def _remember(self, place: Place, tag: BaseTag, value: str, why: str) -> None:
        before = self.standing(place.path, tag)
        self.note(place.path, before)
        original = None if before is None else encoded(before)
        shown = "" if before is None else self._shown(before)
        self.changes.append(replaced(tag, place.path, shown, value, why, original))

    def note(self, path: str, before: Stored | None, readable: bool = True) -> None:
        """Remembers the bytes of a value that breaks its VR, or is said not to be `readable` in its character set."""
        if isinstance(before, RawDataElement) and not (readable and self._is_conforming(before)):
            self.unreadable[path, before.tag] = bytes(before.value or b"")

    def _is_conforming(self, element: Stored) -> bool:
        if not isinstance(element, RawDataElement) or element.VR in ("SQ", "UN"):
            return True
        try:
            values = self._decoded(element).value
            for value in values if isinstance(values, MultiValue | list) else [values]:
                if element.VR in STR_VR:
                    validate_value(str(element.VR), str(value or ""), config.RAISE)
        except Exception:  # pydicom raises several classes on values that are not what their VR says
            return False
        return True

    def _decoded(self, raw: RawDataElement) -> DataElement:
        declared = self.prior.get("SpecificCharacterSet") or "ISO_IR 6"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return convert_raw_data_element(raw, encoding=convert_encodings(declared))

    def _shown(self, element: Stored) -> str:
        """The value for a person; of what cannot be read, the bytes in Latin-1."""
        if element.VR == "SQ":
            return "" if isinstance(element, RawDataElement) else f"{len(element.value or [])} items"
        if isinstance(element, RawDataElement):
            try:
                element = self._decoded(element)
            except Exception:  # as above
                return bytes(element.value or b"").decode("latin-1")
        if element.value is None:
            return ""
        return "\\".join(map(str, element.value)) if isinstance(element.value, MultiValue) else str(element.value)


def revision_of(header: bytes, read: Sequence[Change]) -> Revision:
    """A revision of a header, whose reading was recorded in `read` (`objects.source_changes`)."""
    dataset, elements = read_data_set(header), _elements(read_data_set(header))
    altered = [(change["tag"][:-8], Tag(int(change["tag"][-8:], 16)), change) for change in read if alters_a_value(change)]
    for path, tag, change in reversed(altered):
        if not path:
            elements.pop(tag, None)
            elements |= _original(change)
    revision = Revision(dataset, data_set_of(elements), list(read))
    for path, tag, change in altered:
        if path:
            item_at(revision.prior, path).update(_original(change))
        elif tag in dataset:
            revision.note("", revision.prior.get_item(tag))
    return revision


def _original(change: Change) -> dict[BaseTag, Stored]:
    return _elements(read_data_set(base64.b64decode(change["original"]))) if "original" in change else {}


def data_set_of(elements: Mapping[BaseTag, Stored]) -> Dataset:
    """A data set of elements that stay as raw as they are; putting them in one by one would decode private ones."""
    return Dataset(dict(elements))


def _elements(dataset: Dataset) -> dict[BaseTag, Stored]:
    return {tag: dataset.get_item(tag) for tag in sorted(dataset.keys())}


def places(place: Place) -> Iterator[Place]:
    """The place and all items in it, the outer before the inner."""
    yield place
    for tag in sorted(place.dataset.keys()):
        if place.dataset.get_item(tag).VR == "SQ":
            for inner in inner_places(place, tag):
                yield from places(inner)


def inner_places(place: Place, sequence: BaseTag) -> Iterator[Place]:
    """The items of a sequence; not those in which an earlier revision kept former values in a character set of their own."""
    for number, item in enumerate(place.dataset[sequence].value or ()):
        if sequence != tag_of("ModifiedAttributesSequence") or "SpecificCharacterSet" not in item:
            yield Place(item, f"{place.path}{sequence:08X}[{number}].", sequence)


def item_at(dataset: Dataset, path: str) -> Dataset:
    """The item at a path of `tasks.changes`."""
    for sequence, number in steps(path):
        dataset = dataset[sequence].value[number]
    return dataset


def steps(path: str) -> list[tuple[int, int]]:
    """The sequences on the way, and the number of the item in each, from 0."""
    return [(int(sequence, 16), int(number)) for sequence, number in _STEP.findall(path)]


def tag_of(keyword: str) -> BaseTag:
    """The tag of a keyword of the data dictionary."""
    number = tag_for_keyword(keyword)
    assert number is not None, keyword
    return Tag(number)


def encoded(element: Stored) -> bytes:
    """An element in Explicit VR Little Endian, its texts as the bytes they are."""
    if isinstance(element, DataElement) and element.VR == "SQ":
        for item in element.value or ():
            as_it_is(item)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, ["utf8"])
    return bytes(buffer.getvalue())


def as_it_is(dataset: Dataset) -> None:
    """Says that what is still raw in a data set and its items is to be written as the bytes it is."""
    implicit, little = dataset.original_encoding
    dataset.set_original_encoding(bool(implicit), little is not False, dataset._character_set)
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag)
        if isinstance(element, DataElement) and element.VR == "SQ":
            for item in element.value or ():
                as_it_is(item)
