"""The legacy archives of the sample migration: a CD with DICOMDIR and viewer, and a zip of an export."""

import uuid
import zipfile
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from people import Patient
from pictures import phantom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    UltrasoundMultiFrameImageStorage,
)

_WRITTEN = (2003, 5, 14, 10, 0, 0)


def uid(name: str) -> str:
    """A UID under 2.25 from a name."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'https://filmroom.example/' + name).int}"


def _object(patient: Patient, study: str, series: int, number: int, storage: UID, modality: str) -> Dataset:
    """What every object says: patient, study, series, equipment, UIDs."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = storage, uid(f"{study}/{series}/{number}")
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20030514"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "101500"
    dataset.AccessionNumber = f"OLD{sum(study.encode()) % 1000:03d}"
    dataset.Modality, dataset.Manufacturer, dataset.InstitutionName = modality, "ACME", "OLD TOWN CLINIC"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = study.upper()
    dataset.PatientName, dataset.PatientID = f"{patient.family}^{patient.given}", patient.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = patient.birth.strftime("%Y%m%d"), patient.sex
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(study), uid(f"{study}/{series}")
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", series, number
    return dataset


def _gray(dataset: Dataset, pixels: NDArray[np.uint16] | NDArray[np.uint8], bits: int) -> None:
    """Image Pixel module and native Pixel Data of [frames x] rows x columns."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = pixels.itemsize * 8, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.itemsize == 2 else "OB"


def _whole(dataset: Dataset, syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """The object with its file meta, ready to be written."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def radiograph(patient: Patient, study: str, number: int, *, jpeg_ls: bool = False) -> Dataset:
    """A CR image of the chest, 175 x 140, 12 bits; explicit little endian or JPEG-LS."""
    dataset = _object(patient, study, 1, number, ComputedRadiographyImageStorage, "CR")
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.BodyPartExamined, dataset.ViewPosition, dataset.PatientOrientation = "CHEST", "PA", ["L", "F"]
    pixels = np.ascontiguousarray(phantom(2000 + sum(study.encode()) + number, 0)[::4, ::4])
    _gray(dataset, pixels, 12)
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    if not jpeg_ls:
        return _whole(dataset)
    dataset.PixelData = encapsulate([bytes(imagecodecs.jpegls_encode(pixels))])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    return _whole(dataset, JPEGLSLossless)


def slice_of_head(patient: Patient, study: str, number: int, *, implicit: bool = False) -> Dataset:
    """A CT slice, 128 x 128, 12 bits; explicit or implicit little endian."""
    dataset = _object(patient, study, 2, number, CTImageStorage, "CT")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.BodyPartExamined, dataset.PatientPosition, dataset.KVP = "HEAD", "HFS", 120
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = uid(f"{study}/frame"), ""
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-64, -64, 5 * number]
    dataset.SliceThickness, dataset.PixelSpacing, dataset.AcquisitionNumber = 5, [1, 1], 1
    dataset.PatientOrientation = ["L", "P"]
    rows, columns = np.indices((128, 128)) - 64
    radius = 50 - 4 * number
    distance = rows**2 + columns**2
    chosen = np.random.default_rng(number)
    head = np.where(distance < radius**2, np.where(distance > (radius - 6) ** 2, 1900, 1040), 24)
    _gray(dataset, (head + chosen.integers(0, 24, head.shape)).astype(np.uint16), 12)
    dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    return _whole(dataset, ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian)


def beating_heart(patient: Patient, study: str) -> Dataset:
    """An ultrasound loop: 6 frames of 96 x 128, 8 bits."""
    dataset = _object(patient, study, 3, 1, UltrasoundMultiFrameImageStorage, "US")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    dataset.PatientOrientation, dataset.Laterality = "", ""
    rows, columns = np.indices((96, 128))
    chosen = np.random.default_rng(3)
    frames = []
    for frame in range(6):
        radius = 20 + (0, 3, 6, 8, 6, 3)[frame]
        wall = np.abs((rows - 50) ** 2 + (columns - 64) ** 2 - radius**2) < 220
        fan = 2 * np.abs(columns - 64) < rows + 24
        speckle = chosen.integers(0, 40, rows.shape)
        frames.append(np.where(fan, np.where(wall, 150, 30) + speckle, 0).astype(np.uint8))
    dataset.NumberOfFrames, dataset.FrameTime = len(frames), 40
    dataset.FrameIncrementPointer = 0x00181063
    _gray(dataset, np.stack(frames), 8)
    dataset.LossyImageCompression = "00"
    return _whole(dataset)


