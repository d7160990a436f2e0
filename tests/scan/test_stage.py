import hashlib
import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tasks.scan.stage
from tasks.scan import archives, content
from tasks.schemas import ITEMS
from tasks.sources import read_item
from tests.scan.conftest import MakeMigration

DICOM = b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\4\0\0\0\0\0"


def two_pages() -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.zeros((4, 4), np.uint8))
        writer.write(np.ones((4, 4), np.uint8))
    return file.getvalue()


def test_items_have_all_columns_of_the_table(migration: MakeMigration, disc_folder: Path) -> None:
    (disc_folder / "IMG").write_bytes(DICOM)
    [(outcome, item)] = migration(("archive", disc_folder, "")).items().values()
    assert {*item, "fingerprint"} == set(ITEMS.schema.names)
    assert item["sha256"] == hashlib.sha256(DICOM).hexdigest()
    assert (item["bytes"], item["page"], item["pages"], item["kind"]) == (len(DICOM), 1, 1, "dicom")
    assert outcome.outcome == "done" and outcome.input_key is None


def test_every_page_of_a_film_is_an_item(migration: MakeMigration, film_folder: Path) -> None:
    data = two_pages()
    (film_folder / "J1_1.tif").write_bytes(data)
    with zipfile.ZipFile(film_folder / "J2.zip", "w") as archive:
        archive.writestr("J2_1.tif", data)
    made = migration(("film", film_folder, ""))
    found = made.items()
    assert list(found) == ["J1_1.tif", "J1_1.tif page 2", "J2.zip", "J2.zip!J2_1.tif", "J2.zip!J2_1.tif page 2"]
    assert found["J1_1.tif page 2"][0].input_key == found["J1_1.tif"][0].key
    assert found["J2.zip!J2_1.tif page 2"][0].input_key == found["J2.zip"][0].key
    for outcome, item in found.values():
        if outcome.outcome == "done":
            assert item["pages"] == 2
            assert read_item(made.configuration, "film", item["path"], sha256=item["sha256"]) == data


