"""Objects received from a legacy PACS, as files (PS3.10) in the workspace until `wrap` has taken them over.

A file is named after its item and the SHA-256 of its content. So what an interrupted run received is found again and known to
be whole, and what a power failure tore is not taken for it. All of it can be asked for again: losing it costs nothing but time,
so nothing is synced.

The path of such an item is `STUDY/SERIES/INSTANCE`, the UIDs as the PACS has them.
"""

import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from tasks.configuration import Configuration, PacsSource
from tasks.keys import item_key, key_of, uid_of
from tasks.network import Received
from tasks.printable import printable_path, raw_path

# Ours, in every file we write; without a version, so that the same object gives the same bytes.
_IMPLEMENTATION = uid_of("implementation", "filmroom")


@dataclass(frozen=True)
class KeptObject:
    """A received object: its item's path, its SOP Class UID, its file, and that file's size in bytes and SHA-256."""

    path: str
    sop_class_uid: str
    file: Path
    bytes: int
    sha256: str


def object_path(*uids: str) -> str:
    """The path of Study, Series and SOP Instance UID; printable, whatever the PACS calls a UID."""
    return "/".join(printable_path(uid.encode("utf-8", "surrogateescape")).replace("/", "\\x2f") for uid in uids)


def uids_of(path: str) -> tuple[str, ...]:
    """The UIDs of a path that `object_path` made."""
    return tuple(raw_path(part).decode("utf-8", "surrogateescape") for part in path.split("/"))


def received_file(workspace: Path, source: str, path: str, sha256: str) -> Path:
    """Where an object lies that was received, whether it is there or not."""
    return _folder(workspace, source, path) / f"{item_key(source, path)}-{sha256}.dcm"


def keep(workspace: Path, source: str, path: str, received: Received) -> KeptObject:
    """Puts an object down under its name, whole."""
    head = file_head(received)
    digest = hashlib.sha256(head)
    digest.update(received.data)
    sha256 = digest.hexdigest()
    final = received_file(workspace, source, path, sha256)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(head)
            file.write(received.data)
        temporary.rename(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return KeptObject(path, received.sop_class_uid, final, len(head) + len(received.data), sha256)


def is_any_kept(workspace: Path, source: str, study_path: str) -> bool:
    """Whether anything of a study was received before."""
    return _folder(workspace, source, study_path).is_dir()


def kept(workspace: Path, source: str, paths: list[str]) -> dict[str, KeptObject]:
    """What is there of some paths of one study, by path. A file that is not what its name says is removed."""
    folder = _folder(workspace, source, paths[0]) if paths else None
    if folder is None or not folder.is_dir():
        return {}
    by_key = {item_key(source, path): path for path in paths}
    found: dict[str, KeptObject] = {}
    for file in sorted(folder.glob("*.dcm")):
        key, _, sha256 = file.stem.partition("-")
        if key not in by_key:
            continue
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            file.unlink()
        else:
            found[by_key[key]] = KeptObject(by_key[key], _sop_class(content), file, len(content), sha256)
    return found


def file_head(received: Received) -> bytes:
    """What makes a DICOM file of a data set: preamble and File Meta Information (PS3.10 7.1)."""
    meta = struct.pack("<HH2sHLH", 2, 1, b"OB", 0, 2, 0x0100)
    for element, uid in (
        (0x0002, received.sop_class_uid),
        (0x0003, received.sop_instance_uid),
        (0x0010, received.transfer_syntax_uid),
        (0x0012, _IMPLEMENTATION),
    ):
        value = uid.encode("ascii", "replace")
        value += b"\x00" * (len(value) % 2)
        meta += struct.pack("<HH2sH", 2, element, b"UI", len(value)) + value
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(meta)) + meta


def _sop_class(content: bytes) -> str:
    """Media Storage SOP Class UID (0002,0002) of a file with such a head: its place does not change."""
    start = 128 + 4 + 12 + 14
    (length,) = struct.unpack_from("<H", content, start + 6)
    return content[start + 8 : start + 8 + length].rstrip(b"\x00").decode("ascii")


def _folder(workspace: Path, source: str, path: str) -> Path:
    key = key_of("received", source, path.partition("/")[0])
    return workspace / "received" / key[:2] / key


def spent_files(configuration: Configuration, source: str, path: str, sha256: str) -> tuple[Path, ...]:
    """What is kept of an item and not needed any more once its object is staged."""
    if not isinstance(configuration.sources[source], PacsSource):
        return ()
    return (received_file(configuration.project.workspace, source, path, sha256),)
