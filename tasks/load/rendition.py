"""The form in which an object is sent: as it was staged where the target takes that, else losslessly decoded and proved."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.errors import QuarantineError, ReviewError
from tasks.pixel_data import compose, decoded_frames, is_lossy, native_element, pixel_hash, read_data_set
from tasks.stage import Row

EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
# Decoding leaves these as they are; YBR_RCT and its like decode to RGB, so that the header would have to say something else.
_KEPT_BY_DECODING = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"})


@dataclass(frozen=True)
class Rendition:
    """An encoded data set, the transfer syntax it is in and the presentation context it goes by."""

    data: bytes
    syntax: str
    context_id: int


def rendition_for(row: Row, element: bytes, accepted: dict[tuple[str, str], int]) -> Rendition:
    """Chooses what to send of an object (`LOAD_VIEW`).

    `accepted` gives the context ID by (SOP class, transfer syntax). Raises `ReviewError` where the target takes none of it, or
    only what could not be proved.
    """
    staged = b"".join((row["header"], element, row["trailer"] or b""))
    sop_class, syntax = row["sop_class_uid"], sent_syntax(row, accepted)
    if syntax != row["transfer_syntax_uid"]:
        if row["transfer_syntax_uid"] != EXPLICIT:
            staged = _decoded(row, element)
        if syntax == IMPLICIT:
            staged = _implicit(staged, row)
    return Rendition(staged, syntax, accepted[sop_class, syntax])


def sent_syntax(row: Row, accepted: dict[tuple[str, str], int]) -> str:
    """The transfer syntax in which an object goes to a target; parameters and errors as `rendition_for`."""
    sop_class, syntax = row["sop_class_uid"], row["transfer_syntax_uid"]
    if (sop_class, syntax) in accepted:
        return str(syntax)
    if is_lossy(syntax):
        raise ReviewError(
            f"the target does not take {sop_class} in {syntax}; such pixels go as they are or, unprovable, not at all"
        )
    for native in (EXPLICIT, IMPLICIT):
        if (sop_class, native) in accepted:
            return native
    raise ReviewError(f"the target does not take SOP class {sop_class}")


def _decoded(row: Row, element: bytes) -> bytes:
    dataset = compose(row["header"], element, row["trailer"] or b"", row["transfer_syntax_uid"])
    if str(dataset.PhotometricInterpretation) not in _KEPT_BY_DECODING:
        raise ReviewError("the target takes this colour object only decoded, which would change what its header says of it")
    frames = [_arranged(frame, dataset) for frame in decoded_frames(dataset)]
    value = b"".join(frame.tobytes() for frame in frames)
    native = native_element(value, "OB" if frames[0].dtype.itemsize == 1 else "OW")
    _prove(compose(row["header"], native, row["trailer"] or b"", EXPLICIT), row)
    return b"".join((row["header"], native, row["trailer"] or b""))


def _arranged(frame: NDArray[np.generic], dataset: Dataset) -> NDArray[np.generic]:
    """A frame as native pixel data has it: little-endian, colour by plane where Planar Configuration (0028,0006) says so."""
    if frame.ndim == 3 and dataset.get("PlanarConfiguration", 0) == 1:
        frame = frame.transpose(2, 0, 1)
    return np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("<"))


def _implicit(staged: bytes, row: Row) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, read_data_set(staged))
    encoded = bytes(buffer.getvalue())
    if row["pixel_sha256"]:
        _prove(read_data_set(encoded, IMPLICIT), row)
    return encoded


def _prove(dataset: Dataset, row: Row) -> None:
    try:
        proved = pixel_hash(dataset) == (row["pixel_sha256"], row["pixel_hash_kind"])
    except QuarantineError:
        proved = False
    if not proved:
        raise ReviewError("the uncompressed rendition that the target would take does not have the pixels of the staged object")
