"""The pixels of a legacy object staged as they came, and the proof of it.

What is little endian already is copied; big-endian pixels are turned round and hashed before and after.
"""

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_codecs import NATIVE, can_decode, is_known, is_lossy
from tasks.pixel_data import compose, decoded_frames, describe, encapsulated_copy, native_element, pixel_hash
from tasks.pixel_frames import layout_of, number, transfer_syntax_of
from tasks.stage import StageContext
from tasks.staging import stage_element
from tasks.wrap.dicom.elements import tag_name
from tasks.wrap.dicom.read import LegacyObject, PixelElement, pixel_source
from tasks.wrap.dicom.transcode import little_endian

_VALUE = 12  # bytes before the value of a staged element


def stage_pixels(legacy: LegacyObject, pixels: PixelElement, key: str, context: StageContext) -> dict[str, Any]:
    """Stages the pixel element; gives the columns of `objects` that speak of pixels.

    Raises `QuarantineError` on pixels that are damaged or not what the header says, `ReviewError` on what cannot be proved.
    """
    _require_provable(legacy, pixels)
    source = pixel_source(legacy)
    if not pixels.encapsulated:
        _require_described(len(pixels.value), source, pixels)
    proof = _source_hash(source)
    element, syntax = _staged_form(pixels, source)
    if not _holds(element, legacy, pixels, proof):
        raise QuarantineError("the staged pixels are not those of the source: report it with the item's key")
    staged = stage_element(context.staging, key, element)
    shape = describe(source)
    return {
        "path": staged.path,
        "bytes": staged.bytes,
        "sha256": staged.sha256,
        "pixel_sha256": proof[0],
        "pixel_hash_kind": proof[1],
        "transfer_syntax_uid": str(syntax),
        "rows": shape.rows,
        "columns": shape.columns,
        "frames": shape.number_of_frames,
        "bits_stored": shape.bits_stored,
        "photometric": shape.photometric_interpretation,
    }


def _require_provable(legacy: LegacyObject, pixels: PixelElement) -> None:
    """Raises where the transfer syntax is not one whose pixels can be proved, or contradicts the pixel element."""
    if pixels.encapsulated and legacy.syntax in NATIVE:
        raise ReviewError(
            "the pixels are compressed, and the file does not say how: its transfer syntax is an uncompressed one"
        )
    if not is_known(legacy.syntax):
        raise ReviewError(f"pixels in transfer syntax {legacy.syntax} cannot be proved")
    if pixels.big_endian and pixels.vr == "OW" and number(legacy.dataset, "BitsAllocated") > 16:
        raise ReviewError("big-endian pixels of more than 16 bits: writers and readers disagree about the order of their bytes")


def _require_described(length: int, source: Dataset, pixels: PixelElement) -> None:
    """Raises where uncompressed pixels are longer than the header says.

    Less than a row more is padding, whatever it holds: a wrong number of rows or columns would make more. So are NUL bytes that
    make no further frame.
    """
    layout = layout_of(source)
    excess = pixels.value[layout.bytes :]
    is_padding = 8 * len(excess) < layout.columns * layout.samples * layout.allocated
    is_blank = 8 * len(excess) < layout.frame.bits and not bytes(excess).strip(b"\0")
    if len(excess) > 1 and not is_padding and not is_blank:
        raise ReviewError(f"the pixel element has {length} bytes, its header describes {layout.bytes}")


def _source_hash(source: Dataset) -> tuple[str, str]:
    syntax = transfer_syntax_of(source)
    if is_lossy(syntax) and can_decode(syntax):
        for _ in decoded_frames(source):  # the hash of a codestream says nothing about damage
            pass
    return pixel_hash(source)


def _staged_form(pixels: PixelElement, source: Dataset) -> tuple[bytes, UID]:
    """The staged element and its transfer syntax."""
    if pixels.encapsulated:
        return encapsulated_copy(source.PixelData), transfer_syntax_of(source)
    vr = str(source[pixels.tag].VR)
    if not pixels.big_endian:
        return native_element(bytes(pixels.value), vr, pixels.tag), UID(ExplicitVRLittleEndian)
    value = little_endian(pixels.value, vr, tag_name(pixels.tag))
    return native_element(value, vr, pixels.tag), UID(ExplicitVRLittleEndian)


def _holds(element: bytes, legacy: LegacyObject, pixels: PixelElement, proof: tuple[str, str]) -> bool:
    """Whether the staged element has the pixels of the source: the same bytes, or, turned round, the same hash."""
    if not pixels.big_endian:
        return memoryview(element)[_VALUE : _VALUE + len(pixels.value)] == pixels.value
    return pixel_hash(compose(legacy.describing, element, b"", ExplicitVRLittleEndian)) == proof
