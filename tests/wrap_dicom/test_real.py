"""Real odd objects, each with the outcome that others' readers give reason for, its pixels hashed as others decode them."""

import csv
import hashlib
import subprocess
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from tasks.configuration import Configuration
from tasks.pixel_data import compose, read_data_set
from tasks.reconcile.header import FilmStudy, compose_header
from tasks.reconcile.index import Person
from tasks.scan.recognise import media_type
from tasks.stage import StageContext
from tasks.wrap.stage import wrap_batch
from tests.pixels.reference import JPEG_LS, LOSSLESS_57, LOSSLESS_70, RLE
from tests.reconcile import undone
from tests.reconcile.rows import NOW

TOOLS = {RLE: ("dcmdrle",), JPEG_LS: ("dcmdjpls",), LOSSLESS_57: ("dcmdjpeg", "+cn"), LOSSLESS_70: ("dcmdjpeg", "+cn")}
# Codecs that DCMTK has not, and two RLE and JPEG-LS objects that it does not take.
NOT_BY_DCMTK = 15
# The same picture in several encodings, as their makers say (pydicom and its data).
SIBLINGS = [
    "MR_small MR_small_RLE MR_small_bigendian MR_small_expb MR_small_implicit MR_small_jp2klossless MR_small_jpeg_ls_lossless"
    " MR_small_padded",
    "liver liver_deflate liver_expb liver_j2k liver_rle",
    "liver_nonbyte_aligned liver_nonbyte_aligned_deflate liver_nonbyte_aligned_j2k liver_nonbyte_aligned_rle",
    "emri_small emri_small_RLE emri_small_big_endian emri_small_jpeg_2k_lossless emri_small_jpeg_ls_lossless",
    "SC_rgb SC_rgb_rle SC_rgb_expb SC_rgb_jpeg_gdcm SC_rgb_gdcm2k_uncompressed",
    "SC_rgb_2frame SC_rgb_rle_2frame SC_rgb_expb_2frame",
    "SC_rgb_16bit SC_rgb_rle_16bit",
    "SC_rgb_16bit_2frame SC_rgb_rle_16bit_2frame",
    "SC_rgb_small_odd SC_rgb_small_odd_big_endian",
    "rtdose rtdose_rle badVR",
    "MR_small acr_MR_small",
    "rtdose_1frame rtdose_rle_1frame",
    "CT0012.not_fragmented_bot_jpeg_ls.80 CT0012.fragmented_no_bot_jpeg_ls.80 CT0012.not_fragmented_no_bot_jpeg_ls.80"
    " CT0012.not_fragmented_bot_rle CT0012.not_fragmented_no_bot_rle",
    "CT1_UNC.fragmented_bot_jpeg_ls.80 CT1_UNC.fragmented_no_bot_jpeg_ls.80 CT1_UNC.not_fragmented_bot_jpeg_ls.80",
    "JLSL_RGB_ILV0 JLSL_RGB_ILV1 JLSL_RGB_ILV2",
]
# What is not taken over of the objects that a data set begins in. DCMTK and pydicom agree that these are not whole.
EXCEPTIONS = {
    "MR_truncated": "cut off inside element (7FE0,0010)",
    "rtplan_truncated": "cut off inside element (300A,00B0)",
    "emri_small_jpeg_2k_lossless_too_short": "cut off inside sequence (7FE0,0010)",
    "GH626": "cut off or followed by other bytes: the file does not end where its last element ends",
    "GH179B": "element (0028,0120) has a value representation that DICOM does not know",
    "GH1146": "the pixel element is empty",
    "JPEG2000-embedded-sequence-delimiter": "a codestream is 1024 x 3722445056, its header says 1024 x 256",
    "rtdose_expb": "big-endian pixels of more than 16 bits: writers and readers disagree about the order of their bytes",
    "rtdose_expb_1frame": "big-endian pixels of more than 16 bits: writers and readers disagree about the order of their bytes",
}
# Attributes that wrap mends: a Number of Frames that is no number, and the packing of 12-bit pixels.
MENDED = {"badVR": {0x00280008}, "GH340": {0x00280100}}
# Pixels of an object that DCMTK does not read, as GDCM 3.2 decodes them.
PACKED = {"GH340": "6a270fd645d709984a07dba2b84c66f5ac5dd5209125fe5c1e28f561bc655410"}
NO_PIXELS = "an image without pixels: cut off before them, or stripped of them"
NO_CLASS = "no SOP Class UID: what kind of object it is cannot be told"

PERSON = Person("1001", "Müller", "Jörg", "19310312", "M", "STE")

Taken = dict[Path, tuple[Any, Path]]


