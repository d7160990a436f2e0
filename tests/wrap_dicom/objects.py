"""Legacy objects made with pydicom, and an object that was taken over put together again."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, SecondaryCaptureImageStorage

from tasks.pixel_data import compose, read_data_set
from tests.pixels.reference import EXPLICIT, described, native, with_pixels

PICTURE = (np.arange(12 * 10, dtype=np.uint16).reshape(1, 12, 10) * 37) % 4096


def legacy(
    frames: Any = PICTURE, stored: int = 12, syntax: str = EXPLICIT, value: bytes | None = None, **options: Any
) -> Dataset:
    """A Secondary Capture object with a private block, a sequence and elements behind its pixels."""
    dataset = described(frames, stored=stored, **options)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.Modality, dataset.ConversionType = "OT", "WSD"
    dataset.PatientName, dataset.PatientID = "Müller^Jörg", "4711"
    dataset.PixelPaddingValue = 4095 if frames.dtype.kind == "u" else -1
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = SecondaryCaptureImageStorage, "1.2.826.0.1.3680043.8.498.4"
    dataset.ReferencedImageSequence = Sequence([item, item])
    block = dataset.private_block(0x0009, "FILMROOM TEST", create=True)
    block.add_new(0x01, "DS", "1.50")
    block.add_new(0x02, "OB", b"\1\2\3\4")
    behind = dataset.private_block(0x7FE3, "FILMROOM TEST", create=True)
    behind.add_new(0x01, "LO", "behind the pixels")
    vr = "OW" if frames.dtype.itemsize > 1 else "OB"
    return with_pixels(dataset, native(frames, big=syntax.endswith(".2.2")) if value is None else value, syntax, vr)


def data_set_bytes(dataset: Dataset, implicit: bool = False, little: bool = True) -> bytes:
    """A data set without preamble and file meta."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = little, implicit
    plain = Dataset()
    plain.update({element.tag: element for element in dataset})
    write_dataset(buffer, plain)
    return buffer.getvalue()


def file_bytes(dataset: Dataset) -> bytes:
    """A DICOM file, in the transfer syntax that its file meta names."""
    buffer = io.BytesIO()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(dataset.file_meta.TransferSyntaxUID)
    dataset.file_meta = meta
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def whole(row: dict[str, Any], staging: Path) -> Dataset:
    """Header, pixel attributes, staged pixels and trailer of an `objects` row put together."""
    element = (staging / row["path"]).read_bytes() if row.get("path") else None
    dataset = compose(row["source_header"], element, row["source_trailer"], row["transfer_syntax_uid"])
    dataset.update(read_data_set(row["pixel_header"]))
    return dataset
