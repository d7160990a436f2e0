"""Sending what the target does not have; the staged pixels are checked against their hash on the way out."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tasks import network
from tasks.errors import RetryLaterError, ReviewError, StageBlockedError
from tasks.load.look import look
from tasks.load.rendition import rendition_for, sent_syntax
from tasks.load.shipment import Shipment, storage_contexts
from tasks.load.target import require_services
from tasks.network.services import FIND_CONTEXT, GET_CONTEXT
from tasks.staging import read_element


def send(peer: network.Peer, shipments: Sequence[Shipment], staging: Path) -> None:
    """Looks, then sends on the same association; each shipment knows afterwards how it went.

    Raises `StageBlockedError` where the target takes nothing of us; where it is lost, what is not sent yet waits.
    """
    contexts = [FIND_CONTEXT, GET_CONTEXT, *storage_contexts(shipments)]
    try:
        with network.associate(peer, contexts) as association:
            require_services(peer, association)
            look(association, shipments)
            for shipment in shipments:
                if shipment.there:
                    _note_syntax(shipment, association)
                elif shipment.error is None:
                    _send_one(association, shipment, staging)
    except RetryLaterError as lost:
        for shipment in shipments:
            if not shipment.there and shipment.sent_syntax is None:
                shipment.error = shipment.error or lost


def _note_syntax(shipment: Shipment, association: network.Association) -> None:
    """An object that is there went, by an earlier run that could not say so any more, in the same syntax as it would now."""
    with suppress(ReviewError):
        shipment.sent_syntax = sent_syntax(shipment.row, association.accepted)


def _send_one(association: network.Association, shipment: Shipment, staging: Path) -> None:
    row = shipment.row
    try:
        element = read_element(staging, row["path"], row["sha256"]) if row["path"] else b""
        rendition = rendition_for(row, element, association.accepted)
    except Exception as error:  # the item boundary: what is wrong with one object stops no other
        shipment.error = error
        return
    status = network.store(association, rendition.context_id, shipment.sop_class, shipment.uid, rendition.data)
    try:
        judge_status(status)
    except (RetryLaterError, ReviewError) as error:
        shipment.error = error
    else:
        shipment.sent_syntax = rendition.syntax


def judge_status(status: int) -> None:
    """Raises what a C-STORE status demands (PS3.4 B.2.3, PS3.7 annex C); success and warnings mean stored, to be proved."""
    if status == 0x0000 or status in (0x0001, 0x0107, 0x0116) or status >> 12 == 0xB:
        return
    if status >> 8 == 0xA7:
        raise StageBlockedError(f"the target is out of resources (status 0x{status:04X}): make room there, then run again")
    if status == 0x0124:
        raise StageBlockedError("the target does not allow us to store (status 0x0124): allow our AE title there")
    if status == 0x0111:
        raise ReviewError("the target holds another object under this UID, and refuses ours (status 0x0111)")
    if status >> 8 == 0xA9 or status >> 12 == 0xC or status in (0x0117, 0x0118, 0x0119, 0x0122):
        raise ReviewError(f"the target refuses this object (status 0x{status:04X})")
    raise RetryLaterError(f"the target could not store this object (status 0x{status:04X})")
