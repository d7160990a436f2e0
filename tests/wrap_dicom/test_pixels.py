"""Pixels are staged as the bytes they came as; what has to be turned round is the same picture, and proved to be."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended

from tests.pixels.reference import (
    BASELINE,
    BIG,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    JPEG_2000_LOSSY,
    JPEG_LS,
    JPEG_LS_NEAR,
    LOSSLESS,
    LOSSLESS_57,
    LOSSLESS_70,
    RLE,
    codestream,
    described,
    reference_hash,
)
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.objects import PICTURE, file_bytes, legacy, whole

FRAMES = np.random.default_rng(2).integers(0, 4096, (2, 16, 18)).astype(np.uint16)
BYTES = (FRAMES // 16).astype(np.uint8)
UNREGISTERED = {"1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.4.110"}  # by this pydicom


@pytest.mark.parametrize("syntax", [s for s in (*LOSSLESS, BASELINE, JPEG_LS_NEAR, JPEG_2000_LOSSY) if s not in UNREGISTERED])
@pytest.mark.parametrize("fragments", [1, 2])
@pytest.mark.parametrize("table", [True, False])
def test_encapsulated_pixels_are_staged_byte_for_byte(syntax: str, fragments: int, table: bool, take: Take) -> None:
    frames, stored = (BYTES, 8) if syntax in (BASELINE, JPEG_LS_NEAR, JPEG_2000_LOSSY) else (FRAMES, 12)
    if syntax == RLE and fragments > 1 and not table:
        return  # nothing says where one such frame ends
    streams = [codestream(frame, syntax, described(frames, stored=stored)) for frame in frames]
    value = encapsulate(streams, fragments_per_frame=fragments, has_bot=table)
    data = file_bytes(legacy(frames, stored, syntax, value))
    outcome, staging = take(data)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    element = (staging / row["path"]).read_bytes()
    assert element[:12] == b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    assert element[12:] == value + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert element[12:] in data
    # The encoder at hand predicts by the sixth way, which the second of the two lossless ones does not allow (PS3.5 A.4.2).
    assert row["transfer_syntax_uid"] == (LOSSLESS_57 if syntax == LOSSLESS_70 else syntax)
    assert row["pixel_hash_kind"] == ("codestream" if stored == 8 else "decoded")
    if stored == 12:
        assert row["pixel_sha256"] == reference_hash(frames, stored=12)


def test_a_fragment_that_ends_or_goes_on_like_a_delimiter_is_whole(take: Take) -> None:
    stream = codestream(BYTES[0], BASELINE, described(BYTES[:1], stored=8))
    delimiter = b"\xfe\xff\xdd\xe0\0\0\0\0"
    for name, stream_behind in (("end", delimiter), ("middle", delimiter + b"more")):
        value = encapsulate([stream + b"\0" * (len(stream) % 2) + stream_behind])
        outcome, staging = take(file_bytes(legacy(BYTES[:1], 8, BASELINE, value)), name)
        assert outcome.outcome == "done", outcome.reason
        assert (staging / outcome.rows["objects"][0]["path"]).read_bytes()[12:] == value + delimiter


def test_an_extended_offset_table_stays_in_the_header(take: Take) -> None:
    streams = [codestream(frame, RLE, described(FRAMES, stored=12)) for frame in FRAMES]
    value, offsets, lengths = encapsulate_extended(streams)
    source = legacy(FRAMES, 12, RLE, value)
    source.ExtendedOffsetTable, source.ExtendedOffsetTableLengths = offsets, lengths
    outcome, staging = take(file_bytes(source))
    (row,) = outcome.rows["objects"]
    assert row["pixel_sha256"] == reference_hash(FRAMES, stored=12)
    assert whole(row, staging).ExtendedOffsetTable == offsets


@pytest.mark.parametrize("frames", [FRAMES, BYTES, BYTES[:1, :3, :3]], ids=["words", "bytes", "odd"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_uncompressed_pixels_are_the_same_from_every_encoding(frames: np.ndarray, syntax: str, take: Take) -> None:
    stored = 12 if frames.dtype == np.uint16 else 8
    outcome, staging = take(file_bytes(legacy(frames, stored, syntax)))
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    element = (staging / row["path"]).read_bytes()
    wanted = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
    assert element[12:] == wanted + b"\0" * (len(wanted) % 2)
    assert (row["transfer_syntax_uid"], row["pixel_sha256"]) == (EXPLICIT, reference_hash(frames, stored=stored))
    assert (row["rows"], row["columns"], row["frames"], row["bits_stored"]) == (*frames.shape[1:], len(frames), stored)


def test_a_wide_sample_in_big_endian_words_goes_to_a_person(take: Take) -> None:
    outcome, staging = take(file_bytes(legacy(FRAMES.astype(np.uint32), 32, BIG)))
    assert (outcome.outcome, outcome.reason[:18]) == ("review", "big-endian pixels ")
    assert not staging.exists()


def test_big_endian_pixels_behind_a_little_endian_header_are_what_dcmtk_reads(
    take: Take, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    """A private transfer syntax of GE, which DCMTK and GDCM know."""
    data = file_bytes(legacy(FRAMES, 12, IMPLICIT, FRAMES.byteswap().tobytes()))
    private = under(data, IMPLICIT, "1.2.840.113619.5.2")
    (tmp_path / "private.dcm").write_bytes(private)
    command = [debian_tool("dcmconv"), "+te", tmp_path / "private.dcm", tmp_path / "plain.dcm"]
    subprocess.run(command, check=True, capture_output=True)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "plain.dcm").pixel_array, FRAMES)
    outcome, staging = take(private)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert (row["transfer_syntax_uid"], row["pixel_sha256"]) == (EXPLICIT, reference_hash(FRAMES, stored=12))
    assert (staging / row["path"]).read_bytes()[12:] == FRAMES.tobytes()


def test_bytes_that_pad_pixels_stay_and_more_than_padding_goes_to_a_person(take: Take) -> None:
    plain = PICTURE.tobytes()
    padded, staging = take(file_bytes(legacy(value=plain + b"\0" * 100)), "padded")
    assert (staging / padded.rows["objects"][0]["path"]).read_bytes()[12:] == plain + b"\0" * 100
    assert padded.rows["objects"][0]["pixel_sha256"] == reference_hash(PICTURE, stored=12)
    junk, _ = take(file_bytes(legacy(value=plain + b"\xa5" * 18)), "junk")  # a row has 20 bytes
    assert junk.rows["objects"][0]["pixel_sha256"] == reference_hash(PICTURE, stored=12)
    for name, more in (("row", b"\xa5" * 20), ("other", b"\0" * 99 + b"\1"), ("frame", bytes(len(plain)))):
        outcome, _ = take(file_bytes(legacy(value=plain + more)), name)
        assert outcome.outcome == "review"
        assert f"has {len(plain) + len(more)} bytes, its header describes {len(plain)}" in outcome.reason


def under(data: bytes, syntax: str, other: str) -> bytes:
    """A file whose meta names another transfer syntax than the one it is in."""
    padded = [(uid + "\0" * (len(uid) % 2)).encode() for uid in (syntax, other)]
    one, two = (struct.pack("<H", len(uid)) + uid for uid in padded)
    assert data.count(one) == 1
    return data.replace(one, two)


def settled_as(declared: str) -> str:
    """Uncompressed syntaxes are the one that the data set shows, whichever is declared."""
    return EXPLICIT if declared == IMPLICIT else declared


STREAMS = {JPEG_LS: 12, RLE: 12, JPEG_2000: 12, LOSSLESS_57: 12, BASELINE: 8, JPEG_LS_NEAR: 8, JPEG_2000_LOSSY: 8}


@pytest.mark.parametrize("syntax", STREAMS)
@pytest.mark.parametrize("declared", [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.4.93", "other"])
def test_a_wrong_transfer_syntax_gives_way_to_what_the_compressed_pixels_show(syntax: str, declared: str, take: Take) -> None:
    stored = STREAMS[syntax]
    frames = FRAMES if stored == 12 else BYTES
    streams = [codestream(frame, syntax, described(frames, stored=stored)) for frame in frames]
    data = file_bytes(legacy(frames, stored, syntax, encapsulate(streams)))
    (right,) = take(data)[0].rows["objects"]
    wrong = (JPEG_LS if syntax != JPEG_LS else BASELINE) if declared == "other" else declared
    outcome, _ = take(under(data, syntax, wrong))
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    same = ("transfer_syntax_uid", "pixel_sha256", "pixel_hash_kind", "sha256", "pixel_header")
    assert [row[name] for name in same] == [right[name] for name in same]
    changes = [(change["keyword"], change["from"], change["to"]) for change in json.loads(row["source_changes"])]
    assert changes == [("TransferSyntaxUID", settled_as(wrong), syntax)]


def test_uncompressed_pixels_under_a_compressed_syntax_are_taken_where_they_are_as_long_as_described(take: Take) -> None:
    outcome, _ = take(under(file_bytes(legacy()), EXPLICIT, JPEG_LS), "native")
    (row,) = outcome.rows["objects"]
    assert (row["transfer_syntax_uid"], row["pixel_sha256"]) == (EXPLICIT, reference_hash(PICTURE, stored=12))
    outcome, _ = take(under(file_bytes(legacy(value=PICTURE.tobytes() + bytes(2))), EXPLICIT, JPEG_LS), "longer")
    assert (outcome.outcome, "not encapsulated" in outcome.reason) == ("review", True)


def test_compressed_pixels_that_do_not_show_how_go_to_a_person(take: Take) -> None:
    data = file_bytes(legacy(syntax=JPEG_LS, value=encapsulate([bytes(range(200))])))
    outcome, staging = take(under(data, JPEG_LS, EXPLICIT))
    assert (outcome.outcome, "does not say how" in outcome.reason) == ("review", True)
    assert not staging.exists()


def test_lossy_pixels_that_do_not_decode_are_quarantined_though_their_bytes_could_be_hashed(take: Take) -> None:
    stream = codestream(BYTES[0], BASELINE, described(BYTES[:1], stored=8))
    outcome, staging = take(file_bytes(legacy(BYTES[:1], 8, BASELINE, encapsulate([stream[: len(stream) // 2]]))))
    assert (outcome.outcome, outcome.reason) == ("quarantined", "a JPEG codestream is cut off: it has no end marker")
    assert not staging.exists()


MEMORY = """
import resource, sys
from pathlib import Path
from tasks.configuration import Configuration
from tasks.stage import StageContext
from tasks.wrap.dicom import wrap_dicom
folder, sha256 = Path(sys.argv[1]), sys.argv[2]
source = {"kind": "archive", "name": "cd", "path": folder}
configuration = Configuration.model_validate({"project": {"name": "t", "workspace": folder}, "source": [source]})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
row = {"item_key": "k", "source": "cd", "path": "big.dcm", "sha256": sha256, "group_key": "g"}
(outcome,) = wrap_dicom(row, StageContext(configuration, folder, "wrap"))
assert outcome.outcome == "done"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG_LS])
def test_memory_is_a_few_times_the_file_whatever_it_inflates_to(syntax: str, tmp_path: Path) -> None:
    frame = np.zeros((1024, 1024), np.uint16)
    count = 20 if syntax == EXPLICIT else 100  # 40 MB as they are; 200 MB once decoded
    source = legacy(frame[None], 12, EXPLICIT, b"\0\0")
    source.NumberOfFrames = count
    source.PixelData = bytes(frame.nbytes * count)
    if syntax == JPEG_LS:
        source.file_meta.TransferSyntaxUID = pydicom.uid.UID(JPEG_LS)
        source.PixelData = encapsulate([codestream(frame, JPEG_LS, described(frame[None], stored=12))] * count)
        source["PixelData"].is_undefined_length = True
    data = file_bytes(source)
    (tmp_path / "big.dcm").write_bytes(data)
    sha256 = subprocess.run(["sha256sum", tmp_path / "big.dcm"], capture_output=True, text=True, check=True).stdout.split()[0]
    run = subprocess.run([sys.executable, "-c", MEMORY, tmp_path, sha256], capture_output=True, text=True, check=True)
    assert int(run.stdout) * 1024 < 4 * len(data) + 20 * 2**20


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, JPEG_LS, RLE])
def test_dcmtk_reads_source_and_staged_object_alike(
    syntax: str, take: Take, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    value = None
    if syntax in (JPEG_LS, RLE):
        value = encapsulate([codestream(frame, syntax, described(FRAMES, stored=12)) for frame in FRAMES])
    outcome, staging = take(file_bytes(legacy(FRAMES, 12, syntax, value)))
    whole(outcome.rows["objects"][0], staging).save_as(tmp_path / "staged.dcm", enforce_file_format=True)
    tool = {JPEG_LS: "dcmdjpls", RLE: "dcmdrle"}.get(syntax, "dcmconv")
    subprocess.run([debian_tool(tool), tmp_path / "staged.dcm", tmp_path / "plain.dcm"], check=True, capture_output=True)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "plain.dcm").pixel_array, FRAMES)
