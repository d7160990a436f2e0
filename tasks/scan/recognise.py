"""What content is, told from the content and never from a name.

| content | in a film source | in an archive |
| --- | --- | --- |
| TIFF, PNG, JPEG, JPEG 2000, JPEG-LS, JPEG XL, BMP, WebP, Netpbm, PDF | film: migrated | document: a person decides |
| GIF, AVIF | film, review: not converted yet | document: a person decides |
| DICOM, with or without preamble, ACR-NEMA | migrated | migrated |
| DICOMDIR | excluded: its objects are items of their own | the same |
| programs, icons, buttons, help files, picture caches | excluded | excluded |
| web pages, XML, settings, scripts | excluded | excluded |
| plain text | excluded | document: a person decides |
| office documents | document: a person decides | the same |
| zip, tar, 7z, ISO 9660 and UDF images, gzip, bzip2, xz, zstd | excluded: its members are items of their own | the same |
| rar, cabinets, compress, raw images of discs, self-extracting programs | review: not opened | the same |
| nothing (0 bytes) | quarantined | quarantined |
| anything else | quarantined, or a raw film where the source describes it | quarantined |

An office document in a zip wrapper is told from a zip by its first member.
"""

import re
from dataclasses import dataclass
from typing import Literal

from tasks.configuration import RAW_FILM, RawFilm
from tasks.containers import container_type
from tasks.stage import OutcomeKind

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"II*\x00", 0, "image/tiff"),
    (b"MM\x00*", 0, "image/tiff"),
    (b"II+\x00\x08\x00", 0, "image/tiff"),  # BigTIFF
    (b"MM\x00+\x00\x08", 0, "image/tiff"),
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", 0, "image/jp2"),
    (b"\xff\x4f\xff\x51", 0, "image/j2c"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", 0, "image/jxl"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBPVP8", 8, "image/webp"),
    (b"ftypavif", 4, "image/avif"),
    (b"PK\x03\x04", 0, "application/zip"),  # a document, for else it is a container
    (b"Rar!\x1a\x07", 0, "application/vnd.rar"),
    (b"MSCF\x00\x00\x00\x00", 0, "application/vnd.ms-cab-compressed"),
    (b"\x1f\x9d", 0, "application/x-compress"),
    (b"\x00" + b"\xff" * 10 + b"\x00", 0, "application/x-raw-disk-image"),  # sectors of a CD with their headers (ECMA-130 14)
    (b"\x7fELF", 0, "application/x-executable"),
    (b"\xca\xfe\xba\xbe", 0, "application/java-vm"),  # or a Mach-O for two processors: a program either way
    (b"\xcf\xfa\xed\xfe", 0, "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", 0, "application/x-mach-binary"),
    (b"\x00\x00\x00\x01Bud1", 0, "application/x-desktop-cache"),  # .DS_Store of macOS
    (b"\x00\x05\x16\x07\x00", 0, "application/x-desktop-cache"),  # AppleDouble
    (b"ITSF\x03", 0, "application/vnd.ms-htmlhelp"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "application/x-ole-storage"),
    (b"{\\rtf", 0, "application/rtf"),
    (b"%!PS", 0, "application/postscript"),
)
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # sizes of the header that follows the file header
# Media Storage SOP Class UID (0002,0002) of Media Storage Directory Storage, PS3.10 8.6; with or without a VR.
_IS_DICOMDIR = re.compile(rb"\x02\x00\x02\x00(UI..|....)1\.2\.840\.10008\.1\.3\.10\x00?[^0-9.]", re.DOTALL)
# Netpbm: P1 to P6, then width and height, with white space and comments between.
_IS_PORTABLE = re.compile(rb"P[1-6](?:(?:\s|#[^\r\n]*[\r\n])+\d{1,5}){2}[\s#]")
_BEFORE_FRAME = frozenset(bytes([marker]) for marker in (*range(0xE0, 0xF0), 0xF8, 0xFE))
# The first line of settings (a section), of a script or style sheet, or of JSON.
_IS_SETTINGS = re.compile(rb"\[[^\]\r\n]+\]\s*[\r\n]|/\*|//|#!|@echo\b|@charset\b|\{\s*\"", re.IGNORECASE)
_IS_COMMENT = re.compile(rb"\s*(?:;[^\r\n]*(?:[\r\n]+|$)\s*)*")
_LARGEST_BUTTON = 48  # pixels on either side
_NO_TEXT = bytes(set(range(32)) - {9, 10, 12, 13, 26, 27}) + b"\x7f"

