"""Overlays in the bits of pixel words that the pixels do not use: moved into elements of their own (PS3.5 section 8.1.2).

Such overlays are retired (PS3.5-2004), few readers show them, and no compression keeps them. They are moved only where all that
stands above Bits Stored is overlays that the header describes; put back, they make the same words. Else the words stay as they
are.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tasks.errors import QuarantineError
from tasks.pixel_frames import number
from tasks.wrap.dicom.read import LegacyObject
from tasks.wrap.dicom.transcode import written

_GROUPS = range(0x6000, 0x6020, 2)
_ROWS, _COLUMNS, _FRAMES, _ALLOCATED, _POSITION, _DATA = 0x0010, 0x0011, 0x0015, 0x0100, 0x0102, 0x3000
_WORD = 16


def without_overlays(legacy: LegacyObject) -> tuple[LegacyObject, dict[int, bytes]]:
    """The object with plain pixel words, and the elements that its overlays have now; none where nothing was moved."""
    pixels, dataset = legacy.pixels, legacy.dataset
    positions = _positions(dataset)
    if pixels is None or pixels.encapsulated or pixels.big_endian or not positions or not _has_room(dataset):
        return legacy, {}
    stored = number(dataset, "BitsStored")
    size = 2 * number(dataset, "Rows") * number(dataset, "Columns") * number(dataset, "NumberOfFrames", 1)
    if len(pixels.value) < size:
        return legacy, {}
    words = np.frombuffer(pixels.value[:size], "<u2")
    plain = words & np.uint16(2**stored - 1)
    above = np.bitwise_or.reduce(words) & ~np.uint16(2**stored - 1)
    if min(positions.values()) < stored or int(above) & ~sum(1 << position for position in set(positions.values())):
        return legacy, {}
    described = {
        tag: part for group, position in positions.items() for tag, part in _moved(group, words & np.uint16(1 << position))
    }
    value = memoryview(plain.tobytes() + bytes(pixels.value[size:]))
    return replace(legacy, pixels=replace(pixels, value=value)), described


def _positions(dataset: Dataset) -> dict[int, int]:
    """Overlay Bit Position (60xx,0102) by group, of overlays that lie in the pixels, as large as these."""
    found = {}
    for group in _GROUPS:
        if _value(dataset, group, _ALLOCATED) == _WORD and (group, _DATA) not in dataset:
            size = [_value(dataset, group, element) for element in (_ROWS, _COLUMNS)]
            frames = _value(dataset, group, _FRAMES) or 1
            position = _value(dataset, group, _POSITION)
            same = size == [number(dataset, "Rows"), number(dataset, "Columns")] and frames == number(
                dataset, "NumberOfFrames", 1
            )
            if not same or position is None or position >= _WORD:
                return {}
            found[group] = position
    return found


def _value(dataset: Dataset, group: int, element: int) -> int | None:
    try:
        return int(dataset[group, element].value)
    except (KeyError, TypeError, ValueError):
        return None


def _has_room(dataset: Dataset) -> bool:
    """Whether pixels are unsigned words of one sample with unused bits above them, and only there."""
    try:
        stored = number(dataset, "BitsStored")
        gray = number(dataset, "SamplesPerPixel", 1) == 1 and number(dataset, "PixelRepresentation", 0) == 0
        return gray and number(dataset, "BitsAllocated") == _WORD > stored > 0 and number(dataset, "HighBit") == stored - 1
    except QuarantineError:
        return False


def _moved(group: int, words: NDArray[np.uint16]) -> list[tuple[int, bytes]]:
    """The elements of an overlay that has its own: a bit for each word, from the lowest on, without a gap between frames."""
    packed = np.packbits(words != 0, bitorder="little").tobytes()
    values = {_ALLOCATED: ("US", b"\1\0"), _POSITION: ("US", b"\0\0"), _DATA: ("OW", packed)}
    return [(group << 16 | element, written(group << 16 | element, *value)) for element, value in values.items()]
