"""A disc as a hospital gets it, and the same disc in every container, made by the tools that people make them with."""

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet

SECTOR = 2048
DEEP = "A/B/C/D/E/F/G/H/I/J"  # ISO 9660 has eight levels

# What a directory record has to have (PS3.3 F.5) and not all test files do.
_NEEDED = {
    "PatientID": "P1", "StudyID": "1", "StudyDate": "20010203", "StudyTime": "040506", "SeriesNumber": "1",
    "InstanceNumber": "1",
    "CompletionFlag": "COMPLETE", "VerificationFlag": "UNVERIFIED", "ContentDate": "20010203", "ContentTime": "040506",
}  # fmt: skip

Tool = Callable[[str], str]


@pytest.fixture(scope="session")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disc") / "set"
    files = FileSet()
    for name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "SC_rgb_rle.dcm", "reportsi.dcm"):
        path = get_testdata_file(name)
        assert isinstance(path, str)
        dataset = dcmread(path)
        for keyword, value in _NEEDED.items():
            if not dataset.get(keyword):
                setattr(dataset, keyword, value)
        files.add(dataset)
    files.write(folder)
    (folder / "VIEWER.EXE").write_bytes(b"MZ" + bytes(5000))
    (folder / "AUTORUN.INF").write_bytes(b"[autorun]\r\nopen=VIEWER.EXE\r\n")
    (folder / "README.TXT").write_bytes(b"Images and a viewer.\r\n")
    (folder / "EMPTY").write_bytes(b"")
    (folder / DEEP).mkdir(parents=True)
    (folder / DEEP / "IM").write_bytes((folder / "README.TXT").read_bytes() * 2)
    (folder / "Übersicht und ein recht langer Name.txt").write_bytes(b"A text.\r\n")
    return folder


def _run(*command: str | Path, folder: Path) -> None:
    subprocess.run([str(part) for part in command], cwd=folder, check=True, capture_output=True)


def _tar(disc: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path in sorted(disc.iterdir()):
            archive.add(path, f"./{path.name}")
    return file.getvalue()


def _zstd(data: bytes) -> bytes:
    """With a checksum, as the tool `zstd` makes it."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


def _zip(disc: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(disc.rglob("*")):
            archive.write(path, path.relative_to(disc))
    return file.getvalue()


def _with_genisoimage(disc: Path, target: Path, tool: Tool, *options: str) -> None:
    _run(tool("genisoimage"), "-quiet", "-input-charset", "utf-8", *options, "-o", target, disc, folder=target.parent)


def _pure_udf(disc: Path, target: Path, tool: Tool) -> None:
    """A UDF bridge without its ISO 9660 descriptors: what a DVD written as UDF alone looks like."""
    _with_genisoimage(disc, target, tool, "-udf", "-D")
    image = bytearray(target.read_bytes())
    start = image.index(b"\0BEA01")
    recognition = image[start : start + 3 * SECTOR]
    image[16 * SECTOR : start + 3 * SECTOR] = bytes(start + 3 * SECTOR - 16 * SECTOR)
    image[16 * SECTOR : 19 * SECTOR] = recognition
    target.write_bytes(image)


def _in_two_sessions(disc: Path, target: Path, tool: Tool) -> None:
    """The first session has the images, the second adds the rest at a later place of the disc."""
    first, second = target.with_suffix(".1"), target.with_suffix(".2")
    rest = target.parent / "rest"
    rest.mkdir()
    for path in disc.iterdir():
        if not path.name.startswith("PT"):
            (rest / path.name).symlink_to(path)
    folders = [f"{path.name}={path}" for path in disc.iterdir() if path.name.startswith("PT")]
    common = (tool("genisoimage"), "-quiet", "-input-charset", "utf-8", "-J", "-R", "-f", "-graft-points")
    _run(*common, "-o", first, *folders, folder=target.parent)
    start = (first.stat().st_size // SECTOR + 11_400 + 15) // 16 * 16
    _run(*common, "-C", f"0,{start}", "-M", first, "-o", second, rest, folder=target.parent)
    with target.open("wb") as image:
        image.write(first.read_bytes())
        image.seek(start * SECTOR)
        image.write(second.read_bytes())


def _with_seven_zip(disc: Path, target: Path, tool: Tool) -> None:
    _run(tool("7z"), "a", "-bd", "-ms=on", target, *sorted(path.name for path in disc.iterdir()), folder=disc)


def _with_xorriso(disc: Path, target: Path, tool: Tool) -> None:
    _run(tool("xorriso"), "-as", "mkisofs", "-quiet", "-J", "-R", "-o", target, disc, folder=target.parent)


def _nested(disc: Path, target: Path, tool: Tool) -> None:
    inner = target.parent / "disc.iso"
    _with_genisoimage(disc, inner, tool, "-J", "-R")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "inner/disc.iso")
    inner.unlink()


MAKERS: dict[str, Callable[[Path, Path, Tool], object]] = {
    "disc.zip": lambda disc, target, _: target.write_bytes(_zip(disc)),
    "disc.tar": lambda disc, target, _: target.write_bytes(_tar(disc)),
    "disc.tar.gz": lambda disc, target, _: target.write_bytes(gzip.compress(_tar(disc), mtime=0)),
    "disc.tar.bz2": lambda disc, target, _: target.write_bytes(bz2.compress(_tar(disc))),
    "disc.tar.xz": lambda disc, target, _: target.write_bytes(lzma.compress(_tar(disc))),
    "disc.tar.zst": lambda disc, target, _: target.write_bytes(_zstd(_tar(disc))),
    "rock-ridge.iso": lambda disc, target, tool: _with_genisoimage(disc, target, tool, "-R"),
    "joliet.iso": lambda disc, target, tool: _with_genisoimage(disc, target, tool, "-J", "-D"),
    "bridge.iso": lambda disc, target, tool: _with_genisoimage(disc, target, tool, "-J", "-udf", "-D"),
    "pure.udf": _pure_udf,
    "sessions.iso": _in_two_sessions,
    "xorriso.iso": _with_xorriso,
    "disc.7z": _with_seven_zip,
    "nested.zip": _nested,
}


@pytest.fixture
def container(disc: Path, tmp_path: Path, debian_tool: Tool) -> Callable[[str], Path]:
    """Makes the disc into the container of a name in `MAKERS`, alone in a folder."""

    def make(name: str) -> Path:
        folder = tmp_path / "containers"
        folder.mkdir(exist_ok=True)
        MAKERS[name](disc, folder / name, debian_tool)
        for path in folder.iterdir():
            if path.name != name and path.is_file():
                path.unlink()
        return folder / name

    return make
