"""Reading an item's bytes again, as they were when it was scanned.

In a path `!` only ever stands between a container and its member, at any depth (`a.zip!b.iso!DICOM/IM1`), and, where several
members have one name, before the number of the second and later ones: `a.zip!IMG1`, `a.zip!IMG1!2`. A container that shares its
name with another is not opened, so that a path always means one thing.
"""

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

from tasks.configuration import Configuration, PacsSource
from tasks.containers import Outermost, container_at
from tasks.errors import NextRunError, QuarantineError, RetryLaterError, StageBlockedError
from tasks.printable import raw_path
from tasks.received import received_file
from tasks.receiving import receive_again

LARGEST_ITEM = 2 * 2**30  # bytes that are read into memory as one item


def file_path(folder: Path, path: str) -> bytes:
    """Where the file of an item lies, or, of a member, its container; as bytes, since names need not be UTF-8."""
    return os.path.join(os.fsencode(folder), raw_path(path.partition("!")[0]))  # noqa: PTH118 (pathlib takes no bytes)


def unpacked_folder(workspace: Path) -> Path:
    """Where a workspace keeps what was unpacked, see `tasks.containers.kept`."""
    return workspace / "spill" / "unpacked"


def read_item(configuration: Configuration, source: str, path: str, *, sha256: str) -> bytes:
    """The bytes of a file, or of a member of a container: `container!member`.

    Raises `RetryLaterError` where they are not those of `sha256` any more or cannot be read now, `QuarantineError` above 2 GiB.
    """
    place = configuration.sources[source]
    if isinstance(place, PacsSource):
        return _received(configuration, source, path, sha256)
    file = file_path(place.path, path)
    names = path.split("!")[1:]
    try:
        data = _member(file, names, unpacked_folder(configuration.project.workspace)) if names else _whole(file)
    except KeyError as error:
        raise NextRunError("is no longer in its archive: run again to scan it anew") from error
    except QuarantineError:
        raise
    except Exception as error:  # decompressors raise whatever they like where an archive was changed
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StageBlockedError("no space left on the device: free some, then run again") from error
        raise RetryLaterError(f"cannot be read now ({type(error).__name__}): is the source mounted?") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise NextRunError("changed since it was scanned: run again to scan it anew")
    return data


def _received(configuration: Configuration, source: str, path: str, sha256: str) -> bytes:
    """What was received of a PACS, or is received anew where it is not kept any more."""
    file = received_file(configuration.project.workspace, source, path, sha256)
    with suppress(FileNotFoundError):
        _bounded(file.stat().st_size)
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    data = receive_again(configuration, source, path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise NextRunError("the PACS gives out something else than when it was scanned: list it anew")
    return data


def _bounded(size: int) -> None:
    if size > LARGEST_ITEM:
        raise QuarantineError("larger than 2 GiB, which is not read as one item")


def _whole(path: bytes) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes no bytes)
        _bounded(os.fstat(file.fileno()).st_size)
        return file.read()


def _member(file: bytes, names: list[str], folder: Path) -> bytes:
    outermost = Outermost.at(file)
    containers: tuple[str, ...] = ()
    while True:
        container = container_at(outermost, containers, folder)
        numbered = "!".join(names[:2])
        taken = 2 if numbered in container.members else 1
        member = container.members["!".join(names[:taken])]
        names = names[taken:]
        if not names:
            _bounded(member.bytes)
            with container.open(member) as stream:
                return stream.read()
        containers += (member.path,)
