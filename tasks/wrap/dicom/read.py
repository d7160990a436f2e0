"""Reading a legacy object: with or without preamble and file meta, in any byte order; what cannot be read whole says why.

Whatever reading leaves out or takes otherwise than it is written is recorded in `LegacyObject.changes`.
"""

import zlib
from dataclasses import dataclass, replace

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.changes import Change, left_out, renamed, stood_twice
from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_codecs import NATIVE
from tasks.pixel_data import read_data_set
from tasks.pixel_frames import number
from tasks.sources import LARGEST_ITEM
from tasks.wrap.dicom.elements import LONG_VRS, SHORT_VRS, Element, Encoding, elements
from tasks.wrap.dicom.repeated import distinct
from tasks.wrap.dicom.transcode import Surroundings, explicit_little

_TRANSFER_SYNTAX, _CLASS, _INSTANCE = 0x00020010, 0x00020002, 0x00020003
_RECOGNITION_CODE, _SOP_CLASS, _PIXEL_REPRESENTATION = 0x00080010, 0x00080016, 0x00280103
_BIG_ENDIAN_PIXELS = UID("1.2.840.113619.5.2")  # of GE: Implicit VR Little Endian, but for words of pixels
_FIRST_GROUP = 0x0008
_LENGTH_TO_END = 0x00080001
_TRAILING_PADDING = 0xFFFCFFFC
_PIXEL_TAGS = (0x7FE00010, 0x7FE00008, 0x7FE00009)
_FLOAT_VRS = {0x7FE00008: "OF", 0x7FE00009: "OD"}
_NOT_READ_AGAIN = "the header cannot be read again as it was written"
# Samples per Pixel to Pixel Representation, and the three on lossy compression: what gives the stored pixels their meaning.
_DESCRIBING = frozenset(
    {0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103}
    | {0x00282110, 0x00282112, 0x00282114}
)


@dataclass(frozen=True)
class PixelElement:
    """The pixel element where it lies in the file: `value` is a view of it, without the delimiter of encapsulated pixels."""

    tag: int
    vr: str
    value: memoryview
    encapsulated: bool
    big_endian: bool


@dataclass(frozen=True)
class LegacyObject:
    """A data set before, at and behind its pixels; all but the pixels in Explicit VR Little Endian.

    `header` has no group lengths and no attributes that describe pixels, which are in `describing`. `dataset` is both, to look
    at. `meta_class` and `meta_instance` are SOP Class and Instance UID of the file meta, empty where it has none.
    `is_acr_nema`: from before DICOM, without a SOP Class UID.
    """

    syntax: UID
    header: bytes
    describing: bytes
    trailer: bytes
    pixels: PixelElement | None
    dataset: Dataset
    meta_class: str
    meta_instance: str
    is_acr_nema: bool
    changes: tuple[Change, ...]


def read_object(data: bytes) -> LegacyObject:
    """The object in a file's bytes.

    Raises `QuarantineError` on what does not hold to its end, `ReviewError` on an unknown private transfer syntax and on
    elements that stand twice and say different things of whose or what it is.
    """
    view = memoryview(data)
    meta, start = _file_meta(view)
    syntax = UID(meta.get(_TRANSFER_SYNTAX, ""))
    if syntax == DeflatedExplicitVRLittleEndian:
        view, start = _inflated(view[start:]), 0
    if syntax and not syntax.startswith("1.2.840.10008.") and syntax != _BIG_ENDIAN_PIXELS:
        raise ReviewError("a private transfer syntax: its pixels cannot be proved")
    if not bytes(view[start : start + 8]).strip(b"\0"):
        raise QuarantineError("holds no DICOM elements")
    encoding = _encoding(view, start, syntax)
    try:
        return _split(view, start, encoding, syntax, meta)
    except QuarantineError as error:
        try:
            return _split(view, start, replace(encoding, lenient=True), syntax, meta)
        except QuarantineError:
            raise error from None  # what the strict reading says is wrong is what is wrong


def _file_meta(view: memoryview) -> tuple[dict[int, str], int]:
    """Values of the file meta information (PS3.10 section 7.1) by tag, and where the data set starts."""
    start = 132 if bytes(view[128:132]) == b"DICM" else 4 if bytes(view[:4]) == b"DICM" else 0
    meta = {}
    while bytes(view[start : start + 2]) == b"\x02\x00":  # up to the data set: the group length is often wrong
        element = next(elements(view, start, len(view), _encoding(view, start)))
        if element.stop - element.value <= 64:
            meta[element.tag] = bytes(view[element.value : element.stop]).decode("latin-1").strip("\0 ")
        start = element.end
    return meta, start


def _encoding(view: memoryview, start: int, declared: str = "") -> Encoding:
    """The encoding that the first element shows; what the file meta says of it is often wrong.

    Raises `QuarantineError` where it begins with no group up to 0008, which every object has, and nothing is declared.
    """
    group = bytes(view[start : start + 2])
    vr = bytes(view[start + 4 : start + 6]).decode("latin-1")
    little = int.from_bytes(group, "little") <= _FIRST_GROUP
    if not little and int.from_bytes(group, "big") > _FIRST_GROUP:
        if not declared:
            raise QuarantineError("does not begin like a DICOM data set")
        little = declared != ExplicitVRBigEndian
    return Encoding(vr in SHORT_VRS or vr in LONG_VRS, little)


