"""What the pixels of a legacy object are where its header or file meta says it wrongly, or not at all, and one reading fits.

- The transfer syntax is the one that the codestreams show; pixels that are not encapsulated, and exactly as long as the header
  describes, are uncompressed.
- A Number of Frames that is no number is the one that uncompressed pixels have.
- ACR-NEMA knew gray pixels only, and did not say so (ACR-NEMA 300-1988).
- Overlays in unused bits of the pixels get elements of their own (`overlays`).
- Pixels packed in 12 bits (ACR-NEMA, and PS3.5 before 1999) are unpacked into words of 16, losslessly.

Each is recorded, with what the header said.
"""

from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.changes import encoded_otherwise, settled_otherwise
from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_codecs import DEFLATED_FRAMES, ENCAPSULATED_UNCOMPRESSED, NATIVE, VIDEO
from tasks.pixel_data import read_data_set
from tasks.pixel_frames import codestreams, layout_of, number
from tasks.wrap.dicom.codestream import fits, shown_syntax
from tasks.wrap.dicom.elements import Encoding, elements
from tasks.wrap.dicom.overlays import without_overlays
from tasks.wrap.dicom.read import LegacyObject, PixelElement, is_describing, pixel_source
from tasks.wrap.dicom.transcode import written

_TRANSFER_SYNTAX = 0x00020010
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ALLOCATED = 0x00280002, 0x00280004, 0x00280008, 0x00280100
_PACKED = 12  # bits
_OPAQUE = VIDEO | {ENCAPSULATED_UNCOMPRESSED, DEFLATED_FRAMES}  # whose frames show nothing
_NO_NUMBER = "no number of frames: the pixels are as long as these"


def settled(legacy: LegacyObject, pixels: PixelElement) -> LegacyObject:
    """The object with its pixels described as they are.

    Raises `QuarantineError` where attributes are missing that nothing else shows, `ReviewError` where what is described is not
    there, or packed in a way that is not read.
    """
    if not len(pixels.value):
        raise QuarantineError("the pixel element is empty")
    if legacy.is_acr_nema:
        legacy = _described(legacy, _gray(legacy.dataset), "ACR-NEMA images are gray")
    if not pixels.encapsulated and number(legacy.dataset, "BitsAllocated", 0) == _PACKED:
        legacy = _unpacked(legacy, pixels)
    legacy = _with_frames(legacy)
    legacy, overlays = without_overlays(legacy)
    if overlays:
        legacy = _described(legacy, overlays, "an overlay moved out of the unused bits of the pixels")
    return _with_syntax(legacy)


def _gray(dataset: Dataset) -> dict[int, bytes]:
    described: dict[int, bytes] = {}
    if number(dataset, "SamplesPerPixel", 1) != 1:
        return described
    if "SamplesPerPixel" not in dataset:
        described[_SAMPLES] = written(_SAMPLES, "US", b"\1\0")
    if "PhotometricInterpretation" not in dataset:
        described[_PHOTOMETRIC] = written(_PHOTOMETRIC, "CS", b"MONOCHROME2")
    return described


def _with_frames(legacy: LegacyObject) -> LegacyObject:
    try:
        if number(legacy.dataset, "NumberOfFrames", 1) > 0:
            return legacy
    except QuarantineError:
        pass
    assert legacy.pixels is not None
    if legacy.pixels.encapsulated:
        return legacy
    one = _described(legacy, {_FRAMES: written(_FRAMES, "IS", b"1")}, _NO_NUMBER)
    size = layout_of(pixel_source(one)).bytes
    count, excess = divmod(len(legacy.pixels.value), size)
    if count < 1 or excess > 1:
        return legacy
    return _described(legacy, {_FRAMES: written(_FRAMES, "IS", str(count).encode())}, _NO_NUMBER)


