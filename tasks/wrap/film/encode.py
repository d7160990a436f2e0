"""A film's pixels as a staged element in the configured lossless codec, proved by decoding it again."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tasks.errors import QuarantineError
from tasks.pixel_data import attach_element, describe, encapsulated_element, native_element, pixel_hash
from tasks.pixels import decoded_pixel_hash
from tasks.wrap.film.decode import DecodedFilm


def _jpeg2000(pixels: NDArray[Any], *, ht: bool, bits: int) -> bytes:
    colour = {"mct": False} if pixels.ndim == 3 else {}
    kind = {"codecformat": "j2k", "reversible": True, "bitspersample": bits, **colour}
    return bytes(
        imagecodecs.htj2k_encode(pixels, reversible=True) if ht else imagecodecs.jpeg2k_encode(pixels, level=0, **kind)
    )


_CODECS: dict[str, tuple[UID, Callable[[NDArray[Any], int], bytes]]] = {
    "jpeg-ls": (JPEGLSLossless, lambda pixels, bits: bytes(imagecodecs.jpegls_encode(pixels))),
    "jpeg2000": (JPEG2000Lossless, lambda pixels, bits: _jpeg2000(pixels, ht=False, bits=bits)),
    "htj2k": (HTJ2KLossless, lambda pixels, bits: _jpeg2000(pixels, ht=True, bits=bits)),
}


def encode(film: DecodedFilm, attributes: Dataset, codec: str) -> tuple[bytes, UID, str, str]:
    """(staged element, transfer syntax, pixel hash, its kind); raises `QuarantineError` where decoding gives other pixels."""
    if film.codestream and film.transfer_syntax:
        element, syntax = encapsulated_element([film.codestream]), film.transfer_syntax
        digest, kind = pixel_hash(as_data_set(attributes, syntax, element))
        return element, syntax, digest, kind
    little = np.ascontiguousarray(film.pixels, dtype=film.pixels.dtype.newbyteorder("<"))
    if codec == "none":
        vr = "OW" if film.pixels.dtype.itemsize == 2 else "OB"
        element, syntax = native_element(little.tobytes(), vr), UID(ExplicitVRLittleEndian)
    elif codec == "rle":
        element, syntax = encapsulated_element([_rle(little)]), UID(RLELossless)
    else:
        syntax, function = _CODECS[codec]
        element = encapsulated_element([function(little, film.bits_stored)])
    wanted = decoded_pixel_hash(describe(attributes), [little])
    proved, kind = pixel_hash(as_data_set(attributes, syntax, element))
    if proved != wanted:
        raise QuarantineError(f"{codec} did not give the same pixels back: report it with the item's key")
    return element, syntax, proved, kind


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
            segment = bytes(imagecodecs.packbits_encode(np.ascontiguousarray(octets[:, :, octet]), axis=1))
            segments += segment + b"\x00" * (len(segment) % 2)
    header = np.zeros(16, "<u4")
    header[0] = len(offsets)
    header[1 : 1 + len(offsets)] = offsets
    return header.tobytes() + segments


def as_data_set(attributes: Dataset, syntax: UID, element: bytes) -> Dataset:
    """Pixel attributes and staged element as a data set that can be decoded."""
    dataset = Dataset()
    dataset.update(attributes)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    return attach_element(dataset, element)
