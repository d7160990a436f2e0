"""Input rows of load: objects as wrap, reconcile and validate would hand them on, small and made here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, JPEGLSLossless

from tasks.configuration import Configuration, DimseTarget, FilmSource, Network, Project
from tasks.keys import object_key, uid_of
from tasks.pixel_data import compose, encapsulated_element, header_bytes, native_element, pixel_hash
from tasks.stage import StageContext
from tasks.staging import stage_element

GRAY_WORD = "1.2.840.10008.5.1.4.1.1.7.3"
GRAY_BYTE = "1.2.840.10008.5.1.4.1.1.7.2"
CLASSIC = "1.2.840.10008.5.1.4.1.1.7"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@dataclass
class Place:
    """A workspace folder and the context of a load into a target."""

    folder: Path
    port: int
    ae_title: str = "ORTHANC"
    our_ae_title: str = "FILMROOM"
    context: StageContext = field(init=False)

    def __post_init__(self) -> None:
        configuration = Configuration(
            project=Project(name="t", workspace=self.folder),
            source=(FilmSource(kind="film", path=self.folder),),
            network=Network(ae_title=self.our_ae_title),
            target=DimseTarget(kind="dimse", host="127.0.0.1", port=self.port, ae_title=self.ae_title),
        )
        self.context = StageContext(configuration, self.folder, "load")


def picture(number: int, shape: Sequence[int] = (64, 48), bits: int = 12) -> NDArray[Any]:
    """Noise on a ramp; another for each number."""
    noise = np.random.default_rng(number).integers(0, 1 << bits, tuple(shape))
    return noise.astype(np.uint16 if bits > 8 else np.uint8)


def header(number: int, sop_class: str, pixels: NDArray[Any] | None, bits: int, study: str = "a") -> Dataset:
    """A final header; the patient goes with the study."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(sop_class), UID(uid_of("instance", number))
    dataset.StudyDate, dataset.Modality, dataset.ConversionType = "19840102", "RG", "DF"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = (
        f"Müller^{study}",
        f"ID{study}",
        "",
        "F",
    )
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID(uid_of("study", study)), UID(uid_of("series", study))
    dataset.StudyID, dataset.AccessionNumber, dataset.InstanceNumber = "", "", str(number)
    if pixels is not None:
        dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
        dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
        if pixels.ndim == 3:
            dataset.PlanarConfiguration = 0
        dataset.Rows, dataset.Columns = pixels.shape[:2]
        dataset.BitsAllocated = pixels.dtype.itemsize * 8
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, 0
    return dataset


def row(place: Place, dataset: Dataset, element: bytes | None, syntax: str, trailer: bytes = b"") -> dict[str, Any]:
    """The row of LOAD_VIEW for a header and a staged element."""
    number = int(dataset.InstanceNumber)
    key = object_key(f"item{number}")
    head = header_bytes(dataset)
    staged = stage_element(place.context.staging, key, element) if element else None
    proof = pixel_hash(compose(head, element, trailer, syntax)) if element else (None, None)
    return {
        "object_key": key,
        "item_key": f"item{number}",
        "study_instance_uid": str(dataset.StudyInstanceUID),
        "sop_instance_uid": str(dataset.SOPInstanceUID),
        "header": head,
        "trailer": trailer,
        "header_sha256": hashlib.sha256(head + trailer).hexdigest(),
        "sop_class_uid": str(dataset.SOPClassUID),
        "transfer_syntax_uid": syntax,
        "path": staged.path if staged else None,
        "bytes": (staged.bytes if staged else 0) + len(head),
        "sha256": staged.sha256 if staged else None,
        "pixel_sha256": proof[0],
        "pixel_hash_kind": proof[1],
        "validate_fingerprint": "f",
        "patient_id": str(dataset.PatientID),
        "source": "films",
        "is_withheld": False,
    }


def native(place: Place, number: int, study: str = "a", shape: Sequence[int] = (64, 48)) -> dict[str, Any]:
    """A 12-bit film without compression."""
    pixels = picture(number, shape)
    element = native_element(pixels.tobytes(), "OW")
    return row(place, header(number, GRAY_WORD, pixels, 12, study), element, str(ExplicitVRLittleEndian))


def jpeg_ls(place: Place, number: int, study: str = "a", shape: Sequence[int] = (64, 48)) -> dict[str, Any]:
    """A 12-bit film in JPEG-LS."""
    pixels = picture(number, shape)
    element = encapsulated_element([imagecodecs.jpegls_encode(pixels)])
    return row(place, header(number, GRAY_WORD, pixels, 12, study), element, str(JPEGLSLossless))


def jpeg(place: Place, number: int, study: str = "a") -> dict[str, Any]:
    """An 8-bit film that came as a baseline JPEG."""
    pixels = picture(number, bits=8)
    dataset = header(number, GRAY_BYTE, pixels, 8, study)
    dataset.LossyImageCompression = "01"
    element = encapsulated_element([imagecodecs.jpeg_encode(pixels, level=90)])
    return row(place, dataset, element, str(JPEGBaseline8Bit))


def document(place: Place, number: int, study: str = "a") -> dict[str, Any]:
    """An encapsulated PDF: no pixels, header only."""
    dataset = header(number, PDF, None, 0, study)
    dataset.DocumentTitle, dataset.MIMETypeOfEncapsulatedDocument = "Requisition", "application/pdf"
    dataset.EncapsulatedDocument = b"%PDF-1.4\n%%EOF\n\x00"
    return row(place, dataset, None, str(ExplicitVRLittleEndian))
