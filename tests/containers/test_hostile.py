"""Containers made to do harm are refused within 10 s and 1 GiB, each in a process of its own; what is not refused is whole."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from tasks.containers import Outermost, container_at, is_damage
from tasks.errors import QuarantineError
from tests.conftest import ROOT
from tests.containers.conftest import SECTOR
from tests.scan.conftest import MakeMigration, disc_folder, migration

__all__ = ["disc_folder", "migration"]

MIB = 2**20
DICOM = b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\4\0\0\0\0\0"
# Scans a folder; prints its seconds of the processor (how busy the machine is says nothing of the scan), the most memory it
# took beyond what it began with in MiB, and outcome and reason of all.
SCAN = """
import json, resource, sys, time
from pathlib import Path
import pyarrow.parquet as pq
from tasks.configuration import read_configuration
from tasks.scan.listing import write_listing
from tasks.scan.stage import scan_batch
from tasks.stage import StageContext
configuration = read_configuration(Path(sys.argv[1]))
workspace = configuration.project.workspace
began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = pq.read_table(write_listing(configuration, workspace)).to_pylist()
found = [(o.outcome, o.reason) for o in scan_batch(rows, StageContext(configuration, workspace, "scan"))]
taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([time.process_time() - began, taken / 1024, found]))
"""


def _zipped(name: str, data: bytes, times: int = 1) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(times):
            archive.writestr(f"{number}{name}", data)
    return file.getvalue()


def _tarred(*infos: tuple[str, bytes, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, target in infos:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return file.getvalue()


def _zeros(pack: Callable[[bytes], bytes]) -> bytes:
    """3 GiB of zeros, packed in streams of 64 MiB that follow each other."""
    return pack(bytes(64 * MIB)) * 48


def _nest(pack: Callable[[bytes], bytes], depth: int) -> bytes:
    data = DICOM
    for _ in range(depth):
        data = pack(data)
    return data


def _with_negative_size() -> bytes:
    """A tar whose pax record states a negative size, so that the next header is the same again."""
    records = b"16 size=-1024\n\n\n"
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(records)
    return info.tobuf() + records.ljust(512, b"\0") + tarfile.TarInfo("x").tobuf() + bytes(1024)


BOMBS: dict[str, Callable[[], bytes]] = {
    "bomb.gz": lambda: _zeros(lambda data: gzip.compress(data, mtime=0)),
    "bomb.bz2": lambda: _zeros(bz2.compress),
    "bomb.xz": lambda: _zeros(lzma.compress),
    "bomb.zst": lambda: _zeros(zstd.compress),
    "nest.zip": lambda: _nest(lambda data: _zipped(".zip", data), 100),
    "nest.gz": lambda: _nest(lambda data: gzip.compress(data, mtime=0), 100),
    "tree.zip": lambda: _nest(lambda data: _zipped(".zip", data, 16), 6),
    "wide.zip": lambda: _zipped(".zip", _zipped("", bytes(150 * MIB)), 100),
}


def _scan(folder: Path, tmp_path: Path) -> tuple[float, float, list[tuple[str, str]]]:
    (tmp_path / "workspace").mkdir()
    configuration = tmp_path / "filmroom.toml"
    configuration.write_text(
        f'[project]\nname = "t"\nworkspace = "{tmp_path / "workspace"}"\n[[source]]\nkind = "archive"\npath = "{folder}"\n'
    )
    ran = subprocess.run(
        [sys.executable, "-c", SCAN, str(configuration)], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    )
    seconds, taken, found = json.loads(ran.stdout)
    return seconds, taken, [(outcome, reason) for outcome, reason in found]


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_time_and_memory(name: str, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / name).write_bytes(BOMBS[name]())
    seconds, taken, found = _scan(tmp_path / "source", tmp_path)
    assert seconds < 10 and taken < 1024
    refusals = [reason for outcome, reason in found if outcome in ("quarantined", "review")]
    assert any("bomb" in reason or "lies in 5 others" in reason for reason in refusals)
    assert not any("unexpected" in reason for _, reason in found)


def test_a_7z_bomb_is_told_by_its_header(
    tmp_path: Path, debian_tool: Callable[[str], str], migration: MakeMigration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.scan.archives.RATIO_COUNTS_FROM", 10**7)
    (tmp_path / "zeros").write_bytes(bytes(2 * 10**7))
    (tmp_path / "source").mkdir()
    command = [debian_tool("7z"), "a", "-bd", "-mx=1", str(tmp_path / "source" / "bomb.7z"), "zeros"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    [(outcome, reason)] = migration(("archive", tmp_path / "source", "")).reasons().values()
    assert outcome == "quarantined" and "bomb" in reason


def test_a_tar_whose_size_leads_back_ends(migration: MakeMigration, disc_folder: Path) -> None:
    (disc_folder / "a.tar").write_bytes(_with_negative_size())
    reasons = migration(("archive", disc_folder, "")).reasons()
    assert reasons["a.tar"][0] == "review" and "damaged" in reasons["a.tar"][1]
    assert reasons["a.tar!x"] == ("quarantined", "the member is damaged and cannot be unpacked")


def test_links_are_not_followed_and_devices_not_opened(migration: MakeMigration, disc_folder: Path) -> None:
    links = _tarred(
        ("a", tarfile.SYMTYPE, "b"), ("b", tarfile.SYMTYPE, "a"), ("self", tarfile.LNKTYPE, "self"),
        ("out", tarfile.SYMTYPE, "../../etc/passwd"), ("pipe", tarfile.FIFOTYPE, ""), ("disk", tarfile.BLKTYPE, ""),
    )  # fmt: skip
    (disc_folder / "a.tar").write_bytes(links)
    info = zipfile.ZipInfo("link")
    info.external_attr, info.create_system = 0o120777 << 16, 3
    with zipfile.ZipFile(disc_folder / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    (disc_folder / "loop").mkdir()
    (disc_folder / "loop" / "again").symlink_to(disc_folder)
    outcomes = {path: outcome for path, (outcome, _) in migration(("archive", disc_folder, "")).reasons().items()}
    assert outcomes == {
        "a.tar": "excluded", "a.tar!a": "excluded", "a.tar!b": "excluded", "a.tar!self": "quarantined",
        "a.tar!out": "excluded", "a.tar!pipe": "excluded", "a.tar!disk": "excluded",
        "a.zip": "excluded", "a.zip!link": "excluded", "loop/again": "excluded",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..\\x", "/../x"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_outside_is_refused(name: str, kind: str, migration: MakeMigration, disc_folder: Path) -> None:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr(name, DICOM)
    else:
        with tarfile.open(fileobj=file, mode="w") as archive:
            info = tarfile.TarInfo(name)
            info.size = len(DICOM)
            archive.addfile(info, io.BytesIO(DICOM))
    (disc_folder / f"a.{kind}").write_bytes(file.getvalue())
    reasons = migration(("archive", disc_folder, "")).reasons()
    del reasons[f"a.{kind}"]
    [(outcome, reason)] = reasons.values()
    assert outcome == "quarantined" and "leads out" in reason


def test_folders_of_a_disc_that_hold_each_other_end(
    migration: MakeMigration, disc: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    """The record of a folder is made to lead to the root."""
    folder = tmp_path / "source"
    folder.mkdir()
    command = [debian_tool("genisoimage"), "-quiet", "-D", "-o", str(folder / "a.iso"), str(disc)]
    subprocess.run(command, check=True, capture_output=True)
    image = bytearray((folder / "a.iso").read_bytes())
    root = image[16 * SECTOR + 158 : 16 * SECTOR + 174]
    at = image.index(b"\x01A", int.from_bytes(root[:4], "little") * SECTOR) - 32
    image[at + 2 : at + 18] = root
    (folder / "a.iso").write_bytes(image)
    reasons = migration(("archive", folder, "")).reasons()
    assert "a.iso!README.TXT" in reasons and not any(path.startswith("a.iso!A/") for path in reasons)


KINDS = [
    "disc.zip",
    "disc.tar",
    "disc.tar.gz",
    "disc.tar.xz",
    "disc.tar.zst",
    "rock-ridge.iso",
    "bridge.iso",
    "pure.udf",
    "disc.7z",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_container_gives_whole_members_or_damage(
    name: str, container: Callable[[str], Path], disc: Path, tmp_path: Path
) -> None:
    """Where a checksum or the medium's own structure can tell, a member that is given is one of the disc's files."""
    file = container(name)
    whole = file.read_bytes()
    checked = not name.endswith((".iso", ".udf", ".tar"))  # those have no checksum over a file's content
    known = {path.read_bytes() for path in disc.rglob("*") if path.is_file()}
    chance = random.Random(name)
    for number in range(60):
        data = bytearray(whole)
        if number % 3 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.choice((1, 3, 30)) if number % 3 else 0):
            most = len(data) if number % 3 == 1 else min(len(data), 80 * SECTOR)
            data[chance.randrange(most)] = chance.randrange(256)
        file.write_bytes(data)
        os.utime(file, ns=(number, number))
        try:
            opened = container_at(Outermost.at(os.fsencode(file)), (), tmp_path / "kept")
        except QuarantineError:
            continue
        for member in opened.members.values():
            if member.refused or member.bytes > 2**24:
                continue
            try:
                with opened.open(member) as stream:
                    content = stream.read()
            except Exception as error:
                assert is_damage(error)
                continue
            assert content in known if checked else len(content) == member.bytes