FILM_TYPES = frozenset(
    {"image/tiff", "image/png", "image/jpeg", "image/jls", "image/jp2", "image/j2c", "image/bmp", "image/webp"}
    | {"image/x-portable-anymap", "image/jxl", "application/pdf"}
)
_PICTURES = frozenset({"image/gif", "image/avif"})
_PROGRAMS = frozenset(
    {"application/vnd.microsoft.portable-executable", "application/x-executable", "application/x-mach-binary"}
    | {"application/java-vm", "image/vnd.microsoft.icon", "application/vnd.ms-htmlhelp"}
)
_NOT_OPENED = frozenset(
    {"application/vnd.rar", "application/vnd.ms-cab-compressed", "application/x-compress", "application/x-raw-disk-image"}
)
_DOCUMENTS = frozenset({"application/x-ole-storage", "application/rtf", "application/postscript"})
_A_PERSON_DECIDES = (
    "a document or picture beside the images: a person decides whether it goes into a named study, "
    "as Encapsulated PDF or Secondary Capture, or is excluded"
)
_THUMBNAIL_CACHE = "Catalog".encode("utf-16-le")  # the stream that only a thumbs.db has


@dataclass(frozen=True)
class Recognised:
    """What an item is and, if it goes no further than scan, why: `outcome` is `done` where `wrap` takes it."""

    media_type: str | None
    kind: str
    outcome: OutcomeKind = "done"
    reason: str = ""


