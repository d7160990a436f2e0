"""What decoding a scan gives: the array and what its file declares of it."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from pydicom.uid import UID

from tasks.errors import QuarantineError

MOST_PIXELS = 500_000_000
# A picture of a scanner has noise: what grows more than this is none of a film. It is asked where memory is at stake only.
MOST_GROWTH, GROWTH_COUNTS_FROM = 100, 2**26


@dataclass(frozen=True)
class DecodedFilm:
    """Pixels (rows x columns, or rows x columns x 3; uint8 or uint16) and what the file says of them.

    `dpi` is (down, across) in dots per inch. `scanned_at` is YYYYMMDDHHMMSS. `ratio` is that of the source's lossy compression
    and `method` its Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1), where it has one.
    `codestream` and its `transfer_syntax` are set where the source's own compressed data is kept. `turn` and `mirrored` are
    what the file says has to be done to show it upright: a mirroring left to right, then a clockwise turn in degrees.
    `left_out` names what the file holds beside the picture and the object does not.
    """

    pixels: NDArray[Any]
    bits_stored: int
    photometric: str
    dpi: tuple[float, float] | None = None
    scanned_at: str | None = None
    codestream: bytes | None = None
    transfer_syntax: UID | None = None
    ratio: float | None = None
    method: str | None = "ISO_10918_1"
    turn: int | None = None
    mirrored: bool | None = None
    left_out: tuple[str, ...] = ()


def check_shape(pixels: NDArray[Any], rows: int, columns: int, samples: int, what: str) -> None:
    """Raises `QuarantineError` where a codec gave another shape than the header of the file, `what`, declares."""
    if pixels.shape != (rows, columns) + ((samples,) if samples > 1 else ()):
        raise QuarantineError(f"a {what} whose picture is not of the size its header says")


def check_size(rows: int, columns: int) -> None:
    """Refuses what DICOM cannot hold (PS3.3 C.7.6.3: Rows and Columns are US) and decompression bombs, before decoding."""
    if rows < 1 or columns < 1 or rows > 65535 or columns > 65535 or rows * columns > MOST_PIXELS:
        raise QuarantineError(f"a picture of {rows} x {columns} pixels is none that can be wrapped")


def check_growth(decoded: int, stored: int) -> None:
    """Refuses a decompression bomb before decoding: `decoded` bytes of pixels out of `stored` bytes of a file.

    Codecs but PackBits and lossless JPEG have no useful bound of their own: Deflate gives 1032 bytes for one, JPEG 2000 and
    JPEG XL a whole picture for a few dozen.
    """
    if decoded > GROWTH_COUNTS_FROM and decoded > MOST_GROWTH * stored:
        raise QuarantineError(f"a picture of {decoded} bytes out of {stored}: not decoded, it may be a bomb")
