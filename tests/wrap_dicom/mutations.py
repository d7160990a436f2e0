"""Files damaged on purpose, the same for the same seed, and whether what was taken over of one is what pydicom reads in it."""

import io
import random
import struct
import warnings
from typing import Any, Literal

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from tasks.pixel_data import read_data_set

NUMBERS = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation", "NumberOfFrames")
PIXELS = (0x7FE00010, 0x7FE00008, 0x7FE00009)
EXTREMES = (0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)

Verdict = Literal["the same", "other pixels", "not judged"]


def mutated(data: bytes, seed: int) -> bytes:
    """The file with bits turned, lengths altered, bytes put in, left out or repeated, or cut off; mostly in the header."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        reach = len(damaged) if chance.random() < 0.3 else min(len(damaged), 4096)
        at = chance.randrange(max(1, reach - 4))
        match chance.randrange(7):
            case 0 | 1:
                damaged[at] ^= 1 << chance.randrange(8)
            case 2:
                damaged[at : at + 4] = struct.pack("<L", chance.choice(EXTREMES))
            case 3:
                damaged[at : at + 2] = struct.pack("<H", chance.choice(EXTREMES) & 0xFFFF)
            case 4:
                del damaged[at : at + chance.choice((1, 2, 8, 100))]
            case 5:
                damaged[at:at] = damaged[at : at + chance.choice((1, 2, 8, 100))]
            case 6:
                del damaged[chance.randrange(len(damaged)) :]
        if len(damaged) < 8:
            break
    return bytes(damaged)


def verdict(data: bytes, whole: bytes, row: dict[str, Any], element: bytes | None) -> Verdict:
    """Compares an `objects` row and its staged element with pydicom's reading of the same file: description and bytes.

    Where pydicom reads something else in the damaged file, it may be what it reads in the `whole` one, too.
    """
    if element is None or (seen := _seen(data)) is None:
        return "not judged"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        taken = _description(read_data_set(row["pixel_header"]))
    for description, value in filter(None, (seen, _seen(whole))):
        staged = element[12:]
        if taken == description and staged[: len(value)] == value[: len(staged)] and len(staged) >= len(value):
            return "the same"
    return "other pixels"


def _seen(data: bytes) -> tuple[list[Any], bytes] | None:
    """What pydicom reads: the description of the pixels and their bytes in little endian; `None` where it reads none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            source = pydicom.dcmread(io.BytesIO(data), force=True)
            tag = next(tag for tag in PIXELS if tag in source)
            seen, value = _description(source), source[tag].value or b""
            if source.original_encoding[1] is False:
                value = _turned(value, str(source[tag].VR))
            if "RecognitionCode" in source and "SOPClassUID" not in source:
                return _as_acr_nema(seen, value)
        except Exception:  # whatever pydicom raises on what it cannot read
            return None
    return seen, value


def _description(dataset: Dataset) -> list[Any]:
    numbers = [
        int(dataset.get(keyword) or (1 if keyword in ("SamplesPerPixel", "NumberOfFrames") else 0)) for keyword in NUMBERS
    ]
    planar = int(dataset.get("PlanarConfiguration") or 0) if numbers[2] > 1 else 0
    return [*numbers, str(dataset.get("PhotometricInterpretation") or ""), planar]


def _as_acr_nema(seen: list[Any], value: bytes) -> tuple[list[Any], bytes]:
    """Gray, which it need not say; and 12 bits unpacked one by one."""
    seen[7] = seen[7] or "MONOCHROME2"
    if seen[3] == 12:
        seen[3] = 16
        bits = np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")
        values = bits[: len(bits) // 12 * 12].reshape(-1, 12) @ (1 << np.arange(12))
        value = values[: seen[0] * seen[1] * seen[6]].astype("<u2").tobytes()
    return seen, value


def _turned(value: bytes, vr: str) -> bytes:
    width = {"OW": 2, "OF": 4, "OD": 8}.get(vr, 1)
    return np.frombuffer(value, f"<u{width}", len(value) // width).byteswap().tobytes()