def media_type(head: bytes) -> str:
    """Media type by the first `HEAD` bytes (fewer only where there are no more)."""
    if head[128:132] == b"DICM":
        return "application/dicom+directory" if _IS_DICOMDIR.search(head[132:1156]) else "application/dicom"
    if container := container_type(head):
        return container
    for magic, offset, name in _MAGIC:
        if head.startswith(magic, offset):
            return _told_apart(name, head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS:
        return "image/bmp"
    if _IS_PORTABLE.match(head):
        return "image/x-portable-anymap"
    if _is_icon(head):
        return "image/vnd.microsoft.icon"
    if head[:2] == b"MZ" and not _is_text(head):
        return "application/vnd.microsoft.portable-executable"
    if b"%PDF" in head[:1024]:  # ISO 32000-1 Annex H, 3.4.1: readers take a header anywhere in there
        return "application/pdf"
    if _begins_like_a_data_set(head):
        return "application/dicom+directory" if _IS_DICOMDIR.search(head[:1024]) else "application/dicom"
    if head[:2] == b"\xff\x0a" and not _is_text(head):
        return "image/jxl"  # a bare codestream (ISO/IEC 18181-1 D.1)
    return _text_type(head) if head and _is_text(head) else "application/octet-stream"


def _told_apart(name: str, head: bytes) -> str:
    if name == "image/jpeg" and _is_jpeg_ls(head):
        return "image/jls"
    if name == "application/zip":
        return "application/vnd.openxmlformats-officedocument" if head[30:31] == b"[" else "application/vnd.oasis.opendocument"
    if name == "application/x-ole-storage" and _THUMBNAIL_CACHE in head:
        return "application/x-desktop-cache"
    return name


def _is_button(name: str, head: bytes) -> bool:
    """Whether a picture is too small to show more than a symbol, by the size its header states."""
    match name:
        case "image/png":
            sides = head[16:20], head[20:24]
        case "image/gif":
            sides = head[7:5:-1], head[9:7:-1]
        case "image/bmp":
            sides = head[21:17:-1], head[25:21:-1]
        case _:
            return False
    return all(0 < abs(int.from_bytes(side, "big", signed=True)) <= _LARGEST_BUTTON for side in sides)


def _is_jpeg_ls(head: bytes) -> bool:
    """Whether the first segment after application segments, comments and presets is SOF55 (ITU-T T.87)."""
    at = 2
    while head[at : at + 1] == b"\xff" and head[at + 1 : at + 2] in _BEFORE_FRAME:
        at += 2 + max(int.from_bytes(head[at + 2 : at + 4], "big"), 2)
    return head[at : at + 2] == b"\xff\xf7"


def _is_icon(head: bytes) -> bool:
    """An icon file: its first picture lies right behind the directory of all its pictures."""
    pictures = int.from_bytes(head[4:6], "little")
    return head[:4] == b"\x00\x00\x01\x00" and int.from_bytes(head[18:22], "little") == 6 + 16 * pictures


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 with a byte order mark, as Windows writes settings
        try:
            head = head[: len(head) // 2 * 2].decode("utf-16").encode()
        except UnicodeDecodeError:
            return False
    return len(head.translate(None, _NO_TEXT)) == len(head)


def _text_type(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[: len(head) // 2 * 2].decode("utf-16").encode()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:256].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if start[:256].lower().startswith(b"<?xml"):
        return "text/xml"
    commented = _IS_COMMENT.match(start)
    return "text/x-settings" if _IS_SETTINGS.match(start, commented.end() if commented else 0) else "text/plain"


def _begins_like_a_data_set(head: bytes) -> bool:
    """Whether two elements in ascending order begin the content, as in a file without preamble (PS3.5 7.1; ACR-NEMA 300).

    The first is of group 0002, 0004 or 0008, in either byte order, with or without a VR.
    """
    if head[:4] == b"DICM":
        head = head[4:]
    return any(_elements(head, "little", explicit) or _elements(head, "big", explicit) for explicit in (True, False))


def _elements(head: bytes, order: Literal["little", "big"], explicit: bool) -> bool:
    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)

    at, before = 0, (0, -1)
    for first in (True, False):
        tag = number(at, 2), number(at + 2, 2)
        if (first and (tag[0] not in (0x0002, 0x0004, 0x0008) or tag[1] > 0x2000)) or tag <= before or tag[0] > 0x0028:
            return False
        if explicit:
            if re.fullmatch(rb"[A-Z]{2}", head[at + 4 : at + 6]) is None:
                return False
            long = head[at + 4 : at + 6] in (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT")
            length, at = (number(at + 8, 4), at + 12) if long else (number(at + 6, 2), at + 8)
        else:
            length, at = number(at + 4, 4), at + 8
        if first and length > 1024:
            return False
        at, before = at + length, tag
        if at + 8 > len(head):
            return not first or at <= len(head)
    return True


def recognise(head: bytes, source_kind: str) -> Recognised:
    """Applies the module's table; `source_kind` is `film` or `archive`. A zip is for the caller to open."""
    name = media_type(head)
    is_film = source_kind == "film"
    if name == "application/dicom":
        return Recognised(name, "dicom")
    if name == "application/dicom+directory":
        return Recognised(name, "other", "excluded", "a DICOMDIR: it lists the disc's objects, each an item of its own")
    if name in _PROGRAMS:
        return Recognised(name, "other", "excluded", "a program or a part of one, such as a disc's viewer: nothing to migrate")
    if name == "application/x-desktop-cache":
        return Recognised(name, "other", "excluded", "what Windows or macOS keeps for its desktop: nothing to migrate")
    if name.startswith("text/") and (is_film or name != "text/plain"):
        return Recognised(name, "other", "excluded", "text that accompanies the images: nothing to migrate")
    if not is_film and _is_button(name, head):
        return Recognised(
            name, "other", "excluded", "a picture of at most 48 by 48 pixels, such as a button: nothing to migrate"
        )
    if name in _NOT_OPENED:
        return Recognised(name, "other", "review", f"an archive ({name}) that is not opened: unpack it into the source")
    if is_film and name in FILM_TYPES:
        return Recognised(name, "film")
    if is_film and name in _PICTURES:
        return Recognised(name, "film", "review", f"{name} is not converted yet: deliver it as TIFF, PNG, JPEG or JPEG 2000")
    if name in FILM_TYPES | _PICTURES | _DOCUMENTS or "document" in name or name == "text/plain":
        return Recognised(name, "document", "review", _A_PERSON_DECIDES)
    what = "not an image format known here" if is_film else "not a format known here"
    return Recognised(name, "other", "quarantined", what)


def as_raw_film(found: Recognised, path: str, size: int, described: tuple[RawFilm, ...]) -> Recognised:
    """What a file of a film source is, given the raw films that the source describes.

    One is taken where no signature says otherwise, its name ends as described, and it has exactly the bytes described. 8-bit
    pixels may look like text, so text is asked for its size too.
    """
    named = [raw for raw in described if path.lower().endswith(raw.suffix.lower())]
    if not named or found.media_type not in ("application/octet-stream", "text/plain"):
        return found
    if any(raw.size == size for raw in named):
        return Recognised(RAW_FILM, "film")
    if found.media_type == "text/plain":
        return found
    sizes = " or ".join(str(raw.size) for raw in named)
    return Recognised(
        found.media_type, "other", "quarantined", f"a raw film by its name, of {size} bytes where {sizes} are described"
    )
