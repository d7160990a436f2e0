"""Reading members: once unpacked, from every depth, in any order, at a cost that does not grow with their number."""

import gzip
import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.containers import Member, Outermost, compressed, container_at, nest
from tasks.containers.container import Extents, by_path
from tasks.containers.kinds import container_type
from tasks.errors import QuarantineError
from tasks.sources import read_item
from tests.containers.test_hostile import DICOM
from tests.scan.conftest import MakeMigration, disc_folder, migration

__all__ = ["disc_folder", "migration"]


def _tar(members: dict[str, bytes], **options: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_every_kind_in_another_is_opened_to_the_fifth_depth_and_each_member_read(
    migration: MakeMigration, disc_folder: Path, debian_tool: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    data = {f"IM{number}": DICOM + bytes([number]) for number in range(3)}
    (tmp_path / "work" / "a.tar.gz").write_bytes(gzip.compress(_tar({"b.zip": _zip(data)} | data), mtime=0))
    subprocess.run([debian_tool("7z"), "a", "-bd", "b.7z", "a.tar.gz"], cwd=tmp_path / "work", check=True, capture_output=True)
    (tmp_path / "work" / "a.tar.gz").unlink()
    command = [debian_tool("genisoimage"), "-quiet", "-R", "-o", str(tmp_path / "c.iso"), str(tmp_path / "work")]
    subprocess.run(command, check=True, capture_output=True)
    (disc_folder / "d.zip").write_bytes(_zip({"c.iso": (tmp_path / "c.iso").read_bytes()}))
    made = migration(("archive", disc_folder, ""))
    found = {path: item for path, (outcome, item) in made.items().items() if outcome.outcome == "done"}
    outer = "d.zip!c.iso!b.7z!a.tar.gz"
    assert set(found) == {f"{outer}!{name}" for name in data} | {f"{outer}!b.zip!{name}" for name in data}
    for path, item in found.items():
        assert read_item(made.configuration, "archive", path, sha256=item["sha256"]) == data[path[-3:]]


def test_a_compressed_file_is_the_container_of_one(migration: MakeMigration, disc_folder: Path) -> None:
    (disc_folder / "IM1.dcm.gz").write_bytes(gzip.compress(DICOM, mtime=0))
    (disc_folder / "a.tar").write_bytes(_tar({"d/IM2.gz": gzip.compress(DICOM, mtime=0)}))
    made = migration(("archive", disc_folder, ""))
    found = {path: item for path, (outcome, item) in made.items().items() if outcome.outcome == "done"}
    assert set(found) == {"IM1.dcm.gz!IM1.dcm", "a.tar!d/IM2.gz!IM2"}
    for path, item in found.items():
        assert read_item(made.configuration, "archive", path, sha256=item["sha256"]) == DICOM


def test_a_compressed_archive_is_unpacked_once_however_many_members_are_read(
    migration: MakeMigration, disc_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"IM{number:03d}": DICOM + os.urandom(400_000) for number in range(100)}
    (disc_folder / "a.tgz").write_bytes(gzip.compress(_tar(members), 1, mtime=0))
    calls = []
    unpack = compressed.unpack
    monkeypatch.setattr(compressed, "unpack", lambda *given: (calls.append(1), unpack(*given)))
    made = migration(("archive", disc_folder, ""))
    found = {path: item for path, (outcome, item) in made.items().items() if outcome.outcome == "done"}
    nest.container_at.cache_clear()  # as in another worker
    for path, item in reversed(found.items()):
        assert read_item(made.configuration, "archive", path, sha256=item["sha256"]) == members[path[-5:]]
    assert len(found) == 100 and len(calls) == 1


def test_a_path_means_one_thing(migration: MakeMigration, disc_folder: Path) -> None:
    """The second `x`, and the member `2` of the container `x`, would have one path: the container is not opened."""
    with zipfile.ZipFile(disc_folder / "a.zip", "w") as archive:
        archive.writestr("x", _zip({"2": DICOM}))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x", DICOM + b"second")
    made = migration(("archive", disc_folder, ""))
    assert [(path, outcome) for path, (outcome, _) in made.reasons().items()] == [
        ("a.zip", "excluded"), ("a.zip!x", "review"), ("a.zip!x!2", "done"),
    ]  # fmt: skip
    sha256 = made.items()["a.zip!x!2"][1]["sha256"]
    assert read_item(made.configuration, "archive", "a.zip!x!2", sha256=sha256) == DICOM + b"second"


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (lambda data: data[:2560], "no end mark"),
        (lambda data: data[:1600], "damaged or cut off"),
        (lambda data: data[:1024] + b"\xff" * 512 + data[1536:], "damaged or cut off"),
        (lambda data: data + _tar({"z": b"z"}), "more behind its end mark"),
    ],
)
def test_what_may_be_missing_of_a_tar_is_said(
    cut: Callable[[bytes], bytes], says: str, migration: MakeMigration, disc_folder: Path
) -> None:
    whole = _tar({"x": DICOM, "y": b"y" * 700})
    (disc_folder / "a.tar").write_bytes(cut(whole))
    reasons = migration(("archive", disc_folder, "")).reasons()
    assert reasons["a.tar"][0] == "review" and says in reasons["a.tar"][1]
    assert reasons["a.tar!x"][0] == "done"


