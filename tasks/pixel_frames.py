"""The frames of a data set, one after the other: arrays in the container that its header describes, or codestreams.

Only one frame is decoded at a time. Uncompressed frames are views into the value, so that an object with many frames is not
inflated as a whole.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, generate_frames
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_codecs import NATIVE, VIDEO, FrameShape, decode_frame

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_FLOATS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
_END_OF_IMAGE = b"\xff\xd9"


@dataclass(frozen=True)
class PixelLayout:
    """How frames lie in a pixel element (PS3.3 C.7.6.3, PS3.5 section 8.1).

    `samples` are those stored a pixel, 2 where chrominance is subsampled; `kind` is the array type's: `u`, `i` or `f`.
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    planar: bool
    frames: int
    kind: str

    @property
    def frame(self) -> FrameShape:
        """Shape of one frame."""
        return FrameShape(self.rows, self.columns, self.samples, self.allocated)

    @property
    def bytes(self) -> int:
        """Bytes that all frames take uncompressed; frames of 1 bit follow each other without a gap."""
        return -(-self.frame.bits * self.frames // 8)


def transfer_syntax_of(dataset: Dataset) -> UID:
    """Transfer syntax from the file meta information; Explicit VR Little Endian where there is none."""
    meta = getattr(dataset, "file_meta", None)
    return UID(meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)) if meta else UID(ExplicitVRLittleEndian)


def pixel_keyword(dataset: Dataset) -> str | None:
    """Keyword of the pixel element a data set has."""
    return next((keyword for keyword in PIXEL_KEYWORDS if keyword in dataset), None)


