"""Pixels read by others than the project: pydicom, Pillow, tifffile and DCMTK's decoders.

What a film or a legacy file holds is read from the file itself, what an archive holds from the bytes it gives out, and nothing
of ours takes part.
"""

import io
import subprocess
import zipfile
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

Tool = Callable[[str], str]

JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "EncapsulatedDocument")


def film_pixels(path: Path) -> np.ndarray:
    """The pixels of a scan as its file has them."""
    if path.suffix == ".tif":
        return np.asarray(tifffile.imread(path))
    return np.asarray(Image.open(path))


def upright(scan: np.ndarray, turn: int | None, mirrored: bool | None) -> np.ndarray:
    """A scan mirrored left to right and then turned clockwise, where its turn is known."""
    return scan if turn is None else np.rot90(np.fliplr(scan) if mirrored else scan, -turn // 90)


def source_file(folder: Path, path: str) -> bytes:
    """The content of a file, or of an archive's member (`file!member`)."""
    file, _, member = path.partition("!")
    if not member:
        return (folder / file).read_bytes()
    with zipfile.ZipFile(folder / file) as archive:
        return archive.read(member)


def read(content: bytes) -> Dataset:
    """A DICOM file, with or without a preamble, and with or without a word about its transfer syntax."""
    dataset = pydicom.dcmread(io.BytesIO(content), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        assert little
    return dataset


def pixels(content: bytes, tool: Tool, scratch: Path) -> np.ndarray:
    """The pixel values of a DICOM file; DCMTK decodes what pydicom has no decoder for here."""
    syntax = read(content).file_meta.TransferSyntaxUID
    decoder = "dcmdjpls" if syntax in JPEG_LS else "dcmdjpeg" if syntax in LOSSLESS_JPEG else None
    if decoder is None:
        return _uncompressed(read(content))
    packed, plain = scratch / "packed.dcm", scratch / "plain.dcm"
    packed.write_bytes(content)
    subprocess.run([tool(decoder), packed, plain], check=True, capture_output=True)
    return pydicom.dcmread(plain).pixel_array


def _uncompressed(dataset: Dataset) -> np.ndarray:
    """Pixel values by pydicom; of ACR-NEMA images, which do not say that they are gray, and pack 12 bits, by their bits."""
    if "PhotometricInterpretation" not in dataset:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    if dataset.BitsAllocated == 12:
        bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little").reshape(-1, 12)
        return (bits @ (1 << np.arange(12))).reshape(dataset.Rows, dataset.Columns)
    if not str(dataset.get("NumberOfFrames") or 1).isdigit():
        dataset.NumberOfFrames = len(dataset.PixelData) * 8 // (dataset.Rows * dataset.Columns * dataset.BitsAllocated)
    return dataset.pixel_array


def difference(source: bytes, held: bytes, tool: Tool, scratch: Path) -> str:
    """What differs between the pixels of a legacy file and of the object in the archive; empty where nothing does.

    Compressed pixels in one syntax are compared as codestreams, all others as values, everything else of that kind as bytes.
    """
    one, other = read(source), read(held)
    present = [keyword for keyword in PIXELS if keyword in one]
    if present != [keyword for keyword in PIXELS if keyword in other]:
        return f"elements: {present}"
    if "PixelData" not in present:
        return "" if all(one[keyword].value == other[keyword].value for keyword in present) else "bytes"
    syntaxes = [d.file_meta.TransferSyntaxUID for d in (one, other)]
    if syntaxes[0] == syntaxes[1] and syntaxes[0].is_encapsulated:
        return "" if _same_codestreams(one, other) else "codestreams"
    return "" if np.array_equal(pixels(source, tool, scratch), pixels(held, tool, scratch)) else "values"


def _same_codestreams(one: Dataset, other: Dataset) -> bool:
    def frames(dataset: Dataset) -> Any:
        return generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))

    return all(a and b and a.rstrip(b"\0") == b.rstrip(b"\0") for a, b in zip_longest(frames(one), frames(other)))


def plain(element: DataElement) -> Any:
    """An element's value as text, bytes and lists of them, however it was encoded."""
    if element.VR == "SQ":
        return [[(inner.tag, plain(inner)) for inner in item] for item in element.value]
    if isinstance(element.value, bytes):
        return element.value
    return [str(one) for one in element.value] if element.VM > 1 else str(element.value)
