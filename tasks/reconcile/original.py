"""What a legacy header said before: attributes replaced one by one, and the Original Attributes item that keeps their values.

PS3.3 C.12.1.1.9. Values that break their VR cannot stand in Modified Attributes and go, as bytes, to Nonconforming Modified
Attributes.
"""

import base64
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import validate_value

SYSTEM = "Filmroom"


@dataclass
class Revision:
    """A data set under revision: `set` and `remove` change it and remember what stood there.

    `changes` is the record for `headers.changes`; values that break their VR are kept there and in `nonconforming` as bytes.
    """

    dataset: Dataset
    changes: list[dict[str, str]] = field(default_factory=list)
    modified: Dataset = field(default_factory=Dataset)
    nonconforming: list[tuple[BaseTag, bytes]] = field(default_factory=list)

    def set(self, keyword: str, value: str, why: str) -> None:
        """Gives an attribute a value, if it has another one or is missing."""
        tag = _tag(keyword)
        old, raw = _old(self.dataset, tag)
        if tag in self.dataset and raw is None and _shown(old) == value:
            return
        self._remember(keyword, old, raw, value, why)
        self.dataset[tag] = DataElement(tag, dictionary_VR(tag), value)

    def remove(self, keyword: str, why: str) -> None:
        """Takes an attribute out, if it is there."""
        tag = _tag(keyword)
        if tag in self.dataset:
            old, raw = _old(self.dataset, tag)
            self._remember(keyword, old, raw, "", why)
            del self.dataset[tag]

    def _remember(self, keyword: str, old: DataElement | None, raw: bytes | None, value: str, why: str) -> None:
        before = _shown(old) if raw is None else "base64:" + base64.b64encode(raw).decode()
        self.changes.append({"keyword": keyword, "from": before, "to": value, "why": why})
        if raw is not None:
            self.nonconforming.append((_tag(keyword), raw))
        elif old is not None:
            self.modified[old.tag] = deepcopy(old)

    def record(self, source: str, at: datetime) -> None:
        """Adds the Original Attributes item of this revision after the earlier ones; nothing where nothing stood there."""
        if not len(self.modified) and not self.nonconforming:
            return
        item = Dataset()
        item.ModifiedAttributesSequence = Sequence([self.modified])
        if self.nonconforming:
            item.NonconformingModifiedAttributesSequence = Sequence(
                [_nonconforming(tag, raw) for tag, raw in self.nonconforming]
            )
        item.AttributeModificationDateTime = moment(at)
        item.ModifyingSystem = SYSTEM
        item.SourceOfPreviousValues = " ".join(source.replace("\\", " ").split())[:64]
        item.ReasonForTheAttributeModification = "COERCE"
        append(self.dataset, "OriginalAttributesSequence", item)


def append(dataset: Dataset, keyword: str, item: Dataset) -> None:
    """Adds an item at the end of a sequence, which need not be there yet."""
    earlier = list(dataset[keyword].value or []) if keyword in dataset else []
    setattr(dataset, keyword, Sequence([*earlier, item]))


def moment(at: datetime) -> str:
    """A moment as DT in UTC (PS3.5 section 6.2)."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def _tag(keyword: str) -> BaseTag:
    number = tag_for_keyword(keyword)
    assert number is not None, keyword
    return Tag(number)


def _old(dataset: Dataset, tag: BaseTag) -> tuple[DataElement | None, bytes | None]:
    """The element as it stands (`None`: missing), and its bytes where its value breaks its VR."""
    if tag not in dataset:
        return None, None
    item = dataset.get_item(tag)
    raw = bytes(item.value or b"") if isinstance(item, RawDataElement) and item.VR != "SQ" else None
    try:
        element = dataset[tag]
        if raw is not None and element.VR not in ("SQ", "UN"):
            values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
            for value in values:
                validate_value(element.VR, str(value or ""), config.RAISE)
    except Exception:  # pydicom raises several classes on values that are not what their VR says
        return None, raw or b""
    return element, None


def _nonconforming(tag: BaseTag, raw: bytes) -> Dataset:
    item = Dataset()
    item.SelectorAttribute = tag
    item.SelectorValueNumber = 1
    item.NonconformingDataElementValue = raw + b"\x00" * (len(raw) % 2)
    return item


def _shown(element: DataElement | None) -> str:
    if element is None or element.value is None:
        return ""
    if element.VR == "SQ":
        return f"{len(element.value)} items"
    return "\\".join(map(str, element.value)) if isinstance(element.value, MultiValue) else str(element.value)