def number(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """An integer attribute; `default` where it is absent or empty.

    Raises `QuarantineError`, which names the attribute, where it is no number, or is needed and not there.
    """
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            if default is None:
                raise QuarantineError(f"{keyword} is missing: the pixels cannot be read without it")
            return default
        return int(value)
    except QuarantineError:
        raise
    except Exception as error:  # pydicom raises several classes on values that break their VR
        raise QuarantineError(f"{keyword} is not a number: the pixels cannot be read without it") from error


def layout_of(dataset: Dataset) -> PixelLayout:
    """The layout of the pixels of a data set.

    Raises `QuarantineError` where attributes are missing or impossible, `ReviewError` where pixels are packed in a way that is
    not read.
    """
    keyword = pixel_keyword(dataset) or "PixelData"
    allocated = _FLOATS.get(keyword) or number(dataset, "BitsAllocated")
    samples = number(dataset, "SamplesPerPixel", 1)
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    rows, columns, frames = number(dataset, "Rows"), number(dataset, "Columns"), number(dataset, "NumberOfFrames", 1)
    if min(rows, columns, samples, frames) < 1:
        raise QuarantineError("Rows, Columns, Samples per Pixel or Number of Frames is zero or less")
    if allocated not in (1, 8, 16, 32, 64) or (allocated == 1 and samples > 1) or photometric == "YBR_PARTIAL_420":
        raise ReviewError(f"pixels of {allocated} Bits Allocated and {samples} samples ({photometric}) are not read yet")
    if photometric in _SUBSAMPLED and transfer_syntax_of(dataset) in NATIVE:
        if samples != 3 or allocated != 8 or columns % 2:
            raise QuarantineError(f"{photometric} asks for 3 samples of 8 bits and an even number of Columns")
        samples = 2
    signed = allocated > 1 and bool(number(dataset, "PixelRepresentation", 0))
    kind = "f" if keyword in _FLOATS else "i" if signed else "u"
    planar = samples > 2 and bool(number(dataset, "PlanarConfiguration", 0))
    return PixelLayout(rows, columns, samples, allocated, planar, max(frames, 1), kind)


def decoded_frames(dataset: Dataset) -> Iterator[NDArray[Any]]:
    """Frames as arrays, rows x columns or rows x columns x samples, in the photometric interpretation as stored.

    The type is that of Bits Allocated and Pixel Representation; frames of 1 bit are 0 and 1 in bytes. Words keep what stands
    above Bits Stored. Raises `QuarantineError` on pixels that are truncated, damaged or not what the header says, `ReviewError`
    on a transfer syntax no decoder here knows.
    """
    layout, syntax = layout_of(dataset), transfer_syntax_of(dataset)
    keyword = pixel_keyword(dataset) or "PixelData"
    if syntax in NATIVE:
        element = dataset[keyword]
        yield from native_frames(element.value or b"", layout, str(element.VR), big_endian=syntax == ExplicitVRBigEndian)
        return
    for codestream in codestreams(dataset):
        yield _contained(decode_frame(codestream, syntax, layout.frame), layout)


def native_frames(
    value: bytes | memoryview, layout: PixelLayout, vr: str, *, big_endian: bool = False
) -> Iterator[NDArray[Any]]:
    """Uncompressed frames, as views into `value` where they can be; raises `QuarantineError` where it is too short.

    Big endian turns the bytes of each OW word round, also where a word holds two 8-bit pixels or sixteen of 1 bit (PS3.5 7.3).
    """
    if len(value) < layout.bytes:
        raise QuarantineError(f"pixel data is cut off: it has {len(value)} bytes, the header describes {layout.bytes}")
    if big_endian and layout.allocated <= 8 and vr == "OW":
        value = np.frombuffer(value, "<u2", len(value) // 2).byteswap().tobytes()
    shape, size = layout.frame, layout.frame.bits
    if layout.allocated == 1:
        for start in range(0, size * layout.frames, size):
            octets = np.frombuffer(value, np.uint8, -(-(start + size) // 8) - start // 8, start // 8)
            bits = np.unpackbits(octets, bitorder="little", count=start % 8 + size)
            yield bits[start % 8 :].reshape(shape.rows, shape.columns)
        return
    dtype = np.dtype(f"{'>' if big_endian else '<'}{layout.kind}{layout.allocated // 8}")
    count = size // layout.allocated
    for start in range(0, size // 8 * layout.frames, size // 8):
        frame = np.frombuffer(value, dtype, count, start)
        if layout.planar:
            yield frame.reshape(shape.samples, shape.rows, shape.columns).transpose(1, 2, 0)
        else:
            yield frame.reshape((shape.rows, shape.columns, shape.samples)[: 3 if shape.samples > 1 else 2])


def _contained(frame: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """A decoded frame in the container of Bits Allocated; codecs give the smallest that holds their precision."""
    width = max(1, layout.allocated // 8)
    if frame.dtype.itemsize > width or (layout.allocated == 1 and frame.size and frame.max() > 1):
        raise QuarantineError(f"a codestream has more bits than Bits Allocated ({layout.allocated}) in its header")
    sign = "i" if frame.dtype.kind == "i" else "u"  # widened as the codestream says, then read as the header says
    return frame.astype(f"<{sign}{width}", copy=False).view(f"<{layout.kind}{width}")


def codestreams(dataset: Dataset) -> Iterator[bytes]:
    """The compressed frames, each one codestream without the padding that encapsulation may have added; a video is one.

    Raises `QuarantineError` where they are not as many as Number of Frames says.
    """
    frames = number(dataset, "NumberOfFrames", 1)
    syntax, seen = transfer_syntax_of(dataset), 0
    try:
        if syntax in VIDEO:
            fragments = generate_fragments(dataset.PixelData)
            next(fragments, b"")  # the Basic Offset Table
            yield b"".join(fragments)
            return
        extended = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths) if _has_extended(dataset) else None
        for frame in generate_frames(dataset.PixelData, number_of_frames=frames, extended_offsets=extended):
            seen += 1
            yield frame[:-1] if frame.endswith(_END_OF_IMAGE + b"\x00") else frame
    except (AttributeError, ValueError, EOFError, OverflowError, struct.error) as error:
        raise QuarantineError(f"the fragments of pixel data cannot be told into {frames} frames") from error
    if seen != frames:
        raise QuarantineError(f"{seen} codestreams for {frames} frames")


def _has_extended(dataset: Dataset) -> bool:
    return bool(dataset.get("ExtendedOffsetTable")) and bool(dataset.get("ExtendedOffsetTableLengths"))