def test_odd_files_each_have_their_outcome(migration: MakeMigration, disc_folder: Path) -> None:
    (disc_folder / "empty").write_bytes(b"")
    (disc_folder / "autorun.inf").write_bytes(b"[autorun]\nopen=viewer.exe\n")
    (disc_folder / "viewer.exe").write_bytes(b"MZ\x90\0\3\0\0\0")
    (disc_folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (disc_folder / "image.jpg").write_bytes(DICOM)  # the name says nothing
    (disc_folder / "noise").write_bytes(b"\0\1\2\3" * 20)
    (disc_folder / "link").symlink_to(disc_folder / "empty")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("IMG", DICOM)
    (disc_folder / "setup.exe").write_bytes(b"MZ\x90\0\3\0\0\0" + packed.getvalue())
    outcomes = {path: outcome for path, (outcome, _) in migration(("archive", disc_folder, "")).reasons().items()}
    assert outcomes == {
        "autorun.inf": "excluded", "empty": "quarantined", "image.jpg": "done", "link": "excluded", "noise": "quarantined",
        "photo.jpg": "review", "setup.exe": "review", "viewer.exe": "excluded",
    }  # fmt: skip


def test_a_file_that_changes_while_it_is_read_waits(
    migration: MakeMigration, disc_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disc_folder / "IMG").write_bytes(DICOM)
    read_through = content.read_through

    def meanwhile(file: Any) -> content.Reading:
        with (disc_folder / "IMG").open("ab") as other:
            other.write(b"more")
        return read_through(file)

    monkeypatch.setattr(tasks.scan.stage, "read_through", meanwhile)
    [(outcome, item)] = migration(("archive", disc_folder, "")).items().values()
    assert (outcome.outcome, outcome.reason) == ("waiting", "changed while it was read")
    assert item["sha256"] is None and outcome.input_key is None


@pytest.mark.parametrize(
    ("error", "says"),
    [(PermissionError(13, "x"), "permissions"), (OSError(5, "x"), "EIO"), (FileNotFoundError(2, "x"), "gone")],
)
def test_a_file_that_cannot_be_read_waits_and_the_others_go_on(
    migration: MakeMigration, disc_folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, says: str
) -> None:
    for name in ("A", "B", "C"):
        (disc_folder / name).write_bytes(DICOM + name.encode())
    read_through = content.read_through

    def failing(file: Any) -> content.Reading:
        if os.fsdecode(file.name).endswith("B"):
            raise error
        return read_through(file)

    monkeypatch.setattr(tasks.scan.stage, "read_through", failing)
    reasons = migration(("archive", disc_folder, "")).reasons()
    assert [outcome for outcome, _ in reasons.values()] == ["done", "waiting", "done"]
    assert says in reasons["B"][1]


def zipped(members: dict[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def scanned(migration: MakeMigration, folder: Path, data: bytes) -> dict[str, tuple[str, str]]:
    (folder / "a.zip").write_bytes(data)
    return migration(("archive", folder, "")).reasons()


def test_members_are_items_and_none_is_written_to_disk(migration: MakeMigration, disc_folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    members = {"../../evil": DICOM, "/abs": DICOM, "d\\e!": DICOM, "inner.zip": zipped({"x": DICOM}), "empty": b"", "d/": b""}
    reasons = scanned(migration, disc_folder, zipped(members))
    assert {path: outcome for path, (outcome, _) in reasons.items()} == {
        "a.zip": "excluded", "a.zip!../../evil": "quarantined", "a.zip!/abs": "done", "a.zip!d\\x5ce\\x21": "done",
        "a.zip!inner.zip": "excluded", "a.zip!inner.zip!x": "done", "a.zip!empty": "quarantined",
    }  # fmt: skip
    assert reasons["a.zip"][1] == "an archive: its 5 members are items of their own"
    assert "leads out" in reasons["a.zip!../../evil"][1]
    made = {path.name for path in set(tmp_path.rglob("*")) - set(before)}
    assert made == {"a.zip", "filmroom.toml", "workspace", "spill", "listing.parquet", "unpacked"}


def test_the_zip_slip_collection_is_survived(realdata: Path, migration: MakeMigration) -> None:
    reasons = migration(("archive", realdata / "hostile" / "zip-slip", "")).reasons()
    evil = {path: outcome for path, (outcome, _) in reasons.items() if "evil" in path}
    assert len(evil) == 4 and set(evil.values()) == {"quarantined"}


@pytest.mark.parametrize("kind", ["film", "archive"])
def test_the_hostile_collection_is_survived(realdata: Path, migration: MakeMigration, kind: str) -> None:
    found = migration((kind, realdata / "hostile", "")).items()
    files = {path.relative_to(realdata / "hostile").as_posix() for path in (realdata / "hostile").rglob("*") if path.is_file()}
    assert {path.split("!")[0].split(" page ")[0] for path in found} == files
    assert not any("unexpected" in outcome.reason for outcome, _ in found.values())


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    at = data.rindex(signature) + offset
    return data[:at] + value + data[at + len(value) :]


def test_bombs_are_not_opened(migration: MakeMigration, disc_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = zipped({"x": b"\0" * 10**6})
    assert scanned(migration, disc_folder, honest)["a.zip!x"][0] == "quarantined"  # opened; a million zeros are no image
    lying = patched(honest, b"PK\1\2", 24, struct.pack("<I", 4 * 10**9))  # says it unpacks to 4 GB
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    for bomb in (lying, zipped({str(number): b"x" for number in range(4)})):
        reasons = scanned(migration, disc_folder, bomb)
        assert list(reasons) == ["a.zip"]
        assert reasons["a.zip"][0] == "quarantined" and "bomb" in reasons["a.zip"][1]


def test_a_directory_too_large_to_be_read_is_not_read(migration: MakeMigration, disc_folder: Path) -> None:
    bomb = patched(zipped({"x": b"x"}), b"PK\5\6", 12, struct.pack("<I", 2**31))
    assert scanned(migration, disc_folder, bomb)["a.zip"] == (
        "quarantined", "a zip archive with a directory above 64 MiB: not opened, it may be a bomb",
    )  # fmt: skip


def test_a_quarantined_archive_keeps_its_hash(migration: MakeMigration, disc_folder: Path) -> None:
    (disc_folder / "a.zip").write_bytes(b"PK\3\4 and nothing more")
    [(outcome, item)] = migration(("archive", disc_folder, "")).items().values()
    assert (outcome.outcome, outcome.reason) == ("quarantined", "a damaged zip archive: its directory cannot be read")
    assert item["sha256"] == hashlib.sha256(b"PK\3\4 and nothing more").hexdigest()


def test_only_the_damaged_encrypted_or_strangely_packed_member_is_quarantined(
    migration: MakeMigration, disc_folder: Path
) -> None:
    good = {"good": DICOM}
    plain = zipped({**good, "last": DICOM * 3})
    at = plain.rindex(b"PK\3\4") + 30 + len("last")
    damaged = plain[:at] + b"\xff" * 8 + plain[at + 8 :]
    encrypted = patched(plain, b"PK\1\2", 8, b"\1\0")
    strange = patched(patched(plain, b"PK\1\2", 10, b"\x63\0"), b"PK\3\4", 8, b"\x63\0")
    for data, says in ((damaged, "damaged"), (encrypted, "encrypted"), (strange, "method")):
        reasons = scanned(migration, disc_folder, data)
        assert reasons["a.zip!good"][0] == "done"
        assert reasons["a.zip!last"][0] == "quarantined" and says in reasons["a.zip!last"][1]


def test_a_steep_member_is_not_unpacked_and_its_neighbours_are(
    migration: MakeMigration, disc_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.scan.archives.STEEP_COUNTS_FROM", 10_000)
    reasons = scanned(migration, disc_folder, zipped({"steep": bytes(100_000), "plain": b"notes"}))
    assert reasons["a.zip!steep"][0] == "quarantined" and "100 times" in reasons["a.zip!steep"][1]
    assert reasons["a.zip!plain"][0] != "quarantined"
