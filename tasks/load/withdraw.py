"""Taking loaded objects back out of the target: by delete where it has that, or by a rejection note; proved by query.

Neither an answer to a delete nor one to a note proves anything. What a query still finds afterwards is not withdrawn.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from tasks import network
from tasks.errors import RetryLaterError, StageBlockedError
from tasks.load.look import image_identifier
from tasks.load.rejection_note import Loaded, note_of, note_uid
from tasks.load.send import judge_status
from tasks.network.services import FIND_CONTEXT, SUCCESS
from tasks.pixel_data import header_bytes

Delete = Callable[[Sequence[str]], None]  # by SOP Instance UIDs; what is not there needs no delete
_NOTE_CONTEXT = network.Context(str(KeyObjectSelectionDocumentStorage), str(ExplicitVRLittleEndian))
_MOST_UIDS = 100


def still_there(peer: network.Peer, objects: Sequence[Loaded]) -> set[str]:
    """SOP Instance UIDs of those that a query of the target finds, in their series or anywhere.

    Raises `RetryLaterError` where the target does not answer, `StageBlockedError` where it takes no queries.
    """
    wanted = {loaded.instance for loaded in objects}
    with network.associate(peer, [FIND_CONTEXT]) as association:
        if not association.takes(FIND_CONTEXT.abstract_syntax):
            raise StageBlockedError(f"target {peer.name} offers us no C-FIND, to prove what is gone: allow it there")
        found: set[str] = set()
        for place in sorted({(loaded.study, loaded.series) for loaded in objects}):
            uids = sorted(loaded.instance for loaded in objects if (loaded.study, loaded.series) == place)
            found |= _found(association, place, uids, has_to_answer=True)
        return (found | _found(association, ("", ""), sorted(wanted), has_to_answer=False)) & wanted


def _found(association: network.Association, place: tuple[str, str], uids: Sequence[str], has_to_answer: bool) -> set[str]:
    found: set[str] = set()
    for first in range(0, len(uids), _MOST_UIDS):
        status, answers = network.find(association, image_identifier(place, uids[first : first + _MOST_UIDS]))
        # Many targets refuse to look for a UID without its study (PS3.4 C.4.1.2.2.1).
        if status != SUCCESS and has_to_answer:
            raise RetryLaterError(f"the target answered a query with status 0x{status:04X}")
        found |= {str(answer.get("SOPInstanceUID", "")) for answer in answers}
    return found


def delete_objects(peer: network.Peer, objects: Sequence[Loaded], delete: Delete) -> set[str]:
    """Deletes objects; gives back the SOP Instance UIDs of those that are still there."""
    if there := still_there(peer, objects):
        delete(sorted(there))
    return still_there(peer, objects)


def reject_objects(peer: network.Peer, objects: Sequence[Loaded], title: str, header: Dataset, at: datetime) -> set[str]:
    """Sends a rejection note about objects of one study; gives back the SOP Instance UIDs of those that are still there.

    A note that is there already, of a withdrawal that was cut off, is not sent again.
    """
    note = note_of(objects, title, header, at)
    named = Loaded(objects[0].study, str(note.SeriesInstanceUID), note_uid(objects, title), str(note.SOPClassUID), False)
    if not still_there(peer, [named]):
        with network.associate(peer, [_NOTE_CONTEXT]) as association:
            context = association.accepted.get((_NOTE_CONTEXT.abstract_syntax, _NOTE_CONTEXT.transfer_syntax))
            if context is None:
                raise StageBlockedError(f"target {peer.name} takes no rejection notes: withdraw by delete")
            judge_status(network.store(association, context, named.sop_class, named.instance, header_bytes(note)))
    return still_there(peer, objects)


def loaded_of(rows: Iterable[dict[str, object]]) -> list[Loaded]:
    """Rows with `study_instance_uid`, `series_instance_uid`, `sop_instance_uid`, `sop_class_uid`, `pixel_sha256`."""
    return [
        Loaded(
            str(row["study_instance_uid"]),
            str(row["series_instance_uid"]),
            str(row["sop_instance_uid"]),
            str(row["sop_class_uid"]),
            row["pixel_sha256"] is not None,
        )
        for row in rows
    ]
