"""A film's pixels as a staged element in the configured lossless codec, proved by decoding it again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless

from tasks.errors import QuarantineError
from tasks.pixel_data import attach_element, describe, encapsulated_element, native_element, pixel_hash
from tasks.pixels import decoded_pixel_hash
from tasks.wrap.film.decoded import DecodedFilm


@dataclass(frozen=True)
class EncodedFilm:
    """A staged element, how it is encoded, and the hash that every later hand-over compares."""

    element: bytes
    transfer_syntax: UID
    pixel_sha256: str
    pixel_hash_kind: str


def encode(film: DecodedFilm, attributes: Dataset, codec: str) -> EncodedFilm:
    """Encodes a film; raises `QuarantineError` where decoding the element gives other pixels than the scan has."""
    if film.codestream is not None and film.transfer_syntax is not None:
        element, syntax = encapsulated_element([film.codestream]), film.transfer_syntax
        return EncodedFilm(element, syntax, *pixel_hash(as_data_set(attributes, syntax, element)))
    pixels = np.ascontiguousarray(film.pixels, dtype=film.pixels.dtype.newbyteorder("<"))
    element, syntax = _element(pixels, attributes, codec)
    wanted = decoded_pixel_hash(describe(attributes), [pixels])
    proved, kind = pixel_hash(as_data_set(attributes, syntax, element))
    if proved != wanted:
        raise QuarantineError(f"{codec} did not give the same pixels back: report it with the item's key")
    return EncodedFilm(element, syntax, proved, kind)


def _element(pixels: NDArray[Any], attributes: Dataset, codec: str) -> tuple[bytes, UID]:
    if attributes.BitsAllocated == 1:  # PS3.5 8.1.1: the first pixel is the lowest bit; no codec takes packed bits
        return native_element(np.packbits(pixels.ravel(), bitorder="little").tobytes(), "OB"), ExplicitVRLittleEndian
    if codec == "none":
        return native_element(pixels.tobytes(), "OW" if pixels.dtype.itemsize == 2 else "OB"), ExplicitVRLittleEndian
    syntax, function = _CODECS[codec]
    return encapsulated_element([function(pixels)]), syntax


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
            segment = bytes(imagecodecs.packbits_encode(np.ascontiguousarray(octets[:, :, octet]), axis=1))
            segments += segment + b"\x00" * (len(segment) % 2)
    header = np.zeros(16, "<u4")
    header[0] = len(offsets)
    header[1 : 1 + len(offsets)] = offsets
    return header.tobytes() + segments


_CODECS: dict[str, tuple[UID, Callable[[NDArray[Any]], bytes]]] = {
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
