"""The pages of a TIFF, found by walking its image file directories, and of a PDF, as its page tree says; nothing is decoded."""

import struct
from collections.abc import Callable
from typing import BinaryIO

from tasks.errors import QuarantineError
from tasks.pdfium import opened_pdf

MOST_PAGES = 10_000
_MOST_ENTRIES = 4096  # in one directory; beyond it is damage, as tifffile has it too
_NEW_SUBFILE_TYPE = 254


def pages_of(file: BinaryIO) -> list[bool]:
    """One flag a page: whether it is a reduced copy or a mask of another (NewSubfileType bits 0 and 2, TIFF 6.0 section 8).

    The walk ends where the chain does, at a directory that cannot be read, or at one it has been at. An unreadable first
    directory makes one page: what is wrong with the picture is said where it is decoded. Raises `QuarantineError` above
    `MOST_PAGES`.
    """
    header = _read(file, 0, 16)
    order = "<" if header[:2] == b"II" else ">"
    big = header[2:4] in (b"+\x00", b"\x00+")
    offset_format, count_format, entry = (f"{order}Q", f"{order}Q", 20) if big else (f"{order}I", f"{order}H", 12)
    width, count_width = (8, 8) if big else (4, 2)
    pages: list[bool] = []
    visited: set[int] = set()
    offset = _number(offset_format, header[8:16] if big else header[4:8])
    while offset and offset not in visited:
        visited.add(offset)
        entries = _number(count_format, _read(file, offset, count_width))
        if not entries or entries > _MOST_ENTRIES:
            break
        directory = _read(file, offset + count_width, entries * entry + width)
        pages.append(_is_reduced(directory, order, entry, entries))
        if len(pages) > MOST_PAGES:
            raise QuarantineError(f"a TIFF of more than {MOST_PAGES} pages")
        offset = _number(offset_format, directory[entries * entry :])
    return pages or [False]


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset >= 2**63:
        return b""
    file.seek(offset)
    return file.read(size)


def _number(form: str, data: bytes) -> int:
    """An unsigned number; 0 where the file ends before it."""
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else 0


def _is_reduced(directory: bytes, order: str, entry: int, entries: int) -> bool:
    for at in range(0, min(len(directory), entries * entry) - entry + 1, entry):
        tag, kind = struct.unpack_from(f"{order}HH", directory, at)
        if tag == _NEW_SUBFILE_TYPE:
            number = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", directory, at + entry // 2 + 2)[0]
            return bool(number & 0b101)
    return False


def pdf_pages_of(file: BinaryIO) -> list[bool]:
    """One flag a page, none of which is a copy. A file that cannot be opened is one page, as `pages_of` has it."""
    try:
        with opened_pdf(file) as document:
            count = len(document)
    except QuarantineError:
        count = 1
    if count > MOST_PAGES:
        raise QuarantineError(f"a PDF of more than {MOST_PAGES} pages")
    return [False] * max(count, 1)


PAGES: dict[str | None, Callable[[BinaryIO], list[bool]]] = {"image/tiff": pages_of, "application/pdf": pdf_pages_of}


def is_of_pages(head: bytes) -> bool:
    """Whether a file that begins so may be of a format in `PAGES`."""
    return head[:2] in (b"II", b"MM") or b"%PDF" in head[:1024]