def as_file(dataset: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def make_media(folder: Path, people: list[Patient]) -> list[dict[str, str]]:
    """Writes CD1 and export.zip; gives back lines of truth.csv."""
    stranger = Patient("X7700", "UNKNOWN", "NOBODY", people[0].birth, "M")
    mistyped = people[1]
    misspelled = Patient(mistyped.patient_id, mistyped.family[:-1] + "N", mistyped.given, mistyped.birth, mistyped.sex)
    agrees = "header agrees with the index"
    held = [
        *((radiograph(people[0], "chest", number), "verified", agrees) for number in (1, 2)),
        *((slice_of_head(people[0], "head", number), "verified", agrees) for number in (1, 2, 3)),
        (beating_heart(people[5], "heart"), "verified", "header agrees with the index; several frames"),
        (radiograph(stranger, "stranger", 1), "review", "the patient is not in the index"),
        (radiograph(misspelled, "spelling", 1), "verified", "a letter of the name is another; number and birth date agree"),
    ]
    truth = _disc(folder / "CD1", [dataset for dataset, _, _ in held])
    for dataset, state, why in held:
        truth[dataset.SOPInstanceUID].update(
            patient_id="" if dataset.PatientID == "X7700" else dataset.PatientID, state=state, why=why
        )
    copy = as_file(held[0][0])
    members = [
        ("EXPORT/COPY.DCM", copy, people[0], "duplicate", "the same object, byte for byte, as on CD1"),
        ("EXPORT/IMPLICIT", as_file(slice_of_head(people[6], "old head", 1, implicit=True)), people[6], "verified",
         f"{agrees}; implicit little endian, no suffix"),
        ("EXPORT/JPEGLS.DCM", as_file(radiograph(people[3], "export", 1, jpeg_ls=True)), people[3], "verified",
         f"{agrees}; JPEG-LS"),
        ("EXPORT/TORN.DCM", copy[: len(copy) // 2], None, "quarantined", "cut off in the middle of its pixels"),
    ]  # fmt: skip
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for name, data, _, _, _ in members:
            archive.writestr(zipfile.ZipInfo(name, _WRITTEN), data)  # stored: how zlib deflates differs between machines
    lines = [*truth.values()]
    for name, _, patient, state, why in members:
        lines.append(_line(f"export.zip!{name}", patient.patient_id if patient else "", state, why))
    lines.append(_line("export.zip", "", "excluded", "a container: its members are items of their own"))
    return lines


def _line(name: str, patient_id: str, state: str, why: str) -> dict[str, str]:
    return {"file": f"media/{name}", "patient_id": patient_id, "state": state, "why": why}


def _disc(disc: Path, datasets: list[Dataset]) -> dict[str, dict[str, str]]:
    """Writes a CD; gives back a line of truth.csv for each file, the images' by SOP Instance UID and still without a state."""
    files = FileSet()
    files.UID, files.ID = UID(uid("CD1")), "CD1"
    for dataset in datasets:
        files.add(dataset)
    files.write(disc)
    lines: dict[str, dict[str, str]] = {
        str(instance.SOPInstanceUID): _line(f"CD1/{Path(instance.path).relative_to(disc.resolve()).as_posix()}", "", "", "")
        for instance in files
    }
    beside = (
        ("VIEWER.EXE", b"MZ" + bytes(510), "excluded", "the disc's viewer"),
        ("AUTORUN.INF", b"[autorun]\r\nopen=VIEWER.EXE\r\n", "excluded", "starts the viewer"),
        ("README.TXT", b"This disc holds images and a viewer for them.\r\n", "review", "a text beside the images"),
    )
    for name, data, state, why in beside:
        (disc / name).write_bytes(data)
        lines[name] = _line(f"CD1/{name}", "", state, why)
    lines["DICOMDIR"] = _line("CD1/DICOMDIR", "", "excluded", "the disc's list of its objects")
    return lines