def test_a_compressed_file_that_is_damaged_anywhere_gives_no_member(migration: MakeMigration, disc_folder: Path) -> None:
    data = bytearray(gzip.compress(_tar({"x": DICOM + os.urandom(5000), "y": DICOM}), mtime=0))
    data[-6] ^= 1  # the checksum
    (disc_folder / "a.tgz").write_bytes(data)
    [(outcome, reason)] = migration(("archive", disc_folder, "")).reasons().values()
    assert outcome == "quarantined" and "damaged" in reason


def test_of_a_damaged_solid_7z_the_members_before_are_whole_and_those_behind_are_named(
    migration: MakeMigration, disc_folder: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(DICOM + os.urandom(100_000))
    command = [debian_tool("7z"), "a", "-bd", "-m0=copy", str(disc_folder / "x.7z"), "a", "b", "c"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    data = bytearray((disc_folder / "x.7z").read_bytes())
    data[150_000] ^= 1
    (disc_folder / "x.7z").write_bytes(data)
    reasons = migration(("archive", disc_folder, "")).reasons()
    assert [reasons[f"x.7z!{name}"][0] for name in ("a", "b", "c")] == ["done", "quarantined", "quarantined"]


@pytest.mark.parametrize("options", [["-pX"], ["-pX", "-mhe=on"]])
def test_an_encrypted_7z_is_named_so(
    options: list[str], migration: MakeMigration, disc_folder: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    (tmp_path / "a").write_bytes(DICOM)
    command = [debian_tool("7z"), "a", "-bd", *options, str(disc_folder / "x.7z"), "a"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert migration(("archive", disc_folder, "")).reasons()["x.7z"] == (
        "quarantined", "an encrypted 7z archive: unpack it into the source",
    )  # fmt: skip


def test_a_sparse_file_in_a_tar_is_what_it_was(
    migration: MakeMigration, disc_folder: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    with (tmp_path / "IM").open("wb") as file:
        file.write(DICOM)
        file.seek(200_000)
        file.write(b"end")
        file.truncate(300_000)
    for form in ("gnu", "posix"):
        command = [debian_tool("tar"), "-S", f"--format={form}", "-cf", str(disc_folder / f"{form}.tar"), "IM"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    made = migration(("archive", disc_folder, ""))
    for form in ("gnu", "posix"):
        item = made.items()[f"{form}.tar!IM"][1]
        assert read_item(made.configuration, "archive", item["path"], sha256=item["sha256"]) == (tmp_path / "IM").read_bytes()


def test_a_tar_of_before_posix_is_told_by_its_checksum(debian_tool: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "IM").write_bytes(DICOM)
    subprocess.run([debian_tool("tar"), "--format=v7", "-cf", "a.tar", "IM"], cwd=tmp_path, check=True)
    data = (tmp_path / "a.tar").read_bytes()
    assert b"ustar" not in data and container_type(data) == "application/x-tar"
    assert container_type(data.replace(b"IM", b"IN", 1)) is None


def test_names_are_settled_and_told_apart() -> None:
    raw = [b"./a//b", b"a/b", b"/a/b", b"a/./b", b"x/../y", b"../y", b"a!b"]
    members = by_path((name, Member("", 0, 0)) for name in raw)
    assert list(members) == ["a/b", "a/b!2", "/a/b", "a/b!3", "x/../y", "../y", "a\\x21b"]
    assert [member.path for member in members.values() if member.refused == "outside"] == ["../y"]


def test_a_member_without_a_name_is_one(migration: MakeMigration, disc_folder: Path) -> None:
    with zipfile.ZipFile(disc_folder / "b.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(""), DICOM)
    made = migration(("archive", disc_folder, ""))
    item = made.items()["b.zip!"][1]
    assert read_item(made.configuration, "archive", "b.zip!", sha256=item["sha256"]) == DICOM


def test_too_many_members_are_a_bomb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tasks.containers.container.MOST_MEMBERS", 3)
    (tmp_path / "a.tar").write_bytes(_tar({str(number): b"" for number in range(4)}))
    with pytest.raises(QuarantineError, match="bomb"):
        container_at(Outermost.at(os.fsencode(tmp_path / "a.tar")), (), tmp_path)


def test_pieces_are_read_one_after_the_other_and_the_end_of_the_file_is_damage() -> None:
    file = io.BytesIO(b"0123456789")
    assert Extents(file, [(7, 3), (None, 2), (0, 0), (1, 2)]).readall() == b"789\0\x0012"
    with pytest.raises(EOFError):
        Extents(file, [(8, 3)]).readall()
