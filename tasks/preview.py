"""Small pictures of staged pixels for a person to look at: 8 bits, gray spread over what the film has, oriented as staged.

They tell a reviewer what is there and which label it bears; they are not made for reading an examination.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from tasks.errors import QuarantineError
from tasks.pixel_data import compose, decoded_frames, describe
from tasks.pixels import PixelDescription
from tasks.stage import Row
from tasks.staging import read_element

_TAILS = (0.5, 99.5)  # percent; dust and a scanner's bed would otherwise take the range
_OVERSAMPLED = 4  # pixels a side that are averaged into one of the preview; others are left out, so that large films are quick
_MARGIN = 0.1  # of the region's shorter side
_DECODED_AS_RGB = (JPEGBaseline8Bit, JPEGExtended12Bit)


def staged_object(staging: Path, row: Row) -> Dataset:
    """The data set of an `objects` row with its staged pixels.

    Raises `QuarantineError` where the pixels are gone or were changed on disk.
    """
    element = read_element(staging, row["path"], row["sha256"])
    return compose(row["source_header"], element, row["pixel_header"], row["transfer_syntax_uid"])


def preview(dataset: Dataset, side: int) -> NDArray[np.uint8]:
    """The middle frame as rows x columns, or rows x columns x RGB, its longer side at most `side`.

    Raises `QuarantineError` or `ReviewError` where the pixels cannot be decoded.
    """
    shape = describe(dataset)
    frame = next(islice(decoded_frames(dataset), shape.number_of_frames // 2, None))
    step = max(1, max(frame.shape[:2]) // (side * _OVERSAMPLED))
    return _reduced(_shown(frame[::step, ::step], shape, dataset), side)


@dataclass(frozen=True)
class Region:
    """A part of the picture: its box in pixels, and what sets it upright (a mirroring left to right, then a clockwise turn)."""

    left: int
    top: int
    width: int
    height: int
    turn: int = 0
    mirrored: bool = False


def crops(dataset: Dataset, regions: Sequence[Region], side: int) -> list[NDArray[np.uint8]]:
    """Each region with a margin, upright, gray or RGB, its longer side at most `side`; gray is spread over what the region has.

    Raises `QuarantineError` or `ReviewError` where the pixels cannot be decoded.
    """
    shape = describe(dataset)
    frame = next(islice(decoded_frames(dataset), 1))
    return [_crop(frame, shape, dataset, region, side) for region in regions]


def _crop(frame: NDArray[Any], shape: PixelDescription, dataset: Dataset, region: Region, side: int) -> NDArray[np.uint8]:
    margin = max(2, round(_MARGIN * min(region.width, region.height)))
    rows = slice(max(0, region.top - margin), region.top + region.height + margin)
    columns = slice(max(0, region.left - margin), region.left + region.width + margin)
    part = frame[rows, columns]
    picture = _shown(part, shape, dataset)
    upright = np.rot90(picture[:, ::-1] if region.mirrored else picture, -(region.turn // 90))
    return _reduced(np.ascontiguousarray(upright), side)


def _shown(frame: NDArray[Any], shape: PixelDescription, dataset: Dataset) -> NDArray[Any]:
    try:
        is_gray = shape.photometric_interpretation.startswith("MONOCHROME")
        return _gray(frame, shape) if is_gray else _colour(frame, dataset)
    except (AttributeError, ValueError, NotImplementedError) as error:
        raise QuarantineError(f"the colours cannot be shown ({type(error).__name__})") from error


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A preview as a JPEG file."""
    stored = picture if picture.ndim == 2 else picture[:, :, ::-1]  # OpenCV takes blue first
    _, encoded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return encoded.tobytes()


def _gray(frame: NDArray[Any], shape: PixelDescription) -> NDArray[Any]:
    """Gray values as floats from 0, black, to 255."""
    values = np.nan_to_num(_stored_values(frame, shape).astype(np.float32))
    low, high = np.percentile(values, _TAILS)
    if low == high:  # a sheet with a few marks on it: the marks are what there is to see
        low, high = values.min(), values.max()
    spread = np.interp(values, (low, max(high, low + 1e-6)), (0, 255)).astype(np.float32)
    return 255 - spread if shape.photometric_interpretation == "MONOCHROME1" else spread


def _stored_values(frame: NDArray[Any], shape: PixelDescription) -> NDArray[Any]:
    """The values without what stands above Bits Stored, overlays for instance."""
    if frame.dtype.kind == "f":
        return frame
    if shape.signed:
        frame = frame.view(np.dtype(f"{frame.dtype.byteorder}i{frame.dtype.itemsize}"))
    unused = max(0, 8 * frame.dtype.itemsize - shape.bits_stored)
    return (frame << unused) >> unused


def _colour(frame: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """RGB as floats from 0 to 255."""
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        frame = apply_color_lut(frame, dataset)
    elif photometric.startswith("YBR_FULL") and dataset.file_meta.TransferSyntaxUID not in _DECODED_AS_RGB:
        frame = convert_color_space(frame, "YBR_FULL", "RGB")
    return frame.astype(np.float32) / np.float32(1 if frame.dtype.itemsize == 1 else 257)


def _reduced(picture: NDArray[Any], side: int) -> NDArray[np.uint8]:
    rows, columns = picture.shape[:2]
    scale = side / max(rows, columns)
    if scale < 1:
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    reduced: NDArray[np.uint8] = np.rint(picture).astype(np.uint8)
    return reduced
