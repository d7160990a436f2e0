"""The DIMSE services we use as SCU (PS3.7 section 9.1, PS3.4 annexes B and C)."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.network.messages import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_ECHO_RSP,
    C_FIND_RQ,
    C_FIND_RSP,
    C_GET_RQ,
    C_GET_RSP,
    C_MOVE_RQ,
    C_MOVE_RSP,
    C_STORE_RQ,
    C_STORE_RSP,
    DATA_SET,
    NO_DATA_SET,
    Command,
    number,
)
from tasks.network.negotiation import Context, Peer, associate
from tasks.network.upper_layer import Association, Message

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT = str(ImplicitVRLittleEndian)  # of queries; every application takes it (PS3.5 section 10.1)
FIND_CONTEXT = Context(STUDY_ROOT_FIND, IMPLICIT)
GET_CONTEXT = Context(STUDY_ROOT_GET, IMPLICIT)
MOVE_CONTEXT = Context(STUDY_ROOT_MOVE, IMPLICIT)
SUCCESS, PENDING = 0x0000, frozenset({0xFF00, 0xFF01})
CANCELLED = 0xFE00  # by us, or by the peer that has found more than it gives out


@dataclass(frozen=True)
class GetResult:
    """How a C-GET or C-MOVE ended: its status, and the SOP Instance UIDs that the peer says it could not send."""

    status: int
    failed: frozenset[str]


@dataclass(frozen=True)
class Received:
    """An object that the peer sent: its names as the command says them, and its data set as encoded in the transfer syntax."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data: bytes


@dataclass(frozen=True)
class Found:
    """Answers to a C-FIND; `whole` where the peer says that there are no others, and we did not stop it either."""

    status: int
    answers: list[Dataset]
    whole: bool


def echo(peer: Peer) -> None:
    """C-ECHO; raises `StageBlockedError` where the peer does not answer it."""
    with associate(peer, [Context(VERIFICATION, IMPLICIT)]) as association:
        if not association.takes(VERIFICATION):
            raise StageBlockedError(f"{peer.section} {peer.name} takes no C-ECHO: check what it allows us")
        message = association.next_message_id()
        command: Command = {"CommandField": C_ECHO_RQ, "MessageID": message, "AffectedSOPClassUID": VERIFICATION}
        association.send(association.accepted[VERIFICATION, IMPLICIT], command | {"CommandDataSetType": NO_DATA_SET})
        status = number(_answer(association, C_ECHO_RSP).command, "Status")
    if status != SUCCESS:
        raise StageBlockedError(
            f"{peer.section} {peer.name} answers C-ECHO with status 0x{status:04X}: check what it allows us"
        )


def store(association: Association, context_id: int, sop_class: str, sop_instance: str, data: bytes) -> int:
    """C-STORE of an encoded data set as it is; gives back the status. Raises `RetryLaterError` where the peer is lost."""
    command: Command = {
        "AffectedSOPClassUID": sop_class,
        "CommandField": C_STORE_RQ,
        "MessageID": association.next_message_id(),
        "Priority": 0,
        "CommandDataSetType": DATA_SET,
        "AffectedSOPInstanceUID": sop_instance,
    }
    association.send(context_id, command, data)
    return number(_answer(association, C_STORE_RSP).command, "Status")


def find(association: Association, identifier: Dataset) -> tuple[int, list[Dataset]]:
    """C-FIND, study root: (final status, matches). Raises `RetryLaterError` where the peer is lost."""
    found = find_some(association, identifier)
    return found.status, found.answers


