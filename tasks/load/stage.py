"""The load stage: look, send, read back, compare; only then a receipt says `verified`.

A batch is one association for sending and one for reading back; batches run side by side. What the target already holds under a
UID is read back first: equal is accepted as there, anything else is a case for a person and is never overwritten.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from tasks import network
from tasks.errors import FilmroomError, RetryLaterError, ReviewError, StageBlockedError
from tasks.load.compare import Returned, judge_returned
from tasks.load.rendition import Rendition, rendition_for
from tasks.load.target import peer_of
from tasks.pixel_data import read_data_set
from tasks.stage import Outcome, Row, StageContext, outcome_of_error
from tasks.staging import read_element

_STORED = frozenset({0x0000, 0xB000, 0xB006, 0xB007})


@dataclass
class Sent:
    """What became of one row on the way: its syntax where it was sent, or the error that stops it."""

    row: Row
    header: Dataset
    syntax: str | None = None
    error: Exception | None = None


def load_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Loads linked, validated objects; yields receipts."""
    peer = peer_of(context)
    sent = {row["sop_instance_uid"]: Sent(row, read_data_set(row["header"])) for row in batch}
    try:
        present = _look_and_send(peer, sent, context)
        returned = _read_back(peer, sent, present)
    except RetryLaterError as error:
        for one in sent.values():
            one.error = one.error or error
        returned = {}
    for uid, one in sent.items():
        yield _settle(one, returned.get(uid), peer.name, context)


def _look_and_send(peer: network.Peer, sent: dict[str, Sent], context: StageContext) -> dict[str, Sent]:
    """Sends what the target does not have; gives back what it has already."""
    pairs = {(one.row["sop_class_uid"], one.row["transfer_syntax_uid"]) for one in sent.values()}
    contexts = [network.find_context(), *network.storage_contexts(pairs)]
    association = network.associate(peer, contexts[: network.MOST_CONTEXTS])
    try:
        accepted = network.accepted_contexts(association)
        there = _already_there(association, sent)
        for number, (uid, one) in enumerate(sent.items(), start=1):
            if uid not in there:
                _send(association, accepted, one, number % 65535 + 1, context)
    finally:
        if association.is_established:
            association.release()
    return there


def _already_there(association: Any, sent: dict[str, Sent]) -> dict[str, Sent]:
    there: dict[str, Sent] = {}
    for identifier in _identifiers(sent):
        for answer in network.find(association, identifier):
            uid = str(answer.get("SOPInstanceUID", ""))
            if uid in sent:
                there[uid] = sent[uid]
    return there


def _identifiers(sent: dict[str, Sent]) -> Iterator[Dataset]:
    """One identifier a series, with the list of its SOP Instance UIDs."""
    series: dict[tuple[str, str], list[str]] = {}
    for uid, one in sent.items():
        key = (str(one.header.StudyInstanceUID), str(one.header.SeriesInstanceUID))
        series.setdefault(key, []).append(uid)
    for (study, one_series), uids in sorted(series.items()):
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "IMAGE"
        identifier.StudyInstanceUID = study
        identifier.SeriesInstanceUID = one_series
        identifier.SOPInstanceUID = sorted(uids)
        yield identifier


def _send(association: Any, accepted: dict[tuple[str, str], int], one: Sent, message: int, context: StageContext) -> None:
    row = one.row
    try:
        element = read_element(context.staging, row["path"], row["sha256"]) if row["path"] else b""
        rendition: Rendition = rendition_for(row, element, accepted)
        status = network.store(
            association, rendition.context_id, row["sop_class_uid"], row["sop_instance_uid"], rendition.data, message
        )
        one.syntax = rendition.syntax
        if status == 0xA700:
            raise StageBlockedError("the target is out of resources (0xA700): make room there, then run again")
        if status in (0x0110, 0x0122, 0x0124) or status & 0xF000 in (0xA000, 0xC000) or status == 0x0111:
            raise ReviewError(f"the target refuses this object (status 0x{status:04X})")
        if status not in _STORED:
            raise RetryLaterError(f"the target answered with status 0x{status:04X}")
    except StageBlockedError:
        raise
    except FilmroomError as error:
        one.error = error
        if isinstance(error, RetryLaterError) and not association.is_established:
            raise


def _read_back(peer: network.Peer, sent: dict[str, Sent], present: dict[str, Sent]) -> dict[str, Returned]:
    """What the target gives back, by SOP Instance UID; each is hashed as it arrives and not kept."""
    wanted = {uid: one for uid, one in sent.items() if one.error is None}
    returned: dict[str, Returned] = {}
    if not wanted:
        return returned

    def receive(data: bytes, syntax: str) -> None:
        dataset = read_data_set(data, syntax)
        uid = str(dataset.get("SOPInstanceUID", ""))
        if uid in wanted:
            returned[uid] = judge_returned(dataset, wanted[uid].header, wanted[uid].row)

    pairs = {(one.row["sop_class_uid"], one.syntax or one.row["transfer_syntax_uid"]) for one in wanted.values()}
    if present:
        pairs |= {(sop_class, syntax) for sop_class, _ in pairs for syntax in ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")}
    network.retrieve(peer, list(_identifiers(wanted)), pairs, receive)
    return returned


def _settle(one: Sent, returned: Returned | None, target: str, context: StageContext) -> Outcome:
    row = one.row
    error = one.error
    if error is None and returned is None:
        error = RetryLaterError("the target did not give the object back")
    if error is None and returned is not None and returned.fault:
        there = "what the target holds under this UID" if one.syntax is None else "what came back"
        error = ReviewError(f"{there} differs: {returned.fault}")
    if error is not None:
        kind, reason = outcome_of_error(error)
        return Outcome(row["object_key"], row["item_key"], kind, reason)
    assert returned is not None
    receipt = {
        "target": target,
        "sop_instance_uid": row["sop_instance_uid"],
        "object_key": row["object_key"],
        "item_key": row["item_key"],
        "wave": "",
        "sent_at": context.now(),
        "sent_syntax": one.syntax,
        "sent_header_sha256": row["header_sha256"],
        "read_back_sha256": returned.pixel_sha256,
        "coerced": json.dumps(returned.coerced, sort_keys=True),
        "verified": True,
    }
    return Outcome(row["object_key"], row["item_key"], rows={"receipts": [receipt]})
