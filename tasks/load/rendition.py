"""The form in which an object is sent: as it was staged where the target takes that, else losslessly decoded, proved before sending."""

from dataclasses import dataclass

import numpy as np
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.errors import ReviewError
from tasks.pixel_data import compose, decoded_frames, is_lossy, native_element, pixel_hash, read_data_set
from tasks.stage import Row


@dataclass(frozen=True)
class Rendition:
    """An encoded data set, the transfer syntax it is in and the presentation context it goes by."""

    data: bytes
    syntax: str
    context_id: int


def rendition_for(row: Row, element: bytes, accepted: dict[tuple[str, str], int]) -> Rendition:
    """Chooses what to send of an object (`LOAD_VIEW`); raises `ReviewError` where the target takes none of it."""
    sop_class, syntax = row["sop_class_uid"], row["transfer_syntax_uid"]
    staged = row["header"] + element + (row["trailer"] or b"")
    if (sop_class, syntax) in accepted:
        return Rendition(staged, syntax, accepted[sop_class, syntax])
    if not any(known == sop_class for known, _ in accepted):
        raise ReviewError(f"the target does not take SOP class {sop_class}")
    if is_lossy(syntax):
        raise ReviewError(f"the target does not take transfer syntax {syntax}, and lossy pixels are not re-encoded")
    if row["pixel_sha256"] and syntax != ExplicitVRLittleEndian:
        staged = _decoded(row, element)
    if context_id := accepted.get((sop_class, str(ExplicitVRLittleEndian))):
        return Rendition(staged, str(ExplicitVRLittleEndian), context_id)
    if context_id := accepted.get((sop_class, str(ImplicitVRLittleEndian))):
        return Rendition(_implicit(staged), str(ImplicitVRLittleEndian), context_id)
    raise ReviewError(f"the target takes no transfer syntax of SOP class {sop_class} that we can give")


def _decoded(row: Row, element: bytes) -> bytes:
    dataset = compose(row["header"], element, row["trailer"] or b"", row["transfer_syntax_uid"])
    if str(dataset.PhotometricInterpretation).startswith("YBR") or dataset.get("PlanarConfiguration", 0):
        raise ReviewError("the target takes this colour object only decoded, which would change its description")
    frames = [np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("<")) for frame in decoded_frames(dataset)]
    native = native_element(b"".join(frame.tobytes() for frame in frames), "OW" if frames[0].dtype.itemsize == 2 else "OB")
    proved, _ = pixel_hash(compose(row["header"], native, row["trailer"] or b"", ExplicitVRLittleEndian))
    if proved != row["pixel_sha256"]:
        raise ReviewError("the decoded rendition does not have the pixels of the staged object")
    return bytes(row["header"] + native + (row["trailer"] or b""))


def _implicit(staged: bytes) -> bytes:
    dataset = read_data_set(staged)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())
