"""Reading an item's bytes again, as they were when it was scanned."""

import hashlib
import zipfile
from pathlib import Path

from tasks.configuration import Configuration
from tasks.errors import QuarantineError, RetryLaterError

LARGEST_ITEM = 2 * 2**30


def read_item(configuration: Configuration, source: str, path: str, *, sha256: str) -> bytes:
    """The bytes of a file, or of `container!member`.

    Raises `RetryLaterError` where they are not those of `sha256` or cannot be read now, `QuarantineError` above 2 GiB.
    """
    file, _, member = path.partition("!")
    full = configuration.sources[source].path / Path(file)
    try:
        data = _member(full, member) if member else _whole(full)
    except (OSError, zipfile.BadZipFile, KeyError, RuntimeError) as error:
        raise RetryLaterError(f"cannot be read now ({type(error).__name__}): is the source mounted?") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RetryLaterError("changed since it was scanned: run again to scan it anew")
    return data


def _whole(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_ITEM:
        raise QuarantineError("larger than 2 GiB, which is not read as one item")
    return path.read_bytes()


def _member(container: Path, member: str) -> bytes:
    with zipfile.ZipFile(container) as archive:
        if archive.getinfo(member).file_size > LARGEST_ITEM:
            raise QuarantineError("larger than 2 GiB, which is not read as one item")
        return archive.read(member)
