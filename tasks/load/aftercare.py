"""Loaded objects looked at again, since archives rot and are migrated in their turn: what changed, vanished or stands twice.

The same look and the same comparison as at loading, so that what was proved then is proved now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks import network
from tasks.errors import RetryLaterError, ReviewError
from tasks.load.look import image_identifier, series_identifiers
from tasks.load.read_back import read_back
from tasks.load.shipment import Shipment, parts
from tasks.network.services import FIND_CONTEXT, GET_CONTEXT, SUCCESS

VANISHED, DOUBLED, CHANGED = "object_vanished", "object_stands_twice", "object_changed"


@dataclass(frozen=True)
class Change:
    """What became of an object in the target: one of the three above, and how a person is told."""

    kind: str
    message: str


def look_again(peer: network.Peer, shipments: Sequence[Shipment]) -> Iterator[tuple[Shipment, Change]]:
    """Yields what is not as it was loaded. `sent_syntax` of the shipments is that of their receipts.

    Raises `RetryLaterError` where the target is lost or busy, `StageBlockedError` where it refuses us.
    """
    for part in parts(shipments):
        places = _places(peer, part)
        for shipment in part:
            found = places[shipment.uid]
            if not found:
                yield shipment, Change(VANISHED, "the PACS does not have this object any more")
            elif len(found) > 1:
                yield shipment, Change(DOUBLED, f"the PACS shows this object in {len(found)} series")
        there = [shipment for shipment in part if places[shipment.uid]]
        read_back(peer, there)
        for shipment in there:
            if isinstance(shipment.error, RetryLaterError):
                raise shipment.error
            if fault := _fault(shipment):
                yield shipment, Change(CHANGED, f"what the PACS gives back is not what was loaded: {fault}")


def _fault(shipment: Shipment) -> str:
    if shipment.error is not None or shipment.returned is None:
        return str(shipment.error) if isinstance(shipment.error, ReviewError) else "it cannot be read"
    return shipment.returned.fault


def _places(peer: network.Peer, shipments: Sequence[Shipment]) -> dict[str, set[tuple[str, str]]]:
    """(Study, Series Instance UID) under which a query shows each object."""
    places: dict[str, set[tuple[str, str]]] = {shipment.uid: set() for shipment in shipments}
    with network.associate(peer, [FIND_CONTEXT, GET_CONTEXT]) as association:
        for identifier in [image_identifier(("", ""), sorted(places)), *series_identifiers(shipments)]:
            status, answers = network.find(association, identifier)
            # Many targets refuse to look for a UID without its study (PS3.4 C.4.1.2.2.1).
            if status != SUCCESS and identifier.StudyInstanceUID:
                raise RetryLaterError(f"the target answered a query with status 0x{status:04X}")
            for answer in answers:
                asked = (identifier.StudyInstanceUID, identifier.SeriesInstanceUID)
                place = (str(answer.get("StudyInstanceUID") or asked[0]), str(answer.get("SeriesInstanceUID") or asked[1]))
                if all(place):
                    places.get(str(answer.get("SOPInstanceUID", "")), set()).add(place)
    return places
