"""The load stage: look, send, read back, compare; only then a receipt says `verified`.

A batch is one association for looking and sending and one for reading back; batches run side by side. What the target holds
already is read back like what was sent: equal is accepted as there, all else goes to a person and is never overwritten. So a
batch that was cut off anywhere is simply done again. What was withdrawn is not sent until a person releases it.
"""

import json
from collections.abc import Iterator, Sequence

from tasks.errors import ReviewError
from tasks.load.read_back import read_back
from tasks.load.send import send
from tasks.load.shipment import Shipment, parts, shipment_of
from tasks.load.target import peer_of, target_name
from tasks.stage import Outcome, Row, StageContext, each_row, outcome_of_error

WITHHELD = "withdrawn from the PACS: waits until a person releases it"


def load_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Loads validated objects (`LOAD_VIEW`); yields an outcome a row, with a receipt where the object is proved to be there.

    Raises `StageBlockedError` where the target is down, refuses us, or cannot be read back from.
    """
    peer = peer_of(context)
    shipments: list[Shipment] = []

    def prepare(row: Row) -> list[Outcome]:
        if row["is_withheld"]:
            return [Outcome(row["object_key"], row["item_key"], "withdrawn", WITHHELD)]
        shipments.append(shipment_of(row))
        return []

    yield from each_row(batch, "object_key", prepare)
    for part in parts(shipments):
        send(peer, part, context.staging)
        read_back(peer, part)
        for shipment in part:
            yield _outcome(shipment, context)


def _outcome(shipment: Shipment, context: StageContext) -> Outcome:
    row, error, returned = shipment.row, shipment.error, shipment.returned
    if error is None and returned is not None and returned.fault:
        what = "the target holds another object under this UID" if shipment.there else "what came back is not what was sent"
        error = ReviewError(f"{what}: {returned.fault}")
    if error is not None or returned is None:
        failure = error or ReviewError("the target did not give this object back")
        return outcome_of_error(failure, row["object_key"], row["item_key"])
    receipt = {
        "target": target_name(context.configuration),
        "sop_instance_uid": row["sop_instance_uid"],
        "object_key": row["object_key"],
        "item_key": row["item_key"],
        "wave": context.wave,
        "sent_at": context.now(),
        "sent_syntax": shipment.sent_syntax,
        "sent_header_sha256": row["header_sha256"],
        "read_back_sha256": returned.pixel_sha256,
        "coerced": json.dumps(returned.coerced, sort_keys=True),
        "verified": True,
    }
    return Outcome(row["object_key"], row["item_key"], rows={"receipts": [receipt]})
