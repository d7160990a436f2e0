"""DIMSE towards a PACS: associations, C-STORE of encoded data sets, C-FIND and C-GET, with every fault turned into what it demands.

Times out everywhere; nothing is logged, since pynetdicom's logs carry identifiers.
"""

import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from tasks.errors import RetryLaterError, StageBlockedError

logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

MOST_CONTEXTS = 126  # of 128 that an association may propose (PS3.8 9.3.2.2), two are the query's
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Peer:
    """A DICOM application we talk to, and how we call ourselves."""

    host: str
    port: int
    ae_title: str
    our_ae_title: str

    @property
    def name(self) -> str:
        """AE@host:port, as receipts name a target."""
        return f"{self.ae_title}@{self.host}:{self.port}"


def associate(peer: Peer, contexts: Sequence[Any], handlers: Sequence[Any] = (), roles: Sequence[Any] = ()) -> Any:
    """An established association; raises `StageBlockedError` where the peer is down or refuses us, with the mend."""
    entity = AE(peer.our_ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_SECONDS
    entity.connection_timeout = 10
    entity.maximum_pdu_size = 0
    bound = [(evt.EVT_CONN_OPEN, _no_delay), *handlers]
    association = entity.associate(
        peer.host, peer.port, contexts=list(contexts), ae_title=peer.ae_title, ext_neg=list(roles), evt_handlers=bound
    )
    if association.is_established:
        return association
    if association.is_rejected:
        answer = association.acceptor.primitive
        raise StageBlockedError(
            f"target {peer.name} rejects our association (source {answer.result_source}, reason {answer.diagnostic}): "
            f"make it know AE title {peer.our_ae_title!r}, and check [target] ae_title"
        )
    if association.is_aborted and association.acceptor.primitive is not None:
        raise RetryLaterError("the target aborted the association")
    raise StageBlockedError(f"target {peer.name} does not answer: start it or correct [target], then run again")


def _no_delay(event: Any) -> None:
    connection = getattr(event.assoc.dul.socket, "socket", None)
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def storage_contexts(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """A context for each (SOP class, transfer syntax), and the uncompressed ones to fall back to."""
    wanted = dict.fromkeys(sorted(set(pairs)))
    for sop_class, _ in list(wanted):
        wanted[sop_class, str(ExplicitVRLittleEndian)] = None
        wanted[sop_class, str(ImplicitVRLittleEndian)] = None
    return [build_context(sop_class, [syntax]) for sop_class, syntax in wanted]


def accepted_contexts(association: Any) -> dict[tuple[str, str], int]:
    """Context ID by (SOP class, transfer syntax) of what the peer accepted."""
    return {
        (str(context.abstract_syntax), str(context.transfer_syntax[0])): context.context_id
        for context in association.accepted_contexts
    }


def store(association: Any, context_id: int, sop_class: str, sop_instance: str, data: bytes, message: int) -> int:
    """C-STORE of an encoded data set as it is; gives back the status. Raises `RetryLaterError` where the peer is lost."""
    request = C_STORE()
    request.MessageID = message
    request.AffectedSOPClassUID = sop_class
    request.AffectedSOPInstanceUID = sop_instance
    request.Priority = 2
    request.DataSet = BytesIO(data)
    association._reactor_checkpoint.clear()
    try:
        association.dimse.send_msg(request, context_id)
        _, answer = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    if answer is None or answer.Status is None:
        raise RetryLaterError("the target was lost while sending")
    return int(answer.Status)


def find(association: Any, identifier: Dataset) -> list[Dataset]:
    """C-FIND, study root; raises `RetryLaterError` where the peer fails."""
    answers = []
    for status, answer in association.send_c_find(identifier, StudyRootQueryRetrieveInformationModelFind):
        if not status or status.Status not in (0x0000, 0xFF00, 0xFF01):
            raise RetryLaterError("the target did not answer a query")
        if answer is not None:
            answers.append(answer)
    return answers


def retrieve(
    peer: Peer, identifiers: Sequence[Dataset], pairs: Iterable[tuple[str, str]], receive: Callable[[bytes, str], None]
) -> None:
    """C-GET of what the identifiers name; each data set's bytes and transfer syntax are handed to `receive`.

    Raises `StageBlockedError` where the peer offers no C-GET, `RetryLaterError` where it fails on the way.
    """
    chosen = sorted(set(pairs))
    contexts = [build_context(StudyRootQueryRetrieveInformationModelGet)]
    contexts += [build_context(sop_class, [syntax]) for sop_class, syntax in chosen]
    roles = [build_role(sop_class, scp_role=True) for sop_class in dict(chosen)]

    def handle(event: Any) -> int:
        receive(event.request.DataSet.getvalue(), str(event.context.transfer_syntax))
        return 0x0000

    association = associate(peer, contexts, [(evt.EVT_C_STORE, handle)], roles)
    try:
        if not any(c.abstract_syntax == StudyRootQueryRetrieveInformationModelGet for c in association.accepted_contexts):
            raise StageBlockedError(f"target {peer.name} offers no C-GET, without which nothing can be proved: enable it")
        for identifier in identifiers:
            for status, _ in association.send_c_get(identifier, StudyRootQueryRetrieveInformationModelGet):
                if not status or status.Status not in (0x0000, 0xFF00, 0xB000, 0xA701, 0xA702):
                    raise RetryLaterError("the target failed while what was sent was read back")
    finally:
        association.release()


def find_context() -> Any:
    """The context of C-FIND, study root."""
    return build_context(StudyRootQueryRetrieveInformationModelFind)


def echo(peer: Peer) -> None:
    """C-ECHO; raises `StageBlockedError` where the peer does not answer it."""
    association = associate(peer, [build_context(Verification)])
    try:
        status = association.send_c_echo()
        if not status or status.Status != 0x0000:
            raise StageBlockedError(f"target {peer.name} does not answer a C-ECHO: check what it allows us")
    finally:
        association.release()
