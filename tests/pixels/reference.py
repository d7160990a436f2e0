"""The pixel hash once more, from its definition alone; and pictures in data sets, uncompressed or compressed."""

import hashlib
import zlib
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import UID

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
BASELINE, LOSSLESS_57, LOSSLESS_70 = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 57, 70))
JPEG_LS, JPEG_LS_NEAR, JPEG_2000, JPEG_2000_LOSSY = (f"1.2.840.10008.1.2.4.{number}" for number in (80, 81, 90, 91))
JPEG_XL, HTJ2K = "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.201"
RLE, UNCOMPRESSED_FRAMES, DEFLATED_FRAMES = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"
LOSSLESS = (LOSSLESS_70, JPEG_LS, JPEG_2000, HTJ2K, JPEG_XL, RLE, UNCOMPRESSED_FRAMES, DEFLATED_FRAMES)


def reference_hash(frames: NDArray[Any], *, stored: int, signed: bool = False, photometric: str = "MONOCHROME2") -> str:
    """SHA-256 of the description and the samples of frames x rows x columns [x samples], little-endian, colour by pixel."""
    count, rows, columns = frames.shape[:3]
    samples = frames.shape[3] if frames.ndim == 4 else 1
    text = f"{rows}\\{columns}\\{samples}\\{stored}\\{int(signed)}\\{photometric}\\{count}\n"
    return hashlib.sha256(text.encode() + frames.astype(frames.dtype.newbyteorder("<")).tobytes()).hexdigest()


def described(
    frames: NDArray[Any], *, stored: int, allocated: int | None = None, photometric: str = "MONOCHROME2", planar: int = 0
) -> Dataset:
    """Image Pixel attributes of frames x rows x columns [x samples]."""
    dataset = Dataset()
    dataset.SamplesPerPixel = frames.shape[3] if frames.ndim == 4 else 1
    dataset.PhotometricInterpretation = photometric
    if frames.ndim == 4:
        dataset.PlanarConfiguration = planar
    if len(frames) > 1:
        dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames.shape[1:3]
    dataset.BitsAllocated = allocated or frames.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = stored, stored - 1
    dataset.PixelRepresentation = int(frames.dtype.kind == "i")
    return dataset


def with_pixels(dataset: Dataset, value: bytes, syntax: str, vr: str = "OW") -> Dataset:
    """The data set with its pixel element and a file meta that names the transfer syntax."""
    dataset[0x7FE00010] = DataElement(0x7FE00010, vr, value)
    dataset["PixelData"].is_undefined_length = UID(syntax).is_encapsulated if UID(syntax).is_transfer_syntax else True
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def native(frames: NDArray[Any], *, planar: int = 0, big: bool = False) -> bytes:
    """Uncompressed pixels as PS3.5 section 8.1 and 7.3 have them, 8-bit ones as OB."""
    if planar:
        frames = frames.transpose(0, 3, 1, 2)
    value = frames.astype(frames.dtype.newbyteorder(">" if big else "<")).tobytes()
    return value + b"\0" * (len(value) % 2)


def compressed(frames: NDArray[Any], syntax: str, dataset: Dataset) -> bytes:
    """Encapsulated pixels, one fragment a frame."""
    return encapsulate([codestream(frame, syntax, dataset) for frame in frames])


def codestream(frame: NDArray[Any], syntax: str, dataset: Dataset) -> bytes:
    """One frame compressed."""
    if syntax == RLE:
        return RLELosslessEncoder.encode(
            frame,
            rows=dataset.Rows,
            columns=dataset.Columns,
            samples_per_pixel=dataset.SamplesPerPixel,
            bits_allocated=dataset.BitsAllocated,
            bits_stored=dataset.BitsStored,
            photometric_interpretation=dataset.PhotometricInterpretation,
            pixel_representation=dataset.PixelRepresentation,
            number_of_frames=1,
            planar_configuration=0,
            encoding_plugin="pydicom",
        )
    if syntax in (UNCOMPRESSED_FRAMES, DEFLATED_FRAMES):
        value = native(frame[None])
        if syntax == UNCOMPRESSED_FRAMES:
            return value
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(value) + deflate.flush()
    if frame.dtype.kind == "i":  # these codecs know no sign: they get the bits that are stored
        frame = frame.view(f"u{frame.dtype.itemsize}") & (2**dataset.BitsStored - 1)
        frame = frame.astype(np.uint8 if dataset.BitsStored <= 8 else np.uint16)
    encode = {
        LOSSLESS_57: imagecodecs.ljpeg_encode,
        LOSSLESS_70: imagecodecs.ljpeg_encode,
        JPEG_LS: imagecodecs.jpegls_encode,
        JPEG_2000: lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k", reversible=True, mct=False),
        HTJ2K: lambda a: imagecodecs.htj2k_encode(a, reversible=True, rgb=False if a.ndim == 3 else None),
        JPEG_XL: lambda a: imagecodecs.jpegxl_encode(a, lossless=True),
        BASELINE: lambda a: imagecodecs.jpeg_encode(a, level=90),
        JPEG_LS_NEAR: lambda a: imagecodecs.jpegls_encode(a, level=3),
        JPEG_2000_LOSSY: lambda a: imagecodecs.jpeg2k_encode(a, level=20, codecformat="j2k", reversible=False),
    }[syntax]
    return bytes(encode(np.ascontiguousarray(frame)))
