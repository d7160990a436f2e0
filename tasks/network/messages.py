"""DIMSE command sets as bytes (PS3.7 section 6.3.1 and annex E): Implicit VR Little Endian, group 0000, elements in order."""

import struct
from collections.abc import Mapping

from tasks.errors import RetryLaterError

Command = dict[str, int | str]

NO_DATA_SET, DATA_SET = 0x0101, 0x0001
C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
C_FIND_RQ, C_FIND_RSP = 0x0020, 0x8020
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
C_MOVE_RQ, C_MOVE_RSP = 0x0021, 0x8021
C_CANCEL_RQ = 0x0FFF

_NUMBERS = {
    "CommandField": 0x0100,
    "MessageID": 0x0110,
    "MessageIDBeingRespondedTo": 0x0120,
    "Priority": 0x0700,
    "CommandDataSetType": 0x0800,
    "Status": 0x0900,
    "NumberOfRemainingSuboperations": 0x1020,
    "NumberOfCompletedSuboperations": 0x1021,
    "NumberOfFailedSuboperations": 0x1022,
    "NumberOfWarningSuboperations": 0x1023,
}
_UIDS = {"AffectedSOPClassUID": 0x0002, "AffectedSOPInstanceUID": 0x1000}
_TITLES = {"MoveDestination": 0x0600}
_ELEMENTS = _NUMBERS | _UIDS | _TITLES
_NUMBER_OF = {element: keyword for keyword, element in _NUMBERS.items()}
_UID_OF = {element: keyword for keyword, element in _UIDS.items()}


def encode_command(command: Mapping[str, int | str]) -> bytes:
    """The command set with its group length; keys are the keywords above; UIDs and AE titles are text."""
    body = b""
    for keyword, value in sorted(command.items(), key=lambda entry: _ELEMENTS[entry[0]]):
        if isinstance(value, int):
            raw = struct.pack("<H", value)
        else:
            raw = value.encode("ascii")
            raw += (b" " if keyword in _TITLES else b"\x00") * (len(raw) % 2)
        body += struct.pack("<HHL", 0, _ELEMENTS[keyword], len(raw)) + raw
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def decode_command(data: bytes) -> Command:
    """The numbers and UIDs of a command set; all else is passed over, elements of other groups that some archives add included.

    Raises `RetryLaterError` where it is cut short: the peer is confused, and may not be later.
    """
    command: Command = {}
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            raise RetryLaterError("the PACS sent a command that is cut short")
        group, element, length = struct.unpack_from("<HHL", data, position)
        raw = data[position + 8 : position + 8 + length]
        position += 8 + length
        if len(raw) != length:
            raise RetryLaterError("the PACS sent a command that is cut short")
        if group == 0 and element in _NUMBER_OF and length == 2:
            command[_NUMBER_OF[element]] = int.from_bytes(raw, "little")
        elif group == 0 and element in _UID_OF:
            command[_UID_OF[element]] = raw.decode("ascii", "replace").rstrip("\x00 ")
    return command


def number(command: Command, keyword: str) -> int:
    """A number of a command set; raises `RetryLaterError` where the peer left it out."""
    value = command.get(keyword)
    if not isinstance(value, int):
        raise RetryLaterError(f"the PACS sent a command without {keyword}")
    return value
