"""DICOMDIRs (PS3.3 F, PS3.10 8), compared with what is really there, in both directions.

* What one lists and nobody delivered is an item without content, `waiting`, at `DICOMDIR#FILE/ID`.
* An object that lies below a DICOMDIR is listed by it, or its item says `not listed`; where the SOP Class or Instance UID
  listed is not the object's, its item says which.
* A damaged DICOMDIR is for a person; the disc is walked all the same.

Discs in the field write file IDs with slashes, in lower case, with the version number of ISO 9660: all name the same file. The
DICOMDIR that counts is the one that lies deepest above a file.
"""

import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from tasks.errors import QuarantineError
from tasks.header_scan import scan_head, wanted
from tasks.printable import printable_path, raw_path
from tasks.scan.items import NOTHING, item_outcome
from tasks.scan.recognise import Recognised
from tasks.stage import Outcome, Row

NAME = "dicomdir"
MEDIA_TYPE = "application/dicom+directory"
LARGEST = 2**28  # bytes of one that is read; some 500,000 records
_INACTIVE = 0
_MISSING = Recognised("application/dicom", "dicom", "waiting", "listed by DICOMDIR, not received")
_CLASS, _INSTANCE = "SOP Class UID", "SOP Instance UID"
_UIDS = wanted(["MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "SOPClassUID", "SOPInstanceUID"])


@dataclass(frozen=True)
class Reference:
    """What a directory record lists: the file's path below the DICOMDIR's folder, its SOP Class and Instance UID."""

    path: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Directory:
    """A DICOMDIR at `path`, and what it lists by `normalised` path; `None` where it is damaged."""

    path: str
    references: Mapping[str, Reference] | None

    @property
    def folder(self) -> str:
        """The folder it lies in, with a slash at its end; empty at the top."""
        return self.path[: self.path.rfind("/") + 1]


def is_directory_name(path: str) -> bool:
    """Whether this is the name of a disc's DICOMDIR (PS3.10 8.6), however it is written."""
    return normalised(path).rpartition("/")[2] == NAME


def normalised(path: str) -> str:
    """A path as file IDs are compared."""
    parts = (part.rpartition(";")[0] or part for part in path.replace("\\x5c", "/").casefold().split("/"))
    return "/".join(part.rstrip(".") for part in parts if part not in ("", "."))


def read_directory(path: str, data: bytes) -> Directory:
    """Reads a DICOMDIR; records that are inactive or name no file are passed over."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's remarks on values: file IDs are rarely as they should be
            dataset = dcmread(io.BytesIO(data), force=True)
            references = [reference for record in _records(dataset) if (reference := _reference(record))]
    except Exception:  # pydicom raises whatever it likes on damaged files
        return Directory(path, None)
    return Directory(path, {normalised(reference.path): reference for reference in references})


def _records(dataset: Dataset) -> Iterator[Dataset]:
    """The records; raises `EOFError` where the file was cut off, which pydicom passes over, `KeyError` where there are none."""
    element = dataset.get_item("DirectoryRecordSequence")
    if isinstance(element, RawDataElement) and len(element.value or b"") != element.length:
        raise EOFError
    yield from dataset["DirectoryRecordSequence"].value


def _reference(record: Dataset) -> Reference | None:
    parts = record.get("ReferencedFileID")
    if not parts or record.get("RecordInUseFlag") == _INACTIVE:
        return None
    texts = [str(part) for part in parts] if isinstance(parts, MultiValue) else [str(parts)]
    names = [name.strip() for text in texts for name in text.replace("\\", "/").split("/")]
    path = printable_path("/".join(name for name in names if name not in ("", ".")).encode("utf-8", "surrogateescape"))
    uids = record.get("ReferencedSOPClassUIDInFile"), record.get("ReferencedSOPInstanceUIDInFile")
    return Reference(path, *(str(uid or "") for uid in uids))


def noted(row: Row, directory: Directory | None, path: str, listed_by: str, head: bytes) -> Row:
    """The row with what the DICOMDIR above an object at `path` says of it; `listed_by` names that DICOMDIR."""
    if directory is None or directory.references is None:
        return row
    reference = directory.references.get(normalised(path.removeprefix(directory.folder)))
    if reference is None:
        return {**row, "listing_conflict": "not listed"}
    return {**row, "listed_by": listed_by, "listing_conflict": _conflict(reference, head)}


def _conflict(reference: Reference, head: bytes) -> str | None:
    """Which UIDs are neither those of the file's meta information nor those of its data set; `None` where none differs."""
    classes, instances = _uids(head)
    wrong = [_CLASS] if reference.sop_class_uid and classes and reference.sop_class_uid not in classes else []
    wrong += [_INSTANCE] if reference.sop_instance_uid and instances and reference.sop_instance_uid not in instances else []
    return ", ".join(wrong) or None


def _uids(head: bytes) -> tuple[set[str], set[str]]:
    """The SOP Class UIDs and the SOP Instance UIDs of file meta and data set."""
    try:
        values = scan_head(head, _UIDS)
    except QuarantineError:  # what is wrong with the object is said where it is read
        return set(), set()
    pairs = (("MediaStorageSOPClassUID", "SOPClassUID"), ("MediaStorageSOPInstanceUID", "SOPInstanceUID"))
    classes, instances = ({values[keyword] for keyword in pair if values.get(keyword)} for pair in pairs)
    return classes, instances


def directory_items(
    row: Row, directory: Directory, item: Outcome, below: str, is_there: Callable[[str], bool]
) -> Iterator[Outcome]:
    """The item of a DICOMDIR itself, and one of each file that it lists and that is not there.

    `below` stands before all paths of this disc; `is_there` is asked for paths below it.
    """
    if directory.references is None:
        reason = "a damaged DICOMDIR: whether all that it listed is there cannot be told; what is there was found"
        yield replace(item, outcome="review", reason=reason)
        return
    missing = [r for _, r in sorted(directory.references.items()) if not is_there(directory.folder + r.path)]
    reason = f"a DICOMDIR: it lists {len(directory.references)} objects, each an item of its own"
    yield replace(item, reason=f"{reason}; {len(missing)} of them not received" if missing else reason)
    for reference in missing:
        listed = {**row, "listed_by": below + directory.path}
        yield item_outcome(listed, f"{below}{directory.path}#{reference.path}", _MISSING, NOTHING)


@lru_cache(maxsize=8)
def directory_at(file: bytes, path: str, state: str) -> Directory:
    """The DICOMDIR that is the file `file`; `state` tells it from others that lay there before."""
    if os.stat(file).st_size > LARGEST:  # noqa: PTH116 (pathlib takes no bytes)
        return Directory(path, None)
    with open(file, "rb") as opened:  # noqa: PTH123 (pathlib takes no bytes)
        return read_directory(path, opened.read())


class Disc:
    """The folders of a source as far as a DICOMDIR names them, each listed once."""

    def __init__(self, root: bytes, directory: Directory):
        self._base = os.path.join(root, raw_path(directory.folder))  # noqa: PTH118 (pathlib takes no bytes)
        self._above = len(directory.folder)
        self._folders: dict[bytes, dict[str, os.DirEntry[bytes]]] = {}

    def is_there(self, path: str) -> bool:
        """Whether there is a file of that path, or it lies below another DICOMDIR, whose affair it then is."""
        folder = self._base
        *folders, name = normalised(path[self._above :]).split("/")
        for part in folders:
            entry = self._listed(folder).get(part)
            if entry is None or not entry.is_dir(follow_symlinks=False):
                return False
            folder = entry.path
            if NAME in self._listed(folder):
                return True
        return name in self._listed(folder)

    def _listed(self, folder: bytes) -> dict[str, os.DirEntry[bytes]]:
        if folder not in self._folders:
            with os.scandir(folder) as entries:
                named = {normalised(printable_path(entry.name)): entry for entry in entries}
            self._folders[folder] = named
        return self._folders[folder]
