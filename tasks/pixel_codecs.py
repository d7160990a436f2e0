"""One compressed frame into an array: which decoder a transfer syntax has, and whether a codestream came whole.

Transfer syntaxes are those of PS3.5 section 8.2 and Annex A.4. A decoder gives rows x columns [x samples] in whatever integer
type the codestream has; the container that Bits Allocated describes is the caller's affair.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MPEGTransferSyntaxes,
    RLELossless,
)

from tasks.errors import QuarantineError, ReviewError

ENCAPSULATED_UNCOMPRESSED = UID("1.2.840.10008.1.2.1.98")
DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")
NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian})
_RETIRED_JPEG = frozenset(UID(f"1.2.840.10008.1.2.4.{number}") for number in (52, 53, 54, 55, 56, *range(58, 67)))
_JPEG_XL = UID("1.2.840.10008.1.2.4.110")
_JPEG_XL_LOSSY = frozenset({UID("1.2.840.10008.1.2.4.111"), UID("1.2.840.10008.1.2.4.112")})
VIDEO = frozenset(MPEGTransferSyntaxes)
_START_OF_FRAME = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
_START_OF_SCAN = 0xDA


@dataclass(frozen=True)
class FrameShape:
    """What one frame must decode to; `allocated` is Bits Allocated (0028,0100)."""

    rows: int
    columns: int
    samples: int
    allocated: int

    @property
    def bits(self) -> int:
        """Bits of one frame."""
        return self.rows * self.columns * self.samples * self.allocated


Decoder = Callable[[bytes], NDArray[Any]]

# These decoders fill what is missing, or look for it for seconds: a cut is found before they are called.
_JPEG: dict[str, Decoder] = {
    JPEGLossless: imagecodecs.ljpeg_decode,
    JPEGLosslessSV1: imagecodecs.ljpeg_decode,
    JPEGBaseline8Bit: imagecodecs.jpeg_decode,
    JPEGExtended12Bit: imagecodecs.jpeg_decode,
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEGLSNearLossless: imagecodecs.jpegls_decode,
}
# These decoders refuse a codestream that is cut off, and need no help.
_STRICT: dict[str, Decoder] = {
    JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    JPEG2000: imagecodecs.jpeg2k_decode,
    HTJ2KLossless: imagecodecs.jpeg2k_decode,
    HTJ2KLosslessRPCL: imagecodecs.jpeg2k_decode,
    HTJ2K: imagecodecs.jpeg2k_decode,
    _JPEG_XL: imagecodecs.jpegxl_decode,
}
_LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K})
_PLAIN = frozenset({RLELossless, ENCAPSULATED_UNCOMPRESSED, DEFLATED_FRAMES})


def is_known(syntax: str) -> bool:
    """Whether a transfer syntax is one whose pixels can be proved, by decoding or by their codestreams."""
    return syntax in NATIVE or syntax in _PLAIN or syntax in _JPEG or syntax in _STRICT or is_lossy(syntax)


def is_lossy(syntax: str) -> bool:
    """Whether a transfer syntax is one whose decoders may differ in the last bit, so that the codestream is hashed."""
    return syntax in _LOSSY or syntax in _RETIRED_JPEG or syntax in _JPEG_XL_LOSSY or syntax in VIDEO


def can_decode(syntax: str) -> bool:
    """Whether there is a decoder for the compressed frames of a transfer syntax."""
    return syntax in _PLAIN or syntax in _JPEG or syntax in _STRICT


def decode_frame(codestream: bytes, syntax: str, shape: FrameShape) -> NDArray[Any]:
    """One frame decoded: rows x columns, or rows x columns x samples.

    Raises `QuarantineError` where it is truncated, damaged or not of this shape, `ReviewError` where there is no decoder.
    """
    try:
        if syntax == RLELossless:
            return _run_length(codestream, shape)
        if syntax == DEFLATED_FRAMES:
            return unpacked(_inflated(codestream, shape), shape)
        if syntax == ENCAPSULATED_UNCOMPRESSED:
            return unpacked(codestream, shape)
        if decode := _JPEG.get(syntax):
            _require_jpeg(codestream, shape)
        elif decode := _STRICT.get(syntax):
            _require_jpeg_2000(codestream, shape)
        else:
            raise ReviewError(f"no decoder for transfer syntax {syntax}: its pixels cannot be proved")
        return _shaped(decode(codestream), shape)
    except (QuarantineError, ReviewError):
        raise
    except Exception as error:  # decoders raise whatever they like on damaged codestreams
        raise QuarantineError(f"pixel data cannot be decoded: truncated or damaged ({type(error).__name__})") from error


def unpacked(data: bytes | memoryview, shape: FrameShape) -> NDArray[Any]:
    """One uncompressed little-endian frame of its own, colour by pixel; of 1 bit packed from the lowest bit (PS3.5 8.1.1)."""
    size = -(-shape.bits // 8)
    if len(data) - size not in (0, size % 2):
        raise QuarantineError(f"a frame has {len(data)} bytes, its header describes {size}")
    if shape.allocated == 1:
        bits = np.unpackbits(np.frombuffer(data, np.uint8, size), bitorder="little", count=shape.bits)
        return _shaped(bits.reshape(shape.rows, shape.columns), shape)
    values = np.frombuffer(data, f"<u{shape.allocated // 8}", shape.bits // shape.allocated)
    return values.reshape((shape.rows, shape.columns, shape.samples)[: 3 if shape.samples > 1 else 2])


def _shaped(frame: NDArray[Any], shape: FrameShape) -> NDArray[Any]:
    wanted = (shape.rows, shape.columns, shape.samples)[: 3 if shape.samples > 1 else 2]
    if frame.shape != wanted:
        raise QuarantineError(f"a codestream is {_times(frame.shape)}, its header says {_times(wanted)}")
    return frame


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _run_length(codestream: bytes, shape: FrameShape) -> NDArray[Any]:
    """An RLE frame (PS3.5 Annex G): one segment a byte of each sample, colour by plane.

    Frames of 1 bit were written with a byte a pixel and with eight pixels a byte; their length tells which.
    """
    width = max(1, shape.allocated // 8)
    size = -(-shape.bits // 8)
    data = bytes(imagecodecs.dicomrle_decode(codestream, np.dtype(f"<u{width}")))
    pixels = shape.rows * shape.columns
    if shape.allocated == 1 and len(data) != pixels:
        return unpacked(data, shape)
    if len(data) != (pixels if shape.allocated == 1 else size):
        raise QuarantineError(f"an RLE frame decodes to {len(data)} bytes, its header describes {size}")
    planes = np.frombuffer(data, f"<u{width}").reshape(shape.samples, shape.rows, shape.columns)
    return planes[0] if shape.samples == 1 else planes.transpose(1, 2, 0)


def _inflated(codestream: bytes, shape: FrameShape) -> bytes:
    """A deflated frame (PS3.5 section 8.2.16), inflated no further than a frame is long."""
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    data = decompressor.decompress(codestream, -(-shape.bits // 8) + 2)
    if not decompressor.eof:
        raise QuarantineError("a deflated frame is cut off, or longer than its header describes")
    return data


def _require_jpeg(codestream: bytes, shape: FrameShape) -> None:
    """Raises where a JPEG or JPEG-LS codestream is of another size, or has no End of Image marker behind its first scan."""
    place = 2
    while codestream[place : place + 1] == b"\xff":
        marker = codestream[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _START_OF_FRAME:
            rows, columns = struct.unpack_from(">HH", codestream, place + 5)
            if (rows or shape.rows, columns) != (shape.rows, shape.columns):  # 0 rows: a later marker says how many
                raise QuarantineError(f"a codestream is {rows} x {columns}, its header says {shape.rows} x {shape.columns}")
        place += 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
        if marker == _START_OF_SCAN:  # after it no byte pair of the data looks like a marker (ISO 10918-1 B.1.1.5)
            break
    if codestream[:2] != b"\xff\xd8" or codestream.rfind(b"\xff\xd9", place) < 0:
        raise QuarantineError("a JPEG codestream is cut off: it has no end marker")


def _require_jpeg_2000(codestream: bytes, shape: FrameShape) -> None:
    """Raises where a JPEG 2000 codestream is of another size, before a decoder takes the memory for it (ISO 15444-1 A.5.1)."""
    place = codestream.find(b"\xff\x4f\xff\x51", 0, 1024)
    if place < 0:
        return
    right, bottom, left, top = struct.unpack_from(">LLLL", codestream, place + 8)
    if (bottom - top, right - left) != (shape.rows, shape.columns):
        raise QuarantineError(
            f"a codestream is {bottom - top} x {right - left}, its header says {shape.rows} x {shape.columns}"
        )
