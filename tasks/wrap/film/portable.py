"""Portable bitmaps, graymaps and pixmaps (Netpbm PBM, PGM, PPM; plain and raw): 1 to 16 bits of gray, 8 bits of colour."""

import io
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decoded import DecodedFilm, check_size

# A field of the header: white space and comments, then a number.
_FIELD = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+(\d{1,9})")
_NEXT = re.compile(rb"\s*P[1-6]\s")  # a raw file may hold one picture after another
_PIECE = 2**20  # bytes
_TRUNCATED = "a truncated portable graymap: fewer values than its picture has"


def decode_portable(data: bytes) -> DecodedFilm:
    """Decodes one picture; raises `QuarantineError` on damage, `ReviewError` on what is not wrapped yet.

    Bits Stored is that of the maximum value declared. A PBM's ones are black, so it is white-is-zero; values stay untouched.
    """
    kind = data[1] - ord("0")
    is_bitmap, is_colour, is_plain = kind in (1, 4), kind in (3, 6), kind <= 3
    fields, position = [], 2
    for _ in range(2 if is_bitmap else 3):
        match = _FIELD.match(data, position)
        if match is None:
            raise QuarantineError("a damaged portable graymap: its header is cut short")
        fields.append(int(match[1]))
        position = match.end()
    columns, rows = fields[:2]
    largest = 1 if is_bitmap else fields[2]
    check_size(rows, columns)
    if not 1 <= largest <= 65535:
        raise QuarantineError(f"a damaged portable graymap: {largest} as its largest value")
    if is_colour and largest != 255:
        raise ReviewError(f"a portable pixmap with {largest} as its largest value is not wrapped yet")
    body = data[position:] if is_plain else data[position + 1 :]
    count = rows * columns * (3 if is_colour else 1)
    if is_bitmap:
        pixels: NDArray[Any] = _bits(body, rows, columns, is_plain)
    else:
        values = _plain(body, count) if is_plain else _raw(body, count, largest)
        if int(values.max(initial=0)) > largest or int(values.min(initial=0)) < 0:
            raise QuarantineError("a damaged portable graymap: values above the largest it declares")
        pixels = values.astype(np.uint8 if largest < 256 else np.uint16)
    if not is_plain and _NEXT.match(body, rows * ((columns + 7) // 8) if is_bitmap else count * (1 if largest < 256 else 2)):
        raise ReviewError("several pictures in one portable graymap are not wrapped yet")
    shape = (rows, columns, 3) if is_colour else (rows, columns)
    photometric = "RGB" if is_colour else "MONOCHROME1" if is_bitmap else "MONOCHROME2"
    return DecodedFilm(pixels.reshape(shape), largest.bit_length(), photometric)


def _raw(body: bytes, count: int, largest: int) -> NDArray[Any]:
    kind = np.dtype("u1" if largest < 256 else ">u2")
    if len(body) < count * kind.itemsize:
        raise QuarantineError(_TRUNCATED)
    return np.frombuffer(body, kind, count)


def _plain(body: bytes, count: int) -> NDArray[Any]:
    """Values as decimal numbers, a piece of the file at a time: as Python objects they take twenty times the file's size."""
    pieces: list[NDArray[Any]] = []
    found, rest = 0, b""
    file = io.BytesIO(re.sub(rb"#[^\r\n]*", b"", body))
    try:
        while found < count and (piece := file.read(_PIECE)):
            words = (rest + piece).split()
            # What stands at the end of a piece may go on in the next.
            rest = words.pop() if words and not piece[-1:].isspace() else b""
            pieces.append(np.array([int(word) for word in words], np.int64).clip(-1, 65536).astype(np.int32))
            found += len(words)
        values = np.concatenate([*pieces, np.array([int(rest)] if rest else [], np.int32)])[:count]
    except (ValueError, OverflowError) as error:
        raise QuarantineError("a damaged portable graymap: a value that is no number") from error
    if len(values) < count:
        raise QuarantineError(_TRUNCATED)
    return values


def _bits(body: bytes, rows: int, columns: int, is_plain: bool) -> NDArray[np.uint8]:
    if is_plain:
        digits = re.sub(rb"#[^\r\n]*|\s", b"", body)[: rows * columns]
        if len(digits) < rows * columns:
            raise QuarantineError(_TRUNCATED)
        pixels = np.frombuffer(digits, np.uint8) - np.uint8(ord("0"))
        if int(pixels.max(initial=0)) > 1:
            raise QuarantineError("a damaged portable bitmap: a value that is neither 0 nor 1")
        return pixels
    stride = (columns + 7) // 8
    if len(body) < rows * stride:
        raise QuarantineError(_TRUNCATED)
    packed = np.frombuffer(body, np.uint8, rows * stride).reshape(rows, stride)
    return np.ascontiguousarray(np.unpackbits(packed, axis=1)[:, :columns])
