"""Digital signatures that a change broke (PS3.3 C.12.1.1.3, PS3.15 section 8): they are taken out, and that is recorded."""

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from tasks.reconcile.revision import Place, Revision, encoded, places, tag_of

_SIGNATURES, _PARAMETERS = tag_of("DigitalSignaturesSequence"), tag_of("MACParametersSequence")
_WRITTEN_LAST = tag_of("OriginalAttributesSequence")
_BROKEN = "a signed element was changed"


def remove_broken_signatures(revision: Revision) -> None:
    """Takes out each signature that signs an element whose bytes are not those it came as, and its MAC parameters."""
    for place in list(places(Place(revision.dataset))):
        if _SIGNATURES not in place.dataset:
            continue
        signed = _signed(place.dataset)
        changed = {_WRITTEN_LAST} | {tag for tag in set().union(*signed.values()) if _is_changed(revision, place, tag)}
        broken = {number for number, tags in signed.items() if not changed.isdisjoint(tags)}
        for sequence in (_SIGNATURES, _PARAMETERS):
            if sequence in place.dataset and broken:
                _keep(revision, place, sequence, broken)


def _keep(revision: Revision, place: Place, sequence: int, broken: set[int]) -> None:
    """Keeps the items of a sequence that do not belong to a broken signature."""
    tag = Tag(sequence)
    kept = [item for item in place.dataset[tag].value if item.get("MACIDNumber") not in broken]
    if kept:
        revision.put(place, DataElement(tag, "SQ", Sequence(kept)), _BROKEN)
    else:
        revision.take(place, tag, _BROKEN)


def _signed(dataset: Dataset) -> dict[int, set[int]]:
    """Tags of the elements that were signed, by MAC ID Number."""
    tags: dict[int, set[int]] = {item.get("MACIDNumber"): set() for item in dataset[_SIGNATURES].value}
    for item in dataset.get("MACParametersSequence") or ():
        signed = item.get("DataElementsSigned") or []
        tags.setdefault(item.get("MACIDNumber"), set()).update([signed] if isinstance(signed, int) else signed)
    return tags


def _is_changed(revision: Revision, place: Place, tag: int) -> bool:
    before, now = revision.standing(place.path, Tag(tag)), place.dataset.get_item(Tag(tag))
    if before is None or now is None:
        return before is not now
    return encoded(before) != encoded(now)
