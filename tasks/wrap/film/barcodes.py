"""Barcodes on films and jackets: what they say, in which code, where they lie.

A barcode says a number and mostly not what it is the number of: a jacket's, a patient's, an order's. `settled` says which it is
where the label prints the same number under a heading, or where the barcode brings its own heading; else it is evidence and no
more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from tasks.wrap.film.fields import Found, fields_of
from tasks.wrap.film.text import TextLine

MOST_SIDE = 4000  # pixels; bars that are read at all are wider than a pixel at that size
BARCODE_CONFIDENCE = 0.999
_FORMATS = [
    zxingcpp.BarcodeFormat.Code128,
    zxingcpp.BarcodeFormat.Code39,
    zxingcpp.BarcodeFormat.ITF,
    zxingcpp.BarcodeFormat.Codabar,
    zxingcpp.BarcodeFormat.DataMatrix,
    zxingcpp.BarcodeFormat.QRCode,
    zxingcpp.BarcodeFormat.PDF417,
]
_UNCHECKED = frozenset(["Code 39", "ITF", "Codabar"])  # codes without a check digit, which ribs and grids can look like
_LEAST_UNCHECKED = 4  # characters


@dataclass(frozen=True)
class Barcode:
    """What a barcode says, in which code, where, as (left, top, width, height) in pixels of the scan.

    `turn` is how many degrees clockwise set it upright, to the nearest quarter. It tells nothing of mirroring: bars are read in
    both directions.
    """

    text: str
    format: str
    rectangle: tuple[int, int, int, int]
    turn: int


def read_barcodes(pixels: NDArray[Any]) -> list[Barcode]:
    """Barcodes of a film (rows x columns [x 3], unsigned), top to bottom, in any of `_FORMATS`."""
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    picture, scale = _eight_bits(gray)
    for binarizer in (zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram):
        read = zxingcpp.read_barcodes(picture, formats=_FORMATS, text_mode=zxingcpp.TextMode.Plain, binarizer=binarizer)
        found = [_barcode(code, scale, gray.shape) for code in read]
        kept = {code for code in found if code.format not in _UNCHECKED or len(code.text) >= _LEAST_UNCHECKED}
        if kept:
            return sorted(kept, key=lambda code: (code.rectangle[1], code.rectangle[0], code.text))
    return []


def settled(codes: Iterable[Barcode], readings: Iterable[Mapping[str, Found]]) -> dict[str, str]:
    """Fields whose meaning is settled: the barcode has a heading of its own, or a label prints the same number under one.

    `readings` are what either engine read on each label. Two barcodes that say different things of a field settle nothing.
    """
    said: dict[str, set[str]] = {}
    printed = list(readings)
    for code in codes:
        for field, found in fields_of([TextLine(((code.text, 1.0),))], (1, 9999)).items():
            if field in ("patient_id", "accession"):
                said.setdefault(field, set()).add(found.value)
        for fields in printed:
            for field in ("patient_id", "accession"):
                if field in fields and fields[field].value == code.text.strip().upper():
                    said.setdefault(field, set()).add(fields[field].value)
    return {field: next(iter(values)) for field, values in sorted(said.items()) if len(values) == 1}


def _eight_bits(gray: NDArray[Any]) -> tuple[NDArray[np.uint8], float]:
    """(the film in 8 bits, stretched over its range, at most `MOST_SIDE` long; its size over the scan's)."""
    scale = min(1.0, MOST_SIDE / max(gray.shape))
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray
    low, high = float(small.min()), float(small.max())
    if small.dtype == np.uint8:
        return np.ascontiguousarray(small), scale
    spread = 255.0 / max(high - low, 1.0)
    return np.asarray(cv2.convertScaleAbs(small, alpha=spread, beta=-low * spread), np.uint8), scale


def _barcode(code: Any, scale: float, shape: tuple[int, ...]) -> Barcode:
    corners = [code.position.top_left, code.position.top_right, code.position.bottom_right, code.position.bottom_left]
    across, down = [corner.x / scale for corner in corners], [corner.y / scale for corner in corners]
    left, top = max(0, int(min(across))), max(0, int(min(down)))
    right, bottom = min(shape[1], int(max(across)) + 1), min(shape[0], int(max(down)) + 1)
    turn = round(-code.orientation / 90) * 90 % 360
    return Barcode(code.text, str(code.format), (left, top, right - left, bottom - top), turn)
