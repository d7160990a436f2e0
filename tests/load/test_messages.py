"""Command sets against pynetdicom's encoder and decoder, and against bytes that are none."""

from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dsutils import decode, encode

from tasks.errors import RetryLaterError
from tasks.network.messages import C_STORE_RQ, decode_command, encode_command, number

COMMANDS = st.fixed_dictionaries(
    {"CommandField": st.integers(0, 0xFFFF), "CommandDataSetType": st.integers(0, 0xFFFF)},
    optional={
        "MessageID": st.integers(0, 0xFFFF),
        "Priority": st.integers(0, 2),
        "Status": st.integers(0, 0xFFFF),
        "AffectedSOPClassUID": st.from_regex(r"[12](\.[1-9][0-9]{0,9}){1,5}", fullmatch=True),
        "AffectedSOPInstanceUID": st.from_regex(r"2\.25\.[1-9][0-9]{0,38}", fullmatch=True),
    },
)


@given(COMMANDS)
def test_pynetdicom_reads_what_we_write_and_writes_the_same(command: dict[str, int | str]) -> None:
    ours = encode_command(command)
    read = decode(BytesIO(ours), is_implicit_vr=True, is_little_endian=True)
    assert {element.keyword: element.value for element in read if element.keyword != "CommandGroupLength"} == command
    assert read.CommandGroupLength == len(ours) - 12
    assert encode(read, is_implicit_vr=True, is_little_endian=True) == ours
    assert decode_command(ours) == command


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_the_fault_of_the_peer(data: bytes) -> None:
    with suppress(RetryLaterError):
        decode_command(data)


def test_the_command_of_a_c_store_byte_for_byte() -> None:
    # PS3.7 table 9.3-1, encoded by hand after PS3.7 6.3.1.
    expected = (
        "00000000 04000000 38000000"
        "00000200 06000000 312e322e3300"
        "00000001 02000000 0100"
        "00001001 02000000 0700"
        "00000007 02000000 0000"
        "00000008 02000000 0100"
    )
    command = {
        "MessageID": 7,
        "CommandField": C_STORE_RQ,
        "Priority": 0,
        "CommandDataSetType": 1,
        "AffectedSOPClassUID": "1.2.3",
    }
    data = encode_command(command)
    body = bytes.fromhex(expected.replace(" ", ""))
    assert data[12:] == body[12:]
    assert int.from_bytes(data[8:12], "little") == len(body) - 12


def test_what_the_peer_left_out_is_its_fault() -> None:
    with pytest.raises(RetryLaterError, match="Status"):
        number(decode_command(encode_command({"CommandField": 0x8001})), "Status")


def test_what_orthanc_puts_behind_the_command_is_passed_over() -> None:
    # Orthanc 1.10.1 appends Failed SOP Instance UID List (0008,0058), which belongs into the data set, to the answer.
    command = {"CommandField": 0x8010, "Status": 0xC000, "CommandDataSetType": 0x0101}
    assert decode_command(encode_command(command) + bytes.fromhex("08005800 06000000 312e322e3300")) == command
