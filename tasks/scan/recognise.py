"""What content is, told from the content and never from a name.

| content | in a film source | in an archive |
| --- | --- | --- |
| TIFF, PNG, JPEG | film | document: a person decides |
| other image formats, PDF | review: not converted yet | document: a person decides |
| DICOM | migrated | migrated |
| DICOMDIR, programs, text, web pages, settings | excluded | excluded |
| zip | its members are items | its members are items |
| other containers | review: not opened yet | review: not opened yet |
| anything else | quarantined | quarantined |
"""

import re
from dataclasses import dataclass

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"II*\x00", 0, "image/tiff"),
    (b"MM\x00*", 0, "image/tiff"),
    (b"II+\x00", 0, "image/tiff"),
    (b"MM\x00+", 0, "image/tiff"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x00\x00\x00\x0cjP  ", 0, "image/jp2"),
    (b"\xff\x4f\xff\x51", 0, "image/j2c"),
    (b"BM", 0, "image/bmp"),
    (b"GIF8", 0, "image/gif"),
    (b"%PDF-", 0, "application/pdf"),
    (b"PK\x03\x04", 0, "application/zip"),
    (b"PK\x05\x06", 0, "application/zip"),
    (b"\x1f\x8b", 0, "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", 0, "application/x-7z-compressed"),
    (b"BZh", 0, "application/x-bzip2"),
    (b"\xfd7zXZ\x00", 0, "application/x-xz"),
    (b"Rar!", 0, "application/vnd.rar"),
    (b"ustar", 257, "application/x-tar"),
    (b"MZ", 0, "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", 0, "application/x-executable"),
    (b"\xd0\xcf\x11\xe0", 0, "application/x-ole-storage"),
)
_DIRECTORY_SOP_CLASS = b"1.2.840.10008.1.3.10"
FILM_TYPES = frozenset({"image/tiff", "image/png", "image/jpeg"})
_PROGRAMS = frozenset({"application/vnd.microsoft.portable-executable", "application/x-executable"})
_CONTAINERS = frozenset(
    {"application/gzip", "application/x-7z-compressed", "application/x-bzip2", "application/x-xz", "application/x-tar"}
    | {"application/vnd.rar"}
)


@dataclass(frozen=True)
class Recognised:
    """What an item is and, if it goes no further than scan, why: `outcome` is `done` where `wrap` takes it."""

    media_type: str
    kind: str
    outcome: str = "done"
    reason: str = ""


def media_type(head: bytes) -> str:
    """Media type by the first 4096 bytes or more."""
    if head[128:132] == b"DICM":
        return "application/dicom+directory" if _DIRECTORY_SOP_CLASS in head[:1024] else "application/dicom"
    for magic, offset, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if _looks_like_bare_dicom(head):
        return "application/dicom"
    if head and _is_text(head):
        start = head.lstrip()[:256].lower()
        return "text/html" if start.startswith((b"<!doctype html", b"<html")) else "text/plain"
    return "application/octet-stream"


def _is_text(head: bytes) -> bool:
    printable = sum(byte in (9, 10, 13) or 32 <= byte < 127 or byte >= 160 for byte in head)
    return b"\x00" not in head and printable >= 0.97 * len(head)


def _looks_like_bare_dicom(head: bytes) -> bool:
    """A data set without preamble begins with an element of group 2 or 8, in either byte order, of plausible length."""
    if len(head) < 16:
        return False
    group, element = int.from_bytes(head[0:2], "little"), int.from_bytes(head[2:4], "little")
    if group in (0x0002, 0x0008) and element < 0x0100:
        vr_is_explicit = re.match(rb"[A-Z]{2}", head[4:6]) is not None
        return vr_is_explicit or int.from_bytes(head[4:8], "little") <= 256
    group, element = int.from_bytes(head[0:2], "big"), int.from_bytes(head[2:4], "big")
    return group in (0x0002, 0x0008) and element < 0x0100 and re.match(rb"[A-Z]{2}", head[4:6]) is not None


def recognise(head: bytes, source_kind: str) -> Recognised:
    """Applies the module's table; `source_kind` is `film` or `archive`."""
    name = media_type(head)
    if name == "application/dicom":
        return Recognised(name, "dicom")
    if name == "application/dicom+directory":
        return Recognised(name, "other", "excluded", "a DICOMDIR: it lists the disc's objects, each an item of its own")
    if name in _PROGRAMS:
        return Recognised(name, "other", "excluded", "a program, such as a disc's viewer: nothing to migrate")
    if name in ("text/plain", "text/html"):
        return Recognised(name, "other", "excluded", "text that accompanies the images: nothing to migrate")
    if name in _CONTAINERS:
        return Recognised(name, "other", "review", f"a container ({name}) that is not opened yet: unpack it into the source")
    if source_kind == "film":
        if name in FILM_TYPES:
            return Recognised(name, "film")
        if name.startswith("image/") or name == "application/pdf":
            return Recognised(name, "film", "review", f"{name} is not converted yet: deliver it as TIFF, PNG or JPEG")
    elif name.startswith("image/") or name in ("application/pdf", "application/x-ole-storage"):
        return Recognised(name, "document", "review", "a picture or document beside the images: a person decides what it is")
    return Recognised(name, "other", "quarantined", "not a format known here")