def _settled(syntax: UID, encoding: Encoding) -> UID:
    """The transfer syntax of the pixels: as declared where they are compressed, as found where not."""
    if syntax and syntax not in NATIVE and syntax != _BIG_ENDIAN_PIXELS:
        if not encoding.little:
            raise QuarantineError("compressed pixels in a big-endian data set, which does not exist")
        return syntax
    if not encoding.little or syntax == _BIG_ENDIAN_PIXELS:
        return UID(ExplicitVRBigEndian)
    return UID(ExplicitVRLittleEndian if encoding.explicit else ImplicitVRLittleEndian)


def _inflated(deflated: memoryview) -> memoryview:
    """A deflated data set (PS3.5 Annex A.5), bounded since a few KiB may inflate without end."""
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = decompressor.decompress(deflated, LARGEST_ITEM)
    except zlib.error as error:
        raise QuarantineError("the deflated data set is damaged") from error
    if not decompressor.eof:
        raise QuarantineError("the deflated data set is cut off, or inflates to more than 2 GiB")
    return memoryview(data)


def _split(view: memoryview, start: int, encoding: Encoding, syntax: UID, meta: dict[int, str]) -> LegacyObject:
    kept, repeated = distinct(view, elements(view, start, len(view), encoding))
    tags = {element.tag for element in kept}
    pixels = [element for element in kept if element.tag in _PIXEL_TAGS]
    if len(pixels) > 1:
        raise ReviewError("the data set has more than one pixel element, and only one can be proved")
    last = pixels[0].tag if pixels else 0x7FE00010
    around = Surroundings(_is_signed(view, kept, encoding))
    header: list[bytes] = []
    describing: list[bytes] = []
    trailer: list[bytes] = []
    changes = around.changes
    changes += [stood_twice(explicit_little(view, element, encoding, around), "") for element in repeated]
    for element in kept:
        if element.tag in _PIXEL_TAGS:
            continue
        written = explicit_little(view, element, encoding, around)
        if why := _left_out(element.tag):
            changes.append(left_out(written, "", why))
            continue
        if encoding.explicit and element.vr != written[4:6].decode():
            changes.append(renamed(element.tag, element.vr, written[4:6].decode()))
        part = trailer if element.tag > last else describing if is_describing(element.tag) and pixels else header
        part.append(written)
    try:
        dataset = read_data_set(b"".join(header + describing))
    except ValueError as error:  # of a character set that is no text
        raise QuarantineError(_NOT_READ_AGAIN) from error
    if len(dataset) != len(header) + len(describing):
        raise QuarantineError(_NOT_READ_AGAIN)
    settled = _settled(syntax, encoding)
    dataset.file_meta.TransferSyntaxUID = settled
    return LegacyObject(
        syntax=settled,
        header=b"".join(header),
        describing=b"".join(describing),
        trailer=b"".join(trailer),
        pixels=_pixel_element(view, pixels[0], settled) if pixels else None,
        dataset=dataset,
        meta_class=meta.get(_CLASS, ""),
        meta_instance=meta.get(_INSTANCE, ""),
        is_acr_nema=_RECOGNITION_CODE in tags and _SOP_CLASS not in tags,
        changes=tuple(changes),
    )


def is_describing(tag: int) -> bool:
    """Whether an attribute gives the stored pixels their meaning, and is kept with them."""
    return tag in _DESCRIBING


def _left_out(tag: int) -> str:
    """Why an element is not taken over (PS3.5 section 7.2, PS3.10 section 7.2); empty: it is."""
    if tag < 0x00080000:
        return "belongs to the file or to the network, not to the data set"
    if not tag & 0xFFFF or tag == _LENGTH_TO_END:
        return "lengths of groups and to the end are retired"
    return "trailing padding is retired" if tag == _TRAILING_PADDING else ""


def _pixel_element(view: memoryview, element: Element, syntax: UID) -> PixelElement:
    value, big_endian = view[element.value : element.stop], syntax == ExplicitVRBigEndian
    return PixelElement(element.tag, element.vr or ("OW" if big_endian else ""), value, element.undefined, big_endian)


def _is_signed(view: memoryview, found: list[Element], encoding: Encoding) -> bool:
    """Pixel Representation (0028,0103), on which the VR of attributes such as Pixel Padding Value hangs."""
    values = [view[element.value : element.stop] for element in found if element.tag == _PIXEL_REPRESENTATION]
    return any(int.from_bytes(value[:2], "little" if encoding.little else "big") == 1 for value in values)


def pixel_source(legacy: LegacyObject) -> Dataset:
    """The pixels of an object that has some, as they stand in the source, and what describes them.

    Uncompressed ones are a view, not a copy.
    """
    pixels, source = legacy.pixels, read_data_set(legacy.describing)
    assert pixels is not None
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in legacy.dataset:
            source[keyword] = legacy.dataset[keyword]
    vr = _FLOAT_VRS.get(pixels.tag) or ("OW" if pixels.vr == "OW" or number(source, "BitsAllocated") > 8 else "OB")
    value = bytes(pixels.value) if pixels.encapsulated else pixels.value
    source[pixels.tag] = DataElement(pixels.tag, vr, value, validation_mode=config.IGNORE)
    source.file_meta.TransferSyntaxUID = legacy.syntax
    return source
