"""A film's pixels staged in the configured lossless codec, and proved by decoding them again while the disk takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless

from tasks.errors import QuarantineError
from tasks.pixel_codecs import NATIVE, FrameShape, decode_frame, unpacked
from tasks.pixel_data import Part, attach_element, describe, encapsulated_parts, native_parts, pixel_hash
from tasks.pixels import decoded_pixel_hash
from tasks.staging import StagedElement, staged_meanwhile
from tasks.wrap.film.decoded import DecodedFilm

_MARKED = 16  # of so many rows one is marked before it is decoded


@dataclass(frozen=True)
class StagedFilm:
    """Where a film's pixels lie, how they are encoded, and the hash that every later hand-over compares."""

    element: StagedElement
    transfer_syntax: UID
    pixel_sha256: str
    pixel_hash_kind: str


def stage_film(film: DecodedFilm, attributes: Dataset, codec: str, staging: Path, object_key: str) -> StagedFilm:
    """Encodes and stages a film; `attributes` describe its pixels (PS3.3 C.7.6.3), `codec` is `[wrap] codec`.

    The codestream of a source that is kept is staged as it is. Raises `QuarantineError`, and leaves nothing staged, where
    decoding gives other pixels than the scan has.
    """
    if film.codestream is not None and film.transfer_syntax is not None:
        parts = encapsulated_parts(film.codestream)
        with staged_meanwhile(staging, object_key, parts) as element:
            proved = pixel_hash(as_data_set(attributes, film.transfer_syntax, b"".join(parts)))
        return StagedFilm(element, film.transfer_syntax, *proved)
    pixels = np.ascontiguousarray(film.pixels, dtype=film.pixels.dtype.newbyteorder("<"))
    shape = FrameShape(pixels.shape[0], pixels.shape[1], 1 if pixels.ndim == 2 else 3, int(attributes.BitsAllocated))
    value, syntax = _value(pixels, shape, codec)
    parts = native_parts(value, "OW" if pixels.dtype.itemsize == 2 else "OB") if syntax in NATIVE else encapsulated_parts(value)
    with staged_meanwhile(staging, object_key, parts) as element:
        # Uncompressed samples are written out of the array itself, a view of which could not differ from it.
        if isinstance(value, bytes) and not _same(_decoded(value, syntax, pixels, shape), pixels):
            raise QuarantineError(f"{codec} did not give the same pixels back: report it with the item's key")
        # Equal pixels have an equal hash; that of the scan's own is the one that is there to be had.
        proved = decoded_pixel_hash(describe(attributes), [pixels]), "decoded"
    return StagedFilm(element, syntax, *proved)


def _value(pixels: NDArray[Any], shape: FrameShape, codec: str) -> tuple[Part, UID]:
    """A frame as it stands in the pixel element, and its transfer syntax; uncompressed it is the array's own memory."""
    if shape.allocated == 1:  # PS3.5 8.1.1: the first pixel is the lowest bit; no codec takes packed bits
        return np.packbits(pixels.ravel(), bitorder="little").tobytes(), ExplicitVRLittleEndian
    if codec == "none":
        return pixels.data.cast("B"), ExplicitVRLittleEndian
    syntax, encode = CODECS[codec]
    return encode(pixels), syntax


def _decoded(value: bytes, syntax: UID, like: NDArray[Any], shape: FrameShape) -> NDArray[Any]:
    """The frame out of the pixel element; what is compared with `like` afterwards, and so may come from a lenient decoder."""
    if syntax in NATIVE:
        return unpacked(value, shape)
    if syntax != HTJ2KLossless:
        return decode_frame(value, syntax, shape)
    # OpenJPH takes half the time of OpenJPEG, which readers use, but leaves out what it cannot decode, down to the last row.
    # The memory may hold the same film from before: rows that cannot be right show that they were left out.
    frame = np.empty(like.shape, like.dtype)
    frame[::_MARKED] = ~like[::_MARKED]
    frame[-1] = ~like[-1]
    try:
        imagecodecs.htj2k_decode(value, planar=False, out=frame)
    except Exception as error:  # OpenJPH's messages
        raise QuarantineError("htj2k gave what cannot be decoded: report it with the item's key") from error
    return frame


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two pictures have the same pixels in the same type; OpenCV's largest difference takes no memory of its own."""
    return one.shape == other.shape and one.dtype == other.dtype and cv2.norm(one, other, cv2.NORM_INF) == 0


def _jpeg_ls(pixels: NDArray[Any]) -> bytes:
    # Noise over the whole range grows when it is encoded, beyond the room that the codec takes by itself.
    return bytes(imagecodecs.jpegls_encode(pixels, out=2 * pixels.nbytes + 4096))


def _jpeg2000(pixels: NDArray[Any]) -> bytes:
    # Without the colour transform, which would ask for YBR_RCT (PS3.5 8.2.4); a codestream without the JP2 boxes.
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True, mct=False))


def _htj2k(pixels: NDArray[Any]) -> bytes:
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True, rgb=False if pixels.ndim == 3 else None))


def _rle(pixels: NDArray[Any]) -> bytes:
    """One RLE frame (PS3.5 Annex G): a PackBits segment for each byte of each sample, most significant first."""
    planes = pixels if pixels.ndim == 3 else pixels[:, :, None]
    segments = b""
    offsets = []
    for sample in range(planes.shape[2]):
        data = np.ascontiguousarray(planes[:, :, sample])
        octets = data.view(np.uint8).reshape(*data.shape, data.dtype.itemsize)
        for octet in reversed(range(data.dtype.itemsize)):
            offsets.append(64 + len(segments))
            segment = bytes(imagecodecs.packbits_encode(octets[:, :, octet].copy(), axis=1))
            segments += segment + b"\x00" * (len(segment) % 2)
    header = np.zeros(16, "<u4")
    header[0] = len(offsets)
    header[1 : 1 + len(offsets)] = offsets
    return header.tobytes() + segments


CODECS: dict[str, tuple[UID, Callable[[NDArray[Any]], bytes]]] = {
    "jpeg-ls": (JPEGLSLossless, _jpeg_ls),
    "jpeg2000": (JPEG2000Lossless, _jpeg2000),
    "htj2k": (HTJ2KLossless, _htj2k),
    "rle": (RLELossless, _rle),
}


def as_data_set(attributes: Dataset, syntax: UID, element: bytes) -> Dataset:
    """Pixel attributes and staged element as a data set that can be decoded."""
    dataset = Dataset()
    dataset.update(attributes)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    return attach_element(dataset, element)
