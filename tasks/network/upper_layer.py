"""Associations over TCP (PS3.8 section 9.3), lean: one blocking socket, no threads, data handed over as it is.

Two things make it quick: messages are cut as long as the peer's maximum PDU allows and written together, and TCP_QUICKACK is
set again after every read, since many servers write a PDU's head and body apart with Nagle's algorithm on, and a delayed
acknowledgement of the head then holds the body back for 40 ms.
"""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from tasks.errors import RetryLaterError
from tasks.network.messages import Command, decode_command, encode_command, number

ANSWER_SECONDS = 60  # longest silence
MESSAGE_SECONDS = 900  # longest message, however steadily it trickles
OUR_MAXIMUM_PDU = 1 << 20
_LONGEST_PDU = 1 << 20  # of ours, where the peer takes any length
_PDUS_A_WRITE = 64
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07


@dataclass(frozen=True)
class Message:
    """A DIMSE message: its command set, and its data set as encoded in the context's transfer syntax."""

    context_id: int
    command: Command
    data: bytes


class ReleasedError(RetryLaterError):
    """The peer released the association, which only who asked for it may."""


class Association:
    """An established association; a context manager that releases it, or closes it where something went wrong.

    `accepted` gives the context ID by (abstract syntax, transfer syntax) of what the peer took.
    """

    def __init__(self, connection: socket.socket, accepted: dict[tuple[str, str], int], peer_maximum: int):
        self._connection = connection
        self.accepted = accepted
        self.syntax_of = {context_id: syntax for (_, syntax), context_id in accepted.items()}
        self._fragment = max(min(peer_maximum or _LONGEST_PDU, _LONGEST_PDU) - 6, 2) & ~1  # even, as fragments must be
        self._messages = 0

    def takes(self, abstract_syntax: str) -> bool:
        """Whether the peer accepted any context of an abstract syntax."""
        return any(known == abstract_syntax for known, _ in self.accepted)

    def next_message_id(self) -> int:
        """1, 2, ... 65535, 1, ..."""
        self._messages = self._messages % 0xFFFF + 1
        return self._messages

    def send(self, context_id: int, command: Command, data: bytes = b"") -> None:
        """Sends a message. Raises `RetryLaterError` where the peer is lost."""
        with faults():
            pdus = self._pdus(context_id, 0x03, encode_command(command))
            if data:
                pdus += self._pdus(context_id, 0x02, data)
            for first in range(0, len(pdus), _PDUS_A_WRITE):
                self._connection.sendall(b"".join(part for pdu in pdus[first : first + _PDUS_A_WRITE] for part in pdu))

    def _pdus(self, context_id: int, last: int, data: bytes) -> list[tuple[bytes, memoryview]]:
        """P-DATA-TF PDUs, each with one fragment (PS3.8 9.3.5 and annex E); `last` is the control header of the last one."""
        view, pdus = memoryview(data), []
        for start in range(0, len(view), self._fragment):
            part = view[start : start + self._fragment]
            control = last if start + self._fragment >= len(view) else last & 0x01
            head = struct.pack(">BBLLBB", DATA, 0, len(part) + 6, len(part) + 2, context_id, control)
            pdus.append((head, part))
        return pdus

    def receive(self) -> Message:
        """The next message, whole. Raises `RetryLaterError` where the peer is silent, aborts or is lost."""
        command, data = bytearray(), bytearray()
        complete, deadline = None, time.monotonic() + MESSAGE_SECONDS
        with faults():
            while True:
                for context_id, control, fragment in self._fragments(deadline):
                    (command if control & 0x01 else data).extend(fragment)
                    if not control & 0x02:
                        continue
                    if control & 0x01:
                        complete = decode_command(bytes(command))
                    if complete and (not control & 0x01 or number(complete, "CommandDataSetType") == 0x0101):
                        return Message(context_id, complete, bytes(data))

    def receive_or_end(self) -> Message | None:
        """The next message, or nothing where the peer has released the association. Raises as `receive` does."""
        try:
            return self.receive()
        except ReleasedError:
            return None

    def _fragments(self, deadline: float) -> list[tuple[int, int, memoryview]]:
        kind, body = read_pdu(self._connection, deadline)
        if kind == ABORT:
            raise RetryLaterError("the PACS aborted the association")
        if kind == RELEASE_RQ:
            self._connection.sendall(struct.pack(">BBLL", RELEASE_RP, 0, 4, 0))
            raise ReleasedError("the PACS released the association")
        if kind != DATA:
            raise RetryLaterError("the PACS ended the association")
        view, position, fragments = memoryview(body), 0, []
        while position + 6 <= len(view):
            length, context_id, control = struct.unpack_from(">LBB", view, position)
            fragments.append((context_id, control, view[position + 6 : position + 4 + length]))
            position += 4 + max(length, 2)
        return fragments

    def __enter__(self) -> "Association":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError, RetryLaterError):
            self._connection.settimeout(5)
            if kind is None:
                self._connection.sendall(struct.pack(">BBLL", RELEASE_RQ, 0, 4, 0))
                read_pdu(self._connection, time.monotonic() + 5)
            else:
                self._connection.sendall(struct.pack(">BBLL", ABORT, 0, 4, 0))
        self._connection.close()


def read_pdu(connection: socket.socket, deadline: float) -> tuple[int, bytearray]:
    """Type and content of the next PDU; type 0 where it is none, or longer than we allowed. `deadline` in monotonic seconds."""
    kind, _, length = struct.unpack(">BBL", _read(connection, 6, deadline))
    if kind not in range(0x01, 0x08) or length > 2 * OUR_MAXIMUM_PDU:
        return 0, bytearray()
    return kind, _read(connection, length, deadline)


def _read(connection: socket.socket, count: int, deadline: float) -> bytearray:
    content = bytearray(count)
    view = memoryview(content)
    while view:
        if time.monotonic() > deadline:
            raise TimeoutError
        got = connection.recv_into(view)
        if not got:
            raise ConnectionResetError
        connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        view = view[got:]
    return content


# Linux alone has it; elsewhere TCP_NODELAY is set once more, which changes nothing.
_QUICKACK: int = getattr(socket, "TCP_QUICKACK", socket.TCP_NODELAY)


@contextlib.contextmanager
def faults() -> Iterator[None]:
    """Turns what a socket raises into what it demands."""
    try:
        yield
    except TimeoutError as error:
        raise RetryLaterError("the PACS did not answer in time") from error
    except OSError as error:
        raise RetryLaterError("the connection to the PACS was lost") from error
