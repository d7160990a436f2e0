"""The pixel hash: what a picture is, whatever file, header or lossless transfer syntax carries it.

SHA-256 over rows, columns, samples, bits, sign, photometric interpretation and frames, then the decoded frames in little-endian
order (`objects.pixel_sha256`, kind `decoded`). Where the pixels are lossily compressed the codestream is hashed instead, since
decoders differ in the last bit (kind `codestream`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelDescription:
    """The attributes that give decoded pixels their meaning; all from the Image Pixel module (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    samples_per_pixel: int
    bits_stored: int
    signed: bool
    photometric_interpretation: str
    number_of_frames: int = 1

    def prefix(self) -> bytes:
        """The description as the hash sees it."""
        return (
            f"{self.rows}\\{self.columns}\\{self.samples_per_pixel}\\{self.bits_stored}\\{int(self.signed)}\\"
            f"{self.photometric_interpretation}\\{self.number_of_frames}\n"
        ).encode()


def decoded_pixel_hash(description: PixelDescription, frames: Iterable[NDArray[np.generic]]) -> str:
    """Hash of decoded frames (each rows x columns, or rows x columns x samples; integer or float; any byte order)."""
    digest = hashlib.sha256(description.prefix())
    for frame in frames:
        little = np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("<"))
        digest.update(little.data if little.size else b"")
    return digest.hexdigest()


def codestream_hash(description: PixelDescription, fragments: Iterable[bytes]) -> str:
    """Hash of the compressed frames, one codestream a frame, for lossily compressed pixels."""
    digest = hashlib.sha256(description.prefix())
    for fragment in fragments:
        digest.update(fragment)
    return digest.hexdigest()
