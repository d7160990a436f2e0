"""Agreeing on an association (PS3.8 9.3.2 to 9.3.4, PS3.7 annex D): who we are, what we propose, what a refusal means."""

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import build_context

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.network.upper_layer import (
    ABORT,
    ANSWER_SECONDS,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    OUR_MAXIMUM_PDU,
    Association,
    faults,
    read_pdu,
)

MOST_CONTEXTS = 128  # presentation context IDs are the odd numbers up to 255 (PS3.8 9.3.2.2)
CONNECT_SECONDS = 10
_REJECTIONS = {
    (1, 2): "it does not support the application context",
    (1, 3): "it does not know our AE title",
    (1, 7): "it is not called so",
}


@dataclass(frozen=True)
class Peer:
    """A DICOM application we talk to, how we call ourselves, and the section of the configuration that names it."""

    host: str
    port: int
    ae_title: str
    our_ae_title: str
    section: Literal["target", "source"] = "target"

    @property
    def name(self) -> str:
        """AE@host:port, as receipts name a target."""
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class Context:
    """A proposed presentation context; `receiving` asks for the SCP role, to be sent such objects by C-GET."""

    abstract_syntax: str
    transfer_syntax: str
    receiving: bool = False


def associate(peer: Peer, contexts: Sequence[Context]) -> Association:
    """An established association.

    Raises `StageBlockedError` where the peer is down or refuses us, with the mend, and `RetryLaterError` where it is busy.
    """
    if not 0 < len(contexts) <= MOST_CONTEXTS:
        raise ValueError(f"{len(contexts)} presentation contexts: an association may propose 1 to {MOST_CONTEXTS}")
    try:
        connection = socket.create_connection((peer.host, peer.port), timeout=CONNECT_SECONDS)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StageBlockedError(
            f"{peer.section} {peer.name} is down ({why}): start it or correct [{peer.section}], then run again"
        ) from error
    try:
        connection.settimeout(ANSWER_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with faults():
            connection.sendall(_request(peer, contexts))
            kind, body = read_pdu(connection, time.monotonic() + ANSWER_SECONDS)
        if kind != ASSOCIATE_AC:
            raise _refusal(peer, kind, body)
        return _established(connection, contexts, body)
    except BaseException:
        connection.close()
        raise


def _request(peer: Peer, contexts: Sequence[Context]) -> bytes:
    request = A_ASSOCIATE()
    request.application_context_name = UID("1.2.840.10008.3.1.1.1")
    request.calling_ae_title, request.called_ae_title = peer.our_ae_title, peer.ae_title
    proposed = []
    for place, context in enumerate(contexts):
        built = build_context(context.abstract_syntax, [context.transfer_syntax])
        built.context_id = 2 * place + 1
        proposed.append(built)
    request.presentation_context_definition_list = proposed
    request.user_information = _user_information(contexts)
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return bytes(pdu.encode())


def _user_information(contexts: Sequence[Context]) -> list[Any]:
    length = MaximumLengthNotification()
    length.maximum_length_received = OUR_MAXIMUM_PDU
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = PYNETDICOM_IMPLEMENTATION_VERSION
    roles = []
    for sop_class in sorted({context.abstract_syntax for context in contexts if context.receiving}):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = UID(sop_class), False, True
        roles.append(role)
    return [length, implementation, version, *roles]


def _established(connection: socket.socket, contexts: Sequence[Context], body: bytearray) -> Association:
    try:
        pdu = A_ASSOCIATE_AC()
        pdu.decode(struct.pack(">BBL", ASSOCIATE_AC, 0, len(body)) + body)
        answer = pdu.to_primitive()
        accepted = {
            (
                contexts[result.context_id // 2].abstract_syntax,
                contexts[result.context_id // 2].transfer_syntax,
            ): result.context_id
            for result in answer.presentation_context_definition_results_list
            if result.result == 0
        }
        maximum = int(answer.maximum_length_received)
    except Exception as error:  # pynetdicom's decoders raise whatever they like on a damaged PDU
        raise RetryLaterError("the PACS answered our association request with what cannot be read") from error
    return Association(connection, accepted, maximum)


def _refusal(peer: Peer, kind: int, body: bytearray) -> Exception:
    if kind == ABORT:
        return RetryLaterError("the PACS aborted the association")
    if kind != ASSOCIATE_RJ or len(body) < 4:
        return StageBlockedError(f"what listens at {peer.name} does not speak DICOM: correct [{peer.section}] host and port")
    result, source, reason = body[1:4]
    if result == 2:
        return RetryLaterError(f"the PACS is busy and rejected the association for now (source {source}, reason {reason})")
    why = _REJECTIONS.get((source, reason), "it gives no reason we know")
    return StageBlockedError(
        f"{peer.section} {peer.name} rejects our association: {why} (source {source}, reason {reason}); "
        f"make it know AE title {peer.our_ae_title!r}, and check [{peer.section}] ae_title"
    )
