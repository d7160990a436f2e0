"""The transfer syntax that a compressed frame itself shows, for where the file meta information says none or another.

JPEG and JPEG-LS show it in their frame and scan headers (ISO/IEC 10918-1 B.2, 14495-1 C.2), JPEG 2000 in its CAP and COD marker
segments (ISO/IEC 15444-1 A.5, A.6), RLE in its header (PS3.5 Annex G.5).
"""

import struct

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

_BASELINE, _EXTENDED, _LOSSLESS, _JPEG_LS = 0xC0, 0xC1, 0xC3, 0xF7
_START_OF_SCAN = 0xDA
_CAPABILITIES, _CODING_STYLE, _START_OF_TILE = 0x50, 0x52, 0x90
_REVERSIBLE = 1
# Declared syntaxes that a codestream of another one fits too; what is not here has to be what the codestream shows.
_FITS = {
    JPEGBaseline8Bit: {JPEGExtended12Bit},
    JPEGLosslessSV1: {JPEGLossless},
    JPEGLSLossless: {JPEGLSNearLossless},
    JPEG2000Lossless: {JPEG2000},
    HTJ2KLossless: {HTJ2K, UID("1.2.840.10008.1.2.4.202")},
}


def fits(shown: UID, declared: str) -> bool:
    """Whether a codestream that shows one transfer syntax may stand under the declared one."""
    return shown == declared or declared in _FITS.get(shown, set())


def shown_syntax(codestream: bytes, segments: int) -> UID | None:
    """The transfer syntax that a codestream shows; `None` where it shows none.

    `segments` is how many an RLE frame of these pixels would have: samples times bytes of each.
    """
    try:
        if codestream.startswith(b"\xff\xd8\xff"):
            return _jpeg(codestream)
        if codestream.startswith(b"\xff\x4f\xff\x51"):
            return _jpeg_2000(codestream)
        return _run_length(codestream, segments)
    except (IndexError, struct.error):
        return None


def _jpeg(codestream: bytes) -> UID | None:
    place, frame = 2, 0
    while codestream[place] == 0xFF:
        marker = codestream[place + 1]
        if marker in (_BASELINE, _EXTENDED, _LOSSLESS, _JPEG_LS):
            frame = marker
        if marker == _START_OF_SCAN:
            components = codestream[place + 4]
            first = codestream[place + 5 + 2 * components]  # the predictor of lossless JPEG, NEAR of JPEG-LS
            lossless = JPEGLosslessSV1 if first == 1 else JPEGLossless
            jpeg_ls = JPEGLSNearLossless if first else JPEGLSLossless
            shown = {_BASELINE: JPEGBaseline8Bit, _EXTENDED: JPEGExtended12Bit, _LOSSLESS: lossless, _JPEG_LS: jpeg_ls}
            return shown.get(frame)
        place += 1 if marker == 0xFF else 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
    return None


def _jpeg_2000(codestream: bytes) -> UID | None:
    place, high_throughput = 2, False
    while codestream[place] == 0xFF and codestream[place + 1] != _START_OF_TILE:
        marker = codestream[place + 1]
        high_throughput |= marker == _CAPABILITIES
        if marker == _CODING_STYLE:
            if codestream[place + 13] == _REVERSIBLE:
                return HTJ2KLossless if high_throughput else JPEG2000Lossless
            return HTJ2K if high_throughput else JPEG2000
        place += 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
    return None


def _run_length(codestream: bytes, segments: int) -> UID | None:
    count, *offsets = struct.unpack_from("<16L", codestream)
    used, unused = offsets[:segments], offsets[segments:]
    ordered = all(one < other for one, other in zip(used, [*used[1:], len(codestream)], strict=True))
    return UID(RLELossless) if count == segments <= 15 and used[0] == 64 and ordered and not any(unused) else None