@pytest.fixture(scope="module")
def taken(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Outcome and staged element of everything that scan takes for a DICOM object."""
    folder, workspace = realdata / "dicom", tmp_path_factory.mktemp("workspace")
    configuration = Configuration.model_validate(
        {"project": {"name": "t", "workspace": workspace}, "source": [{"kind": "archive", "name": "cd", "path": folder}]}
    )
    context = StageContext(configuration, workspace, "wrap")
    outcomes = {}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        data = file.read_bytes()
        if media_type(data[: 36 * 1024]) != "application/dicom":
            continue
        row = {"source": "cd", "path": str(file.relative_to(folder)), "sha256": hashlib.sha256(data).hexdigest()}
        row |= {"item_key": str(file), "kind": "dicom", "duplicate_of": None, "group_key": "cd/1"}
        (outcome,) = wrap_batch([row], context)
        (objects,) = outcome.rows.get("objects") or [{}]
        outcomes[file] = (outcome, context.staging / objects["path"] if objects.get("path") else workspace)
    return outcomes


def rows(taken: Taken) -> Iterator[tuple[Path, dict[str, Any], Path]]:
    for file, (outcome, staged) in taken.items():
        if outcome.outcome == "done":
            yield file, outcome.rows["objects"][0], staged


def read(file: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(file, force=True)
        for _ in dataset:  # read all values now
            pass
    return dataset


def test_every_object_has_the_outcome_it_should(taken: Taken) -> None:
    counts: Counter[str] = Counter()
    for file, (outcome, _) in taken.items():
        counts[outcome.outcome] += 1
        assert "unexpected" not in outcome.reason, file
        if file.stem in EXCEPTIONS:
            assert (outcome.outcome != "done", outcome.reason) == (True, EXCEPTIONS[file.stem]), file
        elif outcome.outcome != "done":
            assert outcome.reason.startswith((NO_PIXELS, NO_CLASS)), (file, outcome.reason)
            dataset = read(file)
            assert "PixelData" not in dataset or "SOPClassUID" not in dataset, file
    assert counts["done"] > 190


def test_nothing_that_dcmtk_cannot_read_whole_is_taken_over(taken: Taken, realdata: Path) -> None:
    index = csv.DictReader((realdata / "dicom" / "INDEX.csv").open(newline="", encoding="utf-8"))
    broken = {realdata / "dicom" / row["path"] for row in index if row["dcmdump_rc"] != "0"}
    done = {file.stem for file, _, _ in rows(taken) if file in broken}
    assert done == {"SC_rgb_jpeg"}, "implicit VR under an explicit syntax, which dcmdump takes at its word"


def test_headers_are_what_pydicom_reads_in_the_source(taken: Taken) -> None:
    for file, row, _ in rows(taken):
        source, got = read(file), read_data_set(row["source_header"] + row["pixel_header"] + row["source_trailer"])
        kept = {
            element.tag
            for element in source
            if element.tag.group >= 8
            and element.tag.element
            and element.tag not in (0xFFFCFFFC, 0x00080001)
            and "PixelData" not in element.keyword
        }
        added = {0x00280002, 0x00280004} if "RecognitionCode" in source else set()  # gray, as ACR-NEMA did not say
        assert kept <= set(got.keys()) <= kept | added, file
        for tag in kept - MENDED.get(file.stem, set()):
            assert got[tag].value == source[tag].value or str(got[tag].value) == str(source[tag].value), (file, tag)


def test_pixels_are_staged_as_the_bytes_of_the_file(taken: Taken) -> None:
    turned = 0
    for file, row, staged in rows(taken):
        if "path" not in row:
            assert not any("PixelData" in element.keyword for element in read(file)), file
            continue
        source, value = read(file), staged.read_bytes()[12:]
        if file.stem in PACKED:
            assert hashlib.sha256(value).hexdigest() == PACKED[file.stem]
            continue
        element = next(source[tag] for tag in (0x7FE00010, 0x7FE00008, 0x7FE00009) if tag in source)
        if source.file_meta.get("TransferSyntaxUID") == "1.2.840.10008.1.2.2":
            turned += 1
            assert len(value) == len(element.value)
        else:
            assert value.removesuffix(b"\xfe\xff\xdd\xe0\0\0\0\0").startswith(element.value), file
            assert len(value) - len(element.value) in (0, 1, 8), file
    assert turned > 5


def test_pixel_hashes_are_those_of_the_frames_that_dcmtk_decodes(
    taken: Taken, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    compared, refused = 0, 0
    for file, row, _ in rows(taken):
        if row.get("pixel_hash_kind") != "decoded":
            continue
        source = read(file)
        if "RecognitionCode" in source or file.stem in MENDED:
            continue
        tool, *options = TOOLS.get(str(source.file_meta.get("TransferSyntaxUID")), ("dcmconv", "+te"))
        command = [debian_tool(tool), *options, file, tmp_path / "plain.dcm"]
        if subprocess.run(command, capture_output=True).returncode:
            refused += 1
            continue
        compared += 1
        assert row["pixel_sha256"] == decoded_hash(read(tmp_path / "plain.dcm"), source.PhotometricInterpretation), file
    assert (compared > 120, refused) == (True, NOT_BY_DCMTK)


def decoded_hash(plain: Dataset, photometric: str) -> str:
    """The hash of an uncompressed little-endian object from its bytes."""
    value = next(plain[tag].value for tag in (0x7FE00010, 0x7FE00008, 0x7FE00009) if tag in plain)
    frames, rows, columns = int(plain.get("NumberOfFrames") or 1), plain.Rows, plain.Columns
    allocated, stored = plain.BitsAllocated, plain.get("BitsStored") or plain.BitsAllocated
    samples = 2 if plain.PhotometricInterpretation == "YBR_FULL_422" else plain.SamplesPerPixel
    count = frames * rows * columns * samples
    if allocated == 1:
        pixels = np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")[:count]
    else:
        pixels = np.frombuffer(value, f"<u{allocated // 8}")[:count]
    if plain.get("PlanarConfiguration") == 1 and samples > 1:
        pixels = pixels.reshape(frames, samples, -1).transpose(0, 2, 1)
    signed = plain.get("PixelRepresentation") == 1
    if signed and stored < allocated:
        negative = pixels >> (stored - 1) == 2 ** (allocated - stored + 1) - 1
        pixels = np.where(negative, pixels & (2**stored - 1), pixels)
    text = f"{rows}\\{columns}\\{plain.SamplesPerPixel}\\{stored}\\{int(signed)}\\{photometric}\\{frames}\n"
    return hashlib.sha256(text.encode() + pixels.tobytes()).hexdigest()


def test_taking_back_all_changes_gives_what_the_file_said(taken: Taken) -> None:
    """Of the final header, by the record alone, against pydicom's reading of the file: every element, in all its items."""
    compared = 0
    for file, row, _ in rows(taken):
        header = composed(row)
        source = pydicom.dcmread(file, force=True)
        of_data_set = {
            tag: source.get_item(tag)
            for tag in list(source.keys())
            if tag.group >= 8 and tag not in (0x7FE00010, 0x7FE00008, 0x7FE00009)
        }
        final = undone.read(header["header"] + header["trailer"])
        assert undone.values(undone.undone(final, header["changes"])) == undone.values(Dataset(of_data_set)), file
        compared += 1
    assert compared >= 200


@pytest.mark.slow
def test_no_final_object_has_more_errors_than_its_source(
    taken: Taken, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    """By dciodvfy; former values are left aside, whose errors it would count a second time."""
    worse = {}
    for file, row, staged in rows(taken):
        header = composed(row)
        element = staged.read_bytes() if row.get("path") else None
        final = compose(header["header"], element, header["trailer"], row["transfer_syntax_uid"])
        final.pop("OriginalAttributesSequence", None)
        final.file_meta.MediaStorageSOPClassUID, final.file_meta.MediaStorageSOPInstanceUID = (
            final.SOPClassUID,
            final.SOPInstanceUID,
        )
        final.save_as(tmp_path / "final.dcm", enforce_file_format=True)
        before, after = (errors(path, debian_tool("dciodvfy")) for path in (file, tmp_path / "final.dcm"))
        if after.total() > before.total():
            worse[file.name] = after - before
    assert worse == {}


def errors(path: Path, program: str) -> Counter[str]:
    said = subprocess.run([program, path], capture_output=True, text=True, errors="replace")
    return Counter(line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error"))


def composed(row: dict[str, Any]) -> dict[str, Any]:
    """The final header of an object, given to somebody of the index."""
    full = {"label_patient_id": None, **row, "source": "discs", "instance_number": 1}
    return compose_header(full, PERSON, FilmStudy("", "", "", (), {}), NOW, "STE")


@pytest.mark.parametrize("siblings", SIBLINGS, ids=lambda names: names.split()[0])
def test_one_picture_has_one_hash_in_every_encoding(siblings: str, taken: Taken) -> None:
    names = siblings.split()
    digests = {file.stem: row["pixel_sha256"] for file, row, _ in rows(taken) if file.stem in names}
    assert len(digests) == len(names)
    assert len(set(digests.values())) == 1, digests
