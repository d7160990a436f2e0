"""Our own receiver of C-STORE (PS3.4 B): what a PACS sends us on C-MOVE.

Several processes may listen on one port (SO_REUSEPORT); which of them is sent an object is not ours to say, so what comes is
handed to one function wherever it comes, with the AE title of the sender.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import ImplementationClassUIDNotification, MaximumLengthNotification
from pynetdicom.presentation import PresentationContext

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.network.messages import C_ECHO_RQ, C_ECHO_RSP, C_STORE_RQ, NO_DATA_SET, Command, number
from tasks.network.services import SUCCESS, Received, take
from tasks.network.upper_layer import ANSWER_SECONDS, ASSOCIATE_RQ, OUR_MAXIMUM_PDU, Association, read_pdu

_IDLE_SECONDS = 600  # an association that sends nothing for so long is given up

Receive = Callable[[str, Received], None]


class Receiver:
    """Listens until the process ends or it is closed; `receive` is called in the threads of the associations."""

    def __init__(self, port: int, our_ae_title: str, receive: Receive):
        self._ours, self._receive = our_ae_title, receive
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            self._listening.bind(("", port))
        except OSError as error:
            self._listening.close()
            raise StageBlockedError(f"port {port} is taken: stop what listens there, or correct [network] port") from error
        self._listening.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stops listening; associations under way go on."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """One association, to its end; what is wrong with it ends it, and the peer counts what it could not send."""
        with connection, contextlib.suppress(RetryLaterError, OSError):
            connection.settimeout(ANSWER_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted = self._associate(connection)
            if accepted is None:
                return
            calling, association = accepted
            connection.settimeout(_IDLE_SECONDS)
            while (message := association.receive_or_end()) is not None:
                if number(message.command, "CommandField") == C_STORE_RQ:
                    take(association, message, lambda came: self._receive(calling, came))
                elif number(message.command, "CommandField") == C_ECHO_RQ:
                    answer: Command = {"CommandField": C_ECHO_RSP, "CommandDataSetType": NO_DATA_SET, "Status": SUCCESS}
                    asked = number(message.command, "MessageID")
                    association.send(message.context_id, answer | {"MessageIDBeingRespondedTo": asked})
                else:
                    return

    def _associate(self, connection: socket.socket) -> tuple[str, Association] | None:
        kind, body = read_pdu(connection, time.monotonic() + ANSWER_SECONDS)
        if kind != ASSOCIATE_RQ:
            return None
        try:
            pdu = A_ASSOCIATE_RQ()
            pdu.decode(struct.pack(">BBL", kind, 0, len(body)) + body)
            asked: Any = pdu.to_primitive()
            calling = str(asked.calling_ae_title).strip()
            maximum = int(asked.maximum_length_received)
            results, accepted = _negotiated(asked.presentation_context_definition_list)
        except Exception:  # pynetdicom's decoders raise whatever they like on a damaged PDU
            return None
        asked.presentation_context_definition_results_list = results
        asked.result = 0x00
        length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
        length.maximum_length_received = OUR_MAXIMUM_PDU
        implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
        asked.user_information = [length, implementation]
        answer = A_ASSOCIATE_AC()
        answer.from_primitive(asked)
        connection.sendall(bytes(answer.encode()))
        return calling, Association(connection, accepted, maximum)


def _negotiated(proposed: list[PresentationContext]) -> tuple[list[PresentationContext], dict[tuple[str, str], int]]:
    """Takes every context, in the first transfer syntax that is proposed for it."""
    results, accepted = [], {}
    for context in proposed:
        result = PresentationContext()
        result.context_id = context.context_id
        result.abstract_syntax = context.abstract_syntax
        result.transfer_syntax = [context.transfer_syntax[0]]
        result.result = 0x00
        results.append(result)
        accepted[str(context.abstract_syntax), str(context.transfer_syntax[0])] = int(context.context_id)
    return results, accepted
