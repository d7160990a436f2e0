"""The Pixel Data element as bytes: built, decoded and hashed in one place, so that every hand-over proves the same thing.

A *staged element* is a whole element as it stands in an Explicit VR Little Endian data set: tag, VR, reserved bytes, 32-bit
length and value (PS3.5 section 7.1.2), or undefined length with Basic Offset Table, fragments and delimiter where it is
encapsulated (PS3.5 Annex A.4). Header + staged element + trailer is therefore a data set, byte for byte, that can be sent as
it is.
"""

import struct
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.errors import QuarantineError
from tasks.pixel_codecs import is_lossy
from tasks.pixel_frames import PIXEL_KEYWORDS, codestreams, decoded_frames, number, pixel_keyword, transfer_syntax_of
from tasks.pixels import PixelDescription, codestream_hash, decoded_pixel_hash

__all__ = [
    "PIXEL_KEYWORDS",
    "Part",
    "attach_element",
    "compose",
    "decoded_frames",
    "describe",
    "encapsulated_element",
    "encapsulated_parts",
    "has_pixels",
    "header_bytes",
    "is_lossy",
    "native_element",
    "native_parts",
    "pixel_hash",
    "read_data_set",
]

PIXEL_DATA_TAG = 0x7FE00010
SEQUENCE_DELIMITER = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
_ENCAPSULATED = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
_EMPTY_OFFSET_TABLE = struct.pack("<HHL", 0xFFFE, 0xE000, 0)


Part = bytes | memoryview


def native_parts(value: Part, vr: str, tag: int = PIXEL_DATA_TAG) -> tuple[Part, ...]:
    """A staged element of uncompressed pixels in the pieces it is written of, without a copy of `value`.

    `value` is little-endian; it is padded to even length here (PS3.5 section 8.1.1).
    """
    padding = len(value) % 2
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value) + padding), value, b"\x00" * padding


def encapsulated_parts(codestream: Part) -> tuple[Part, ...]:
    """A staged element of one compressed frame in the pieces it is written of, without a copy of `codestream`.

    One fragment, padded to even length, behind an empty Basic Offset Table, as one frame needs none (PS3.5 Annex A.4).
    """
    padding = len(codestream) % 2
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(codestream) + padding)
    return _ENCAPSULATED + _EMPTY_OFFSET_TABLE + item, codestream, b"\x00" * padding + SEQUENCE_DELIMITER


def native_element(value: bytes, vr: str, tag: int = PIXEL_DATA_TAG) -> bytes:
    """Staged element of uncompressed pixels; `value` is little-endian, padded to even length here."""
    return b"".join(native_parts(value, vr, tag))


def encapsulated_element(frames: Sequence[bytes]) -> bytes:
    """Staged element of compressed pixels, one codestream a frame, one fragment each, with a Basic Offset Table."""
    return _ENCAPSULATED + encapsulate(list(frames), has_bot=len(frames) > 1) + SEQUENCE_DELIMITER


def describe(dataset: Dataset) -> PixelDescription:
    """The pixel description of a data set; raises `QuarantineError` where the Image Pixel module is incomplete."""
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    if not photometric:
        raise QuarantineError("PhotometricInterpretation is missing: the pixels cannot be read without it")
    return PixelDescription(
        rows=number(dataset, "Rows"),
        columns=number(dataset, "Columns"),
        samples_per_pixel=number(dataset, "SamplesPerPixel", 1),
        bits_stored=number(dataset, "BitsStored", number(dataset, "BitsAllocated", 0)),
        signed=bool(number(dataset, "PixelRepresentation", 0)),
        photometric_interpretation=photometric,
        number_of_frames=number(dataset, "NumberOfFrames", 1),
    )


def has_pixels(dataset: Dataset) -> bool:
    """Whether the data set has one of the three pixel elements."""
    return pixel_keyword(dataset) is not None


def pixel_hash(dataset: Dataset) -> tuple[str, str]:
    """(`pixel_sha256`, `pixel_hash_kind`) of a data set with pixels; the proof that every hand-over compares.

    Raises `QuarantineError` where the pixels cannot be read whole.
    """
    description = describe(dataset)
    if is_lossy(transfer_syntax_of(dataset)):
        return codestream_hash(description, codestreams(dataset)), "codestream"
    return decoded_pixel_hash(description, _pixel_values(dataset, description)), "decoded"


def _pixel_values(dataset: Dataset, description: PixelDescription) -> Iterator[NDArray[Any]]:
    """Frames as they are hashed: a negative value is the same whether its sign fills the word above Bits Stored or not.

    Codecs that know no sign leave those bits zero, so that the same picture would else have two hashes. Whatever else stands
    there (overlays, before they had elements of their own) is part of the hash.
    """
    stored, allocated = description.bits_stored, number(dataset, "BitsAllocated", 0)
    extended = description.signed and 0 < stored < allocated and number(dataset, "HighBit", stored - 1) == stored - 1
    for frame in decoded_frames(dataset):
        if not extended or frame.dtype.kind == "f":
            yield frame
            continue
        words = frame.astype(frame.dtype.newbyteorder("="), copy=False).view(f"u{frame.dtype.itemsize}")
        is_sign = (words >> (stored - 1)) == (2 ** (allocated - stored + 1) - 1)
        yield np.where(is_sign, words & (2**stored - 1), words)


def header_bytes(dataset: Dataset, character_set: str = "ISO_IR 6") -> bytes:
    """A data set without pixels as Explicit VR Little Endian bytes, without preamble and file meta.

    `character_set` is that of its texts where it declares none itself.
    """
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset, character_set)
    return bytes(buffer.getvalue())


def read_data_set(data: bytes, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """The data set in bytes that stand without preamble and file meta; its file meta names the transfer syntax."""
    uid = UID(syntax)
    dataset = pydicom.filereader.read_dataset(BytesIO(data), uid.is_implicit_VR, uid.is_little_endian)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid
    return dataset


def attach_element(dataset: Dataset, element: bytes) -> Dataset:
    """Adds a staged element to a data set whose file meta names its transfer syntax, and gives the data set back."""
    undefined = element[8:12] == b"\xff\xff\xff\xff"
    read = pydicom.filereader.read_dataset(BytesIO(element), False, True)
    for staged in read:
        dataset[staged.tag] = staged
        staged.is_undefined_length = undefined
    return dataset


def compose(header: bytes, element: bytes | None, trailer: bytes, syntax: str) -> Dataset:
    """The data set of a header, a staged element and a trailer, as a reader of the object sees it."""
    dataset = read_data_set(header)
    if element:
        attach_element(dataset, element)
    dataset.update(read_data_set(trailer))
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def encapsulated_copy(value: bytes) -> bytes:
    """Staged element of an encapsulated value that has no delimiter: offset table and fragments as they are, then one."""
    return b"".join((_ENCAPSULATED, value, SEQUENCE_DELIMITER))
