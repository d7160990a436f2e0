"""The Pixel Data element as bytes: built, decoded and hashed in one place, so that every hand-over proves the same thing.

A *staged element* is a whole element as it stands in an Explicit VR Little Endian data set: tag, VR, reserved bytes, 32-bit
length and value (PS3.5 section 7.1.2), or undefined length with Basic Offset Table, fragments and delimiter where it is
encapsulated (PS3.5 Annex A.4). Header + staged element + trailer is therefore a data set, byte for byte, that can be sent as
it is.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tasks.errors import QuarantineError
from tasks.pixels import PixelDescription, codestream_hash, decoded_pixel_hash

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
PIXEL_DATA_TAG = 0x7FE00010

_DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    JPEGLossless: imagecodecs.ljpeg_decode,
    JPEGLosslessSV1: imagecodecs.ljpeg_decode,
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    HTJ2KLossless: imagecodecs.jpeg2k_decode,
    HTJ2KLosslessRPCL: imagecodecs.jpeg2k_decode,
}
_LOSSY_DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    JPEGBaseline8Bit: imagecodecs.jpeg_decode,
    JPEGExtended12Bit: imagecodecs.jpeg_decode,
    JPEGLSNearLossless: imagecodecs.jpegls_decode,
    JPEG2000: imagecodecs.jpeg2k_decode,
    HTJ2K: imagecodecs.jpeg2k_decode,
}


def native_element(value: bytes, vr: str, tag: int = PIXEL_DATA_TAG) -> bytes:
    """Staged element of uncompressed pixels; `value` is little-endian, padded to even length here."""
    padded = value + b"\x00" * (len(value) % 2)
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(padded)) + padded


def encapsulated_element(frames: Sequence[bytes]) -> bytes:
    """Staged element of compressed pixels, one codestream a frame, one fragment each, with a Basic Offset Table."""
    return (
        struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
        + encapsulate(list(frames), has_bot=len(frames) > 1)
        + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    )


def describe(dataset: Dataset) -> PixelDescription:
    """The pixel description of a data set; raises `QuarantineError` where the Image Pixel module is incomplete."""
    try:
        return PixelDescription(
            rows=int(dataset.Rows),
            columns=int(dataset.Columns),
            samples_per_pixel=int(dataset.get("SamplesPerPixel", 1) or 1),
            bits_stored=int(dataset.get("BitsStored", dataset.get("BitsAllocated", 0))),
            signed=bool(dataset.get("PixelRepresentation", 0)),
            photometric_interpretation=str(dataset.PhotometricInterpretation),
            number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise QuarantineError(f"the image pixel attributes are incomplete or unreadable ({type(error).__name__})") from error


def transfer_syntax_of(dataset: Dataset) -> UID:
    """Transfer syntax from the file meta information; Explicit VR Little Endian where there is none."""
    meta = getattr(dataset, "file_meta", None)
    return UID(meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)) if meta else UID(ExplicitVRLittleEndian)


def is_lossy(syntax: str) -> bool:
    """Whether a transfer syntax is one whose decoders may differ in the last bit, so that the codestream is hashed."""
    uid = UID(syntax)
    return uid.is_compressed and uid.is_encapsulated and uid != RLELossless and syntax not in _DECODERS


def codestreams(dataset: Dataset) -> Iterator[bytes]:
    """The compressed frames, each one codestream without the padding that encapsulation may have added."""
    frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1))
    for frame in frames:
        yield frame[:-1] if frame[-3:] == b"\xff\xd9\x00" else frame


def decoded_frames(dataset: Dataset) -> Iterator[NDArray[Any]]:
    """Frames as arrays, rows x columns or rows x columns x samples, in the photometric interpretation as stored.

    Words keep what stands above Bits Stored. Raises `QuarantineError` on pixels that are truncated, damaged or in a transfer
    syntax no decoder here knows.
    """
    syntax = transfer_syntax_of(dataset)
    try:
        if "PixelData" not in dataset:
            yield _float_frames(dataset)
        elif not syntax.is_encapsulated or syntax == RLELossless:
            yield from iter_pixels(dataset, raw=True)
        elif decode := _DECODERS.get(syntax) or _LOSSY_DECODERS.get(syntax):
            shape = describe(dataset)
            for codestream in codestreams(dataset):
                frame = decode(codestream)
                if frame.shape[:2] != (shape.rows, shape.columns):
                    raise QuarantineError(f"the codestream is {frame.shape[:2]}, the header says {shape.rows}x{shape.columns}")
                yield frame
        else:
            raise QuarantineError(f"no decoder for transfer syntax {syntax}")
    except QuarantineError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged codestreams
        raise QuarantineError(f"pixel data cannot be decoded: truncated or damaged ({type(error).__name__})") from error


def _float_frames(dataset: Dataset) -> NDArray[Any]:
    if "FloatPixelData" in dataset:
        return np.frombuffer(dataset.FloatPixelData, dtype="<f4")
    return np.frombuffer(dataset.DoubleFloatPixelData, dtype="<f8")


def has_pixels(dataset: Dataset) -> bool:
    """Whether the data set has one of the three pixel elements."""
    return any(keyword in dataset for keyword in PIXEL_KEYWORDS)


def pixel_hash(dataset: Dataset) -> tuple[str, str]:
    """(`pixel_sha256`, `pixel_hash_kind`) of a data set with pixels; the proof that every hand-over compares.

    Raises `QuarantineError` where the pixels cannot be read whole.
    """
    description = describe(dataset)
    if is_lossy(transfer_syntax_of(dataset)):
        frames = list(codestreams(dataset))
        if len(frames) != description.number_of_frames:
            raise QuarantineError(f"{len(frames)} codestreams for {description.number_of_frames} frames")
        return codestream_hash(description, frames), "codestream"
    return decoded_pixel_hash(description, decoded_frames(dataset)), "decoded"


def header_bytes(dataset: Dataset) -> bytes:
    """A data set without pixels as Explicit VR Little Endian bytes, without preamble and file meta."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
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
    """Staged element of an encapsulated value as it came: offset table and fragments unchanged, one delimiter at its end."""
    delimiter = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    if value.endswith(delimiter):
        value = value[: -len(delimiter)]
    return struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + value + delimiter
