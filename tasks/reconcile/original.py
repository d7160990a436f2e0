"""The Original Attributes item of a revision: the values that a legacy header had before (PS3.3 C.12.1.1.9).

Of what was changed within a sequence, the whole sequence is kept as it was. Texts keep the character set they came in, which
the item then declares. Values that break their VR, or the character set that was declared, cannot stand in Modified Attributes;
they are empty there, and stand as bytes in Nonconforming Modified Attributes.
"""

from datetime import UTC, datetime

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from tasks.changes import alters_a_value
from tasks.pixel_data import read_data_set
from tasks.reconcile.revision import Revision, Stored, as_it_is, data_set_of, encoded, item_at, steps

SYSTEM = "Filmroom"
_CHARACTER_SET = Tag(0x00080005)
_TRAILING_PADDING = 0xFFFCFFFC
_FIRST_GROUP = 0x0008


def record(revision: Revision, source: str, at: datetime) -> None:
    """Adds the Original Attributes item of a revision after the earlier ones; nothing where nothing stood there."""
    modified = _modified(revision)
    if not len(modified):
        return
    item = Dataset()
    item.ModifiedAttributesSequence = Sequence([modified])
    if revision.unreadable:
        unreadable = [
            _nonconforming(item_at(revision.prior, path), path, Tag(tag), raw)
            for (path, tag), raw in sorted(revision.unreadable.items())
        ]
        item.NonconformingModifiedAttributesSequence = Sequence(unreadable)
    item.AttributeModificationDateTime = moment(at)
    item.ModifyingSystem = SYSTEM
    item.SourceOfPreviousValues = " ".join(source.replace("\\", " ").split())[:64]
    item.ReasonForTheAttributeModification = "COERCE"
    revision.append("OriginalAttributesSequence", item, "says what was changed")


def moment(at: datetime) -> str:
    """A moment as DT in UTC (PS3.5 section 6.2)."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000")


def _modified(revision: Revision) -> Dataset:
    """What was changed, as it stood."""
    kept: dict[BaseTag, Stored] = {}
    for tag in sorted({Tag(int(change["tag"][:8], 16)) for change in revision.changes if alters_a_value(change)}):
        before = revision.standing("", tag)
        if before is None or not tag.element or tag.group < _FIRST_GROUP or tag == _TRAILING_PADDING:
            continue
        if owner := _owner(revision.prior, tag):
            kept[owner.tag] = owner
        kept[tag] = _readable(revision, before)
    modified = data_set_of(kept)
    if _CHARACTER_SET in modified:
        modified[_CHARACTER_SET] = DataElement(_CHARACTER_SET, "CS", revision.declared or None)
    as_it_is(modified)
    return modified


def _owner(dataset: Dataset, tag: BaseTag) -> Stored | None:
    """The private creator of a private element, which has to accompany it."""
    is_owned = tag.is_private and tag.element > 0xFF
    return dataset.get_item(Tag(tag.group, tag.element >> 8)) if is_owned else None


def _readable(revision: Revision, before: Stored) -> Stored:
    """An element, empty where its value breaks its VR; a sequence with such values in it empty."""
    if ("", before.tag) in revision.unreadable:
        return DataElement(before.tag, str(before.VR), None)
    within = [(path, tag) for path, tag in revision.unreadable if path.startswith(f"{before.tag:08X}[")]
    if not within:
        return before
    copy = read_data_set(encoded(before))
    for path, tag in within:
        item = item_at(copy, path)
        item[tag] = DataElement(tag, str(item.get_item(Tag(tag)).VR), None)
    return copy.get_item(before.tag)


def _nonconforming(within: Dataset, path: str, tag: BaseTag, raw: bytes) -> Dataset:
    """A value that breaks its VR, and where it stood (Selector Attribute macro, PS3.3 section 10.17)."""
    item = Dataset()
    owner = _owner(within, tag)
    item.SelectorAttribute = tag if owner is None else Tag(tag.group, tag.element & 0xFF)
    if owner is not None:
        item.SelectorAttributePrivateCreator = bytes(owner.value or b"").decode("ascii", "replace").strip()
    if path:
        item.SelectorSequencePointer = [sequence for sequence, _ in steps(path)]
        item.SelectorSequencePointerItems = [number + 1 for _, number in steps(path)]
    item.SelectorValueNumber = 1
    item.NonconformingDataElementValue = raw + b"\x00" * (len(raw) % 2)
    return item
