"""Which kind of container content is, told from its first bytes."""

import re

COMPRESSED: tuple[tuple[bytes, int, str], ...] = (
    (b"\x1f\x8b\x08", 0, "application/gzip"),
    (b"BZh", 0, "application/x-bzip2"),
    (b"\xfd7zXZ\x00", 0, "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", 0, "application/zstd"),
)
OPENED: tuple[tuple[bytes, int, str], ...] = (
    (b"PK\x03\x04", 0, "application/zip"),
    (b"PK\x05\x06", 0, "application/zip"),
    (b"7z\xbc\xaf\x27\x1c", 0, "application/x-7z-compressed"),
    (b"ustar", 257, "application/x-tar"),
    (b"CD001", 32769, "application/x-iso9660-image"),
    (b"BEA01", 32769, "application/x-udf-image"),
    *COMPRESSED,
)
_OCTAL = re.compile(rb"[ 0]*[0-7]+[ \x00]+")
_OFFICE_MEMBERS = (b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis")


def container_type(head: bytes) -> str | None:
    """Media type of the container that begins so (36 KiB, or all there is), if it is one that can be opened.

    A document in a zip wrapper is none.
    """
    if head[128:132] == b"DICM" or is_office_document(head):
        return None
    for magic, offset, name in OPENED:
        if head.startswith(magic, offset):
            return name
    return "application/x-tar" if _is_old_tar(head[:512]) else None


def is_office_document(head: bytes) -> bool:
    """Whether a zip is a document of an office program, told by its first member."""
    return head.startswith(b"PK\x03\x04") and head.startswith(_OFFICE_MEMBERS, 30)


def _is_old_tar(block: bytes) -> bool:
    """Whether this is a tar header of before POSIX, which has no mark but its checksum (Unix Seventh Edition, tar(5))."""
    if len(block) < 512 or not block[0] or not all(_OCTAL.fullmatch(block[at : at + 8]) for at in (100, 108, 116)):
        return False
    stated = _OCTAL.fullmatch(block[148:156])
    return stated is not None and int(stated[0].strip(b" \x00") or b"0", 8) == sum(block[:148]) + 8 * 32 + sum(block[156:])
