import csv
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.containers import HEAD
from tasks.scan.recognise import media_type, recognise
from tests.scan.conftest import MakeMigration


def saved(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, form)
    return file.getvalue()


def tiff(**options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((8, 8), np.uint16), **options)
    return file.getvalue()


def packed(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tiff(), "image/tiff"),
        (tiff(byteorder=">"), "image/tiff"),
        (tiff(bigtiff=True), "image/tiff"),
        (tiff(bigtiff=True, byteorder=">"), "image/tiff"),
        (saved("PNG"), "image/png"),
        (saved("JPEG"), "image/jpeg"),
        (saved("JPEG2000"), "image/jp2"),
        (saved("BMP"), "image/bmp"),
        (saved("PPM"), "image/x-portable-anymap"),
        (b"P2\n# scanned by hand\n3 2\n9\n1 2 3 4 5 6\n", "image/x-portable-anymap"),
        (b"P2 is no picture\n", "text/plain"),
        (bytes(imagecodecs.jpegls_encode(np.zeros((9, 9), np.uint8))), "image/jls"),
        (b"\xff\xd8\xff\xfe\x00\x06note\xff\xf7\x00\x0b\x08", "image/jls"),
        (bytes(imagecodecs.jpeg2k_encode(np.zeros((9, 9), np.uint8), codecformat="j2k")), "image/j2c"),
        (bytes(imagecodecs.jpegxl_encode(np.zeros((9, 9), np.uint8))), "image/jxl"),
        (bytes(imagecodecs.jpegxl_encode(np.zeros((9, 9), np.uint8), usecontainer=True)), "image/jxl"),
        (saved("GIF"), "image/gif"),
        (saved("WEBP"), "image/webp"),
        (saved("ICO"), "image/vnd.microsoft.icon"),
        (b"%PDF-1.4\n", "application/pdf"),
        (b" \n%PDF-1.4\n", "application/pdf"),
        (packed("a", b"x"), "application/zip"),
        (packed("[Content_Types].xml", b"x"), "application/vnd.openxmlformats-officedocument"),
        (packed("mimetype", b"application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument"),
        (tarred(), "application/x-tar"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (b"\0" * 32769 + b"CD001\1", "application/x-iso9660-image"),
        (b"MZ\x90\0\3\0\0\0", "application/vnd.microsoft.portable-executable"),
        (b"[autorun]\r\nopen=viewer.exe\r\n", "text/x-settings"),
        (b"MZ and BM begin a text as well", "text/plain"),
        ("[autorun]\r\n".encode("utf-16"), "text/x-settings"),
        (b"; made by the viewer\r\n\r\n[Options]\r\n", "text/x-settings"),
        (b"[1] Chest PA, no change.", "text/plain"),
        (b'{\n "window": 1}', "text/x-settings"),
        (b"{\\rtf1\\ansi Findings", "application/rtf"),
        (b"\x00" + b"\xff" * 10 + b"\x00\x00\x02\x00\x01", "application/x-raw-disk-image"),
        (b"Stra\xdfe in latin-1\n", "text/plain"),
        (b"<!DOCTYPE html><p>", "text/html"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "text/xml"),
        (b"\0" * 128 + b"DICM", "application/dicom"),
        (b"II*\0" + b"\0" * 124 + b"DICM\2\0\0\0UL\4\0", "application/dicom"),  # DICOM and TIFF at once, PS3.10 7.1
        (b"\0" * 100, "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"\0\0\1\0" + b"\0" * 2000, "application/octet-stream"),  # begins like an icon: might be raw pixels
    ],
)
def test_content_is_recognised(content: bytes, expected: str) -> None:
    assert media_type(content[:HEAD]) == expected


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP"])
@pytest.mark.parametrize(("side", "outcome"), [(48, "excluded"), (49, "review")])
def test_only_symbols_are_too_small_to_be_looked_at(form: str, side: int, outcome: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, side), np.uint8)).save(file, form)
    assert recognise(file.getvalue(), "archive").outcome == outcome
    assert recognise(file.getvalue(), "film").outcome == ("review" if form == "GIF" else "done")


@pytest.mark.parametrize("content", [b"Report: no change.\r\n", b"{\\rtf1 Report", b"%PDF-1.4\n", saved("JPEG")])
def test_documents_beside_the_images_are_for_a_person_who_is_told_the_choice(content: bytes) -> None:
    found = recognise(content, "archive")
    assert (found.kind, found.outcome) == ("document", "review")
    assert "named study" in found.reason and "excluded" in found.reason


@given(st.binary(max_size=400), st.sampled_from(["film", "archive"]))
def test_any_bytes_are_something_with_a_reason(head: bytes, kind: str) -> None:
    found = recognise(head, kind)
    assert found.kind in ("film", "dicom", "document", "other")
    assert (found.outcome == "done") == (not found.reason)


@given(st.binary(min_size=32, max_size=400))
def test_random_bytes_are_hardly_ever_taken_for_a_data_set(noise: bytes) -> None:
    if media_type(noise) == "application/dicom":
        assert {noise[0], noise[1]} & {2, 4, 8} or noise[128:132] == b"DICM" or noise[:4] == b"DICM"


def test_every_dicom_object_of_the_collection_is_one(realdata: Path, migration: MakeMigration) -> None:
    with (realdata / "dicom" / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        index = {row["path"]: row for row in csv.DictReader(file)}
    found = migration(("archive", realdata / "dicom", "")).items()
    assert not index.keys() - found.keys()
    # A byte too many before the first element: neither pydicom nor dcmdump makes sense of it.
    unreadable = {path for path, row in index.items() if row["preamble"] == "False" and row["dcmdump_rc"] != "0"}
    assert unreadable == {"pydicom/test_files/no_meta.dcm"}
    for path in index.keys() - unreadable:
        outcome, item = found[path]
        is_directory = "DICOMDIR" in Path(path).name
        assert (outcome.outcome, item["kind"]) == (("excluded", "other") if is_directory else ("done", "dicom")), path
    assert {outcome.outcome for outcome, _ in found.values()} <= {"done", "excluded", "quarantined", "review"}


def test_every_film_of_the_collection_is_one(realdata: Path, migration: MakeMigration) -> None:
    folder = realdata / "films"
    found = migration(("film", folder / "scans", f'manifest = "{folder / "jackets.csv"}"')).items()
    films = [item for outcome, item in found.values() if outcome.outcome == "done"]
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        assert len(films) == len(list(csv.DictReader(file))) == 48
    assert all(item["kind"] == "film" and item["sha256"] and item["pages"] == 1 for item in films)