def find_some(association: Association, identifier: Dataset, most: int | None = None) -> Found:
    """C-FIND, study root, that is cancelled after `most` answers. Raises `RetryLaterError` where the peer is lost."""
    context_id = association.accepted[STUDY_ROOT_FIND, IMPLICIT]
    query = _query(association, C_FIND_RQ, STUDY_ROOT_FIND)
    association.send(context_id, query, _encoded(identifier))
    answers: list[Dataset] = []
    while True:
        answer = _answer(association, C_FIND_RSP)
        status = number(answer.command, "Status")
        if status not in PENDING:
            return Found(status, answers[:most], status == SUCCESS and (most is None or len(answers) <= most))
        answers.append(_decoded(answer.data))
        if most is not None and len(answers) == most + 1:
            cancel: Command = {
                "CommandField": C_CANCEL_RQ,
                "MessageIDBeingRespondedTo": query["MessageID"],
                "CommandDataSetType": NO_DATA_SET,
            }
            association.send(context_id, cancel)


def get(association: Association, identifier: Dataset, receive: Callable[[Received], None]) -> GetResult:
    """C-GET, study root; `receive` is given each object that comes.

    Every object is acknowledged as stored once `receive` has returned. Raises `RetryLaterError` where the peer is lost.
    """
    context_id = association.accepted[STUDY_ROOT_GET, IMPLICIT]
    association.send(context_id, _query(association, C_GET_RQ, STUDY_ROOT_GET), _encoded(identifier))
    while True:
        message = association.receive()
        kind = number(message.command, "CommandField")
        if kind == C_STORE_RQ:
            take(association, message, receive)
        elif kind != C_GET_RSP:
            raise RetryLaterError("the PACS answered with a command that was not asked for")
        elif (status := number(message.command, "Status")) not in PENDING:
            return GetResult(status, _failed(message.data))


def move(association: Association, identifier: Dataset, destination: str) -> GetResult:
    """C-MOVE, study root, to the AE title `destination`; what it sends there has been acknowledged when this returns."""
    context_id = association.accepted[STUDY_ROOT_MOVE, IMPLICIT]
    command = _query(association, C_MOVE_RQ, STUDY_ROOT_MOVE) | {"MoveDestination": destination}
    association.send(context_id, command, _encoded(identifier))
    while True:
        answer = _answer(association, C_MOVE_RSP)
        if (status := number(answer.command, "Status")) not in PENDING:
            return GetResult(status, _failed(answer.data))


def take(association: Association, message: Message, receive: Callable[[Received], None]) -> None:
    """Answers a C-STORE of the peer's once `receive` has returned."""
    uid = str(message.command.get("AffectedSOPInstanceUID", ""))
    syntax = association.syntax_of.get(message.context_id)
    if syntax is None:
        raise RetryLaterError("the PACS used a presentation context that it had not accepted")
    sop_class = str(message.command.get("AffectedSOPClassUID", ""))
    receive(Received(sop_class, uid, syntax, message.data))
    answer: Command = {
        "AffectedSOPClassUID": sop_class,
        "CommandField": C_STORE_RSP,
        "MessageIDBeingRespondedTo": number(message.command, "MessageID"),
        "CommandDataSetType": NO_DATA_SET,
        "Status": SUCCESS,
        "AffectedSOPInstanceUID": uid,
    }
    association.send(message.context_id, answer)


def _failed(data: bytes) -> frozenset[str]:
    if not data:
        return frozenset()
    uids = _decoded(data).get("FailedSOPInstanceUIDList") or []
    return frozenset([uids] if isinstance(uids, str) else [str(uid) for uid in uids])


def _query(association: Association, kind: int, model: str) -> Command:
    return {
        "AffectedSOPClassUID": model,
        "CommandField": kind,
        "MessageID": association.next_message_id(),
        "Priority": 0,
        "CommandDataSetType": DATA_SET,
    }


def _answer(association: Association, kind: int) -> Message:
    message = association.receive()
    if number(message.command, "CommandField") != kind:
        raise RetryLaterError("the PACS answered with a command that was not asked for")
    return message


def _encoded(identifier: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, identifier)
    return bytes(buffer.getvalue())


def _decoded(data: bytes) -> Dataset:
    try:
        return read_dataset(BytesIO(data), True, True)
    except Exception as error:  # pydicom raises whatever it likes on a data set it cannot read
        raise RetryLaterError("the PACS answered a query with what cannot be read") from error
