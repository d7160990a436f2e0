"""Raw films: pixels without a format, as old film digitizers wrote them, read by the description in the configuration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.configuration import RawFilm
from tasks.errors import QuarantineError
from tasks.wrap.film.decoded import DecodedFilm, check_size


def decode_raw(data: bytes, raw: RawFilm | None) -> DecodedFilm:
    """Reads a film as `raw` describes it; the pixels may be a read-only view of `data`.

    Raises `QuarantineError` where the file contradicts the description: by its size, or by a pixel of more bits.
    """
    if raw is None or len(data) != raw.size:
        raise QuarantineError("a raw film that no description fits: correct `raw` of its source")
    check_size(raw.rows, raw.columns)
    kind = np.dtype(np.uint8) if raw.bits <= 8 else np.dtype("<u2" if raw.order == "little" else ">u2")
    pixels: NDArray[Any] = np.frombuffer(data, kind, raw.rows * raw.columns, raw.header)
    pixels = pixels.astype(kind.newbyteorder("="), copy=not pixels.flags.aligned).reshape(raw.rows, raw.columns)
    if int(pixels.max()) >= 2**raw.bits:
        raise QuarantineError(f"a raw film with pixels of more than {raw.bits} bits: correct `raw` of its source")
    return DecodedFilm(pixels, raw.bits, raw.photometric)