def _unpacked(legacy: LegacyObject, pixels: PixelElement) -> LegacyObject:
    """Pixels of 12 bits, each as far down as the one before leaves room, in words of 16."""
    if pixels.big_endian or number(legacy.dataset, "SamplesPerPixel", 1) != 1:
        raise ReviewError("pixels packed in 12 bits in big-endian words or in colour are not read yet")
    count = number(legacy.dataset, "Rows") * number(legacy.dataset, "Columns") * number(legacy.dataset, "NumberOfFrames", 1)
    packed = np.frombuffer(pixels.value, np.uint8)
    if count % 2 or len(packed) - count * 3 // 2 not in (0, 1):
        raise QuarantineError(f"the pixel element has {len(packed)} bytes, its header describes {count * 3 // 2}")
    low, middle, high = packed[: count * 3 // 2].reshape(-1, 3).astype("<u2").T
    pairs = np.stack([low | (middle & 0xF) << 8, middle >> 4 | high << 4], axis=1).astype("<u2")
    unpacked = replace(pixels, vr="OW", value=memoryview(pairs.tobytes()))
    words = {_ALLOCATED: written(_ALLOCATED, "US", b"\x10\0")}
    return _described(replace(legacy, pixels=unpacked), words, "pixels packed in 12 bits are unpacked into words")


def _with_syntax(legacy: LegacyObject) -> LegacyObject:
    pixels = legacy.pixels
    assert pixels is not None
    if not pixels.encapsulated:
        return legacy if legacy.syntax in NATIVE else _uncompressed(legacy)
    if legacy.syntax in _OPAQUE:
        return legacy
    source = pixel_source(legacy)
    segments = number(source, "SamplesPerPixel", 1) * max(1, number(source, "BitsAllocated", 8) // 8)
    try:
        shown = {shown_syntax(codestream, segments) for codestream in codestreams(source)}
    except QuarantineError:
        return legacy  # and staging them says why
    syntax = shown.pop() if len(shown) == 1 else None
    if syntax is not None and not fits(syntax, legacy.syntax):
        return _declared(legacy, syntax, "the compressed pixels show it")
    return legacy


def _uncompressed(legacy: LegacyObject) -> LegacyObject:
    """Raises `ReviewError` where uncompressed pixels under a compressed transfer syntax are not exactly those described."""
    native = _declared(legacy, UID(ExplicitVRLittleEndian), "the pixels are not encapsulated, and as long as uncompressed ones")
    assert native.pixels is not None
    if len(native.pixels.value) - layout_of(pixel_source(native)).bytes not in (0, 1):
        raise ReviewError(f"the pixels are not encapsulated, as transfer syntax {legacy.syntax} would have them")
    return native


def _declared(legacy: LegacyObject, syntax: UID, why: str) -> LegacyObject:
    change = encoded_otherwise(_TRANSFER_SYNTAX, str(legacy.syntax), str(syntax), why)
    return replace(legacy, syntax=syntax, changes=(*legacy.changes, change))


def _described(legacy: LegacyObject, described: dict[int, bytes], why: str) -> LegacyObject:
    """The object with these elements, in the header where they do not describe pixels."""
    before = _by_tag(legacy.header) | _by_tag(legacy.describing)
    changes = [settled_otherwise(element, before.get(tag), why) for tag, element in described.items()]
    parts = []
    for part, here in ((legacy.header, False), (legacy.describing, True)):
        own = {tag: element for tag, element in described.items() if is_describing(tag) is here}
        parts.append(b"".join(element for _, element in sorted((_by_tag(part) | own).items())) if own else part)
    dataset = read_data_set(b"".join(parts))
    dataset.file_meta = legacy.dataset.file_meta
    return replace(legacy, header=parts[0], describing=parts[1], dataset=dataset, changes=(*legacy.changes, *changes))


def _by_tag(data: bytes) -> dict[int, bytes]:
    found = elements(memoryview(data), 0, len(data), Encoding(True, True, lenient=True))
    return {element.tag: data[element.start : element.end] for element in found}
