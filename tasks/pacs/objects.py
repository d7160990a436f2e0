"""The objects of the embedded PACS as DICOM files (PS3.10), each under its SOP Instance UID.

A file is written beside its place, synced, then renamed into it and the folder synced, so that under a final name there is only
ever a whole, durable object. What a crash leaves in `incoming` was never acknowledged and is removed.
"""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from tasks.pacs.rejection import is_key_object

_UID = re.compile(r"[0-9][0-9.]{0,63}")


def is_safe_uid(uid: str) -> bool:
    """Whether a UID has only digits and periods and at most 64 of them (PS3.5 section 9.1), so that it can name a file."""
    return _UID.fullmatch(uid) is not None


def content_digest(syntax: str, data: bytes) -> str:
    """SHA-256 of a transfer syntax UID and the encoded data set in it, as hexadecimal digits: what makes two sendings equal."""
    digest = hashlib.sha256(syntax.encode())
    digest.update(data)
    return digest.hexdigest()


def silence_remarks() -> None:
    """Keeps pydicom's remarks on odd values, which quote them, off the terminal; for the whole process, as threads share it."""
    warnings.filterwarnings("ignore", module="pydicom")


class ObjectStore:
    """The files below a folder; safe to use from many threads for different UIDs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._objects, self._incoming = folder / "objects", folder / "incoming"
        for needed in (self._objects, self._incoming):
            needed.mkdir(parents=True, exist_ok=True)
        for left in sorted(self._incoming.iterdir()):
            left.unlink()

    def path(self, uid: str) -> Path:
        """The place of an instance; 256 folders by the UID's hash, since UIDs of one source begin and end alike."""
        return self._objects / hashlib.sha256(uid.encode()).hexdigest()[:2] / f"{uid}.dcm"

    def uids(self) -> Iterator[str]:
        """SOP Instance UIDs of all stored files, in no order."""
        for folder in os.scandir(self._objects):
            if folder.is_dir():
                yield from (entry.name[:-4] for entry in os.scandir(folder) if entry.name.endswith(".dcm"))

    def receive(self, uid: str, content: bytes) -> Path:
        """Writes a whole DICOM file beside its place and syncs it; raises `OSError` where the disk does not take it."""
        incoming = self._incoming / f"{uid}.dcm"
        try:
            with incoming.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            incoming.unlink(missing_ok=True)
            raise
        return incoming

    def keep(self, uid: str, incoming: Path) -> None:
        """Renames a received file into its place and syncs the folder."""
        place = self.path(uid)
        if not place.parent.is_dir():
            place.parent.mkdir(exist_ok=True)
            sync_folder(self._objects)
        incoming.rename(place)
        sync_folder(place.parent)

    def remove(self, uid: str) -> None:
        """Removes a file, where there is one, and syncs the folder."""
        place = self.path(uid)
        place.unlink(missing_ok=True)
        if place.parent.is_dir():
            sync_folder(place.parent)

    def digest(self, uid: str) -> str:
        """`content_digest` of a stored file, read anew; raises `OSError` where it is gone or unreadable."""
        syntax, data = self.encoded(uid)
        return content_digest(syntax, data)

    def encoded(self, uid: str) -> tuple[str, bytes]:
        """(transfer syntax UID, encoded data set) of a stored file, exactly as they were sent."""
        path = self.path(uid)
        with path.open("rb") as file:
            pydicom.filereader.read_preamble(file, False)
            meta = pydicom.filereader._read_file_meta_info(file)
            return str(meta.TransferSyntaxUID), file.read()


def read_header(path: Path, keywords: tuple[str, ...]) -> Dataset:
    """The named attributes of a file's header; all of it for a Key Object Selection document. Raises what pydicom raises."""
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*keywords])
    if is_key_object(header):
        return pydicom.dcmread(path, stop_before_pixels=True)
    return header


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
