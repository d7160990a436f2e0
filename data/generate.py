"""Makes the sample migration: `python data/generate.py [OUT]` writes data/sample, the same bytes each time.

About 60 films of 25 invented patients in jackets, with namesakes, twins, a duplicate, a mis-filed film, a picture saved into two
jackets, a corrupt and an empty file; a legacy CD with DICOMDIR and viewer; a patient index; truth.csv with what is expected.
"""

import csv
import shutil
import sys
import uuid
import zipfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian

SEED = 20261101
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
FAMILIES = (
    "HALVORSEN KELLER MORENO TANAKA OKAFOR LINDQVIST PETROV DUBOIS ROSSI NOVAK SILVA JANSSEN BAKER COHEN IVERSEN "
    "SCHMIDT WALSH FERRARI HORVAT LARSEN MENDEZ KOWALSKI YILMAZ"
).split()
GIVEN = "INGRID PETER ROSA KENJI GRACE ERIK OLGA MARC ELENA JAN TERESA WIM ALICE DAVID SVEN HANNA MARY LUCA IVAN NINA".split()
HOSPITAL = "ST ELSEWHERE HOSPITAL"


@dataclass(frozen=True)
class Patient:
    """An invented patient of the index."""

    patient_id: str
    family: str
    given: str
    birth: date
    sex: str


def patients() -> list[Patient]:
    """25 patients with films: the last four are two namesakes and a pair of twins."""
    chosen = np.random.default_rng(SEED)
    people = []
    for number in range(21):
        birth = date(1915, 1, 1) + timedelta(days=int(chosen.integers(0, 16000)))
        given = GIVEN[number % len(GIVEN)]
        people.append(Patient(str(40000123 + 7919 * number), FAMILIES[number], given, birth, "FM"[number % 2]))
    people.append(Patient("40900111", "HANSEN", "ANNA", date(1931, 3, 12), "F"))
    people.append(Patient("40900222", "HANSEN", "ANNA", date(1931, 3, 12), "F"))
    people.append(Patient("40900333", "BERG", "KARL", date(1940, 6, 1), "M"))
    people.append(Patient("40900344", "BERG", "KURT", date(1940, 6, 1), "M"))
    return people


def words(day: date) -> str:
    """A date as film labels write it: 12 MAR 1931."""
    return f"{day.day:02d} {MONTHS[day.month - 1]} {day.year}"


def picture(number: int, lines: list[str], marker: str) -> np.ndarray:
    """A radiograph-like phantom with a label block; 700 x 620, uint8."""
    noise = np.random.default_rng(SEED + number)
    field = np.full((700, 620), 30, np.uint8)
    centre = (310 + int(noise.integers(-25, 25)), 400)
    cv2.ellipse(field, centre, (210, 260), 0, 0, 360, 95, -1)
    for side in (-1, 1):
        cv2.ellipse(field, (centre[0] + side * 95, 400), (70, 180), side * 6, 0, 360, 45, -1)
    for rib in range(9):
        cv2.ellipse(field, (centre[0], 250 + 36 * rib), (195, 60), 0, 200, 340, 130, 5)
    cv2.rectangle(field, (centre[0] - 16, 160), (centre[0] + 16, 660), 150, -1)
    field = cv2.GaussianBlur(field, (0, 0), 3)
    field = np.clip(field.astype(np.int16) + noise.normal(0, 2.0, field.shape).astype(np.int16), 0, 255).astype(np.uint8)
    cv2.putText(field, marker, (40, 330), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 230, 3, cv2.LINE_AA)
    height = 14 + 24 * len(lines)
    field[8 : 8 + height, 10:400] = 245
    for row, text in enumerate(lines):
        cv2.putText(field, text, (20, 32 + 24 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.62, 10, 1, cv2.LINE_AA)
    return field


def label(patient: Patient, day: date, accession: str, *, identified: bool = True) -> list[str]:
    """The lines of a label."""
    lines = [f"NAME: {patient.family}, {patient.given}"]
    if identified:
        lines.append(f"ID: {patient.patient_id}")
    return [*lines, f"DOB: {words(patient.birth)}", f"SEX: {patient.sex}", f"DATE: {words(day)}", f"ACC: {accession}", HOSPITAL]


def write_film(folder: Path, stem: str, pixels: np.ndarray, number: int) -> str:
    """Writes a scan as JPEG, PNG or TIFF, 8, 12-in-16 or 16 bits by turns; gives back its name."""
    kind = number % 4
    if kind == 0:
        name = f"{stem}.jpg"
        (folder / name).write_bytes(imagecodecs.jpeg_encode(pixels, level=90))
    elif kind == 1:
        name = f"{stem}.png"
        (folder / name).write_bytes(imagecodecs.png_encode(pixels, level=9))
    elif kind == 2:
        name = f"{stem}.tif"
        tifffile.imwrite(folder / name, pixels, compression="zlib", resolution=(150, 150), resolutionunit="INCH",
                         datetime="2026:03:02 10:11:12", software="scanner", metadata=None)  # fmt: skip
    else:
        name = f"{stem}.tif"
        deep = (pixels.astype(np.uint16) >> 1) << 4
        tifffile.imwrite(folder / name, deep, compression="zlib", predictor=True, resolution=(150, 150),
                         resolutionunit="INCH", extratags=[(281, 3, 1, 4095, True)], metadata=None)  # fmt: skip
    return name


def make_films(folder: Path, people: list[Patient]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(truth rows, manifest rows) of the scans it writes."""
    chosen = np.random.default_rng(SEED + 1)
    truth: list[dict[str, str]] = []
    manifest: list[dict[str, str]] = []
    number = 0

    def add(name: str, patient: str, state: str, why: str) -> None:
        truth.append({"file": f"scans/{name}", "true_patient_id": patient, "expected": state, "why": why})

    for order, patient in enumerate(people):
        jacket = f"J{700100 + 137 * order}"
        day = date(1958, 1, 1) + timedelta(days=int(chosen.integers(0, 12000)))
        day = max(day, patient.birth + timedelta(days=4000))
        listed = 0
        namesake = patient.family in ("HANSEN", "BERG")
        for view in ("PA", "LAT") if order % 3 else ("PA", "LAT", "AP"):
            accession = f"R{5000000 + 1013 * order}"
            exam = day + timedelta(days=400) if view == "AP" else day
            pixels = picture(number, label(patient, exam, accession, identified=not namesake), "R" if view == "PA" else "L")
            name = write_film(folder, f"{jacket}_{view}_{number:03d}", pixels, number)
            add(name, patient.patient_id, "review" if namesake else "verified",
                "no identifier on the label, and a namesake or twin" if namesake else "label agrees with the index")  # fmt: skip
            number, listed = number + 1, listed + 1
        manifest.append({"jacket": jacket, "patient_id": patient.patient_id, "name": f"{patient.family}, {patient.given}",
                         "accession": f"R{5000000 + 1013 * order}", "study_date": "", "films": str(listed)})  # fmt: skip
    _add_exceptions(folder, people, truth, manifest)
    return truth, manifest


def _add_exceptions(folder: Path, people: list[Patient], truth: list[dict[str, str]], manifest: list[dict[str, str]]) -> None:
    """What goes wrong in a film library, once each."""

    def add(name: str, patient: str, state: str, why: str) -> None:
        truth.append({"file": f"scans/{name}", "true_patient_id": patient, "expected": state, "why": why})

    def listed(place: int, more: int) -> None:
        manifest[place]["films"] = str(int(manifest[place]["films"]) + more)

    scans = sorted(folder.iterdir())
    first = next(path for path in scans if path.name.startswith(manifest[4]["jacket"]))
    shutil.copyfile(first, folder / f"{first.stem}_copy{first.suffix}")
    listed(4, 1)
    add(f"{first.stem}_copy{first.suffix}", people[4].patient_id, "duplicate", "the same file twice in one jacket")
    listed(7, 1)  # a film the vendor lists and did not deliver
    jacket, stranger = manifest[10]["jacket"], people[2]
    pixels = picture(900, label(stranger, date(1971, 5, 5), "R9999999"), "R")
    name = write_film(folder, f"{jacket}_OBL_900", pixels, 1)
    listed(10, 1)
    add(name, stranger.patient_id, "review", "mis-filed: the label names another patient than the jacket")
    twice = next(path for path in scans if path.name.startswith(manifest[12]["jacket"]))
    other = f"{manifest[13]['jacket']}_PA_901{twice.suffix}"
    shutil.copyfile(twice, folder / other)
    listed(13, 1)
    add(other, people[12].patient_id, "review", "the last film saved again into the next jacket")
    blurred = cv2.GaussianBlur(picture(902, label(people[15], date(1969, 2, 3), "R1"), "L"), (0, 0), 7)
    name = write_film(folder, f"{manifest[15]['jacket']}_LAT_902", blurred, 1)
    listed(15, 1)
    add(name, people[15].patient_id, "review", "the label cannot be read")
    whole = next(path for path in scans if path.suffix == ".tif").read_bytes()
    (folder / f"{manifest[16]['jacket']}_PA_903.tif").write_bytes(whole[: len(whole) // 2])
    (folder / f"{manifest[17]['jacket']}_PA_904.tif").write_bytes(b"")
    listed(16, 1)
    listed(17, 1)
    add(f"{manifest[16]['jacket']}_PA_903.tif", "", "quarantined", "a truncated TIFF")
    add(f"{manifest[17]['jacket']}_PA_904.tif", "", "quarantined", "an empty file")


def uid(name: str) -> str:
    """A UID under 2.25 from a name."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, 'https://filmroom.example/' + name).int}"


def legacy(patient: Patient, name: str, number: int, family: str | None = None) -> Dataset:
    """A small valid CR image of a patient, explicit little endian."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    dataset.SOPInstanceUID = uid(f"{name}/{number}")
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20030514", "101500", f"OLD{number}"
    dataset.Modality, dataset.Manufacturer, dataset.InstitutionName = "CR", "ACME", "OLD TOWN CLINIC"
    dataset.ReferringPhysicianName = ""
    dataset.PatientName, dataset.PatientID = f"{family or patient.family}^{patient.given}", patient.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = patient.birth.strftime("%Y%m%d"), patient.sex
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", "PA"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(name), uid(f"{name}/series")
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", "1", str(number)
    dataset.PatientOrientation, dataset.Laterality = ["L", "F"], ""
    pixels = (picture(2000 + number, [f"SERIES {number}"], "R")[::4, ::4].astype(np.uint16)) << 4
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def make_media(folder: Path, people: list[Patient]) -> None:
    """A CD with DICOMDIR and viewer, and a zip of an export with a copy and a damaged object."""
    disc = folder / "CD1"
    files = FileSet()
    files.UID = uid("CD1")
    files.ID = "CD1"
    stranger = Patient("X77", "UNKNOWN", "NOBODY", date(1950, 1, 1), "M")
    for number in (1, 2, 3):
        files.add(legacy(people[0], "chest", number))
    files.add(legacy(stranger, "stranger", 4))
    files.add(legacy(people[1], "spelling", 5, family=people[1].family[:-1] + "X"))
    files.write(disc)
    (disc / "VIEWER.EXE").write_bytes(b"MZ" + b"\x00" * 510)
    (disc / "AUTORUN.INF").write_text("[autorun]\nopen=VIEWER.EXE\n")
    (disc / "README.TXT").write_text("This disc holds images and a viewer.\n")
    copy = next(path for path in sorted(disc.rglob("*")) if path.is_file() and b"DICM" in path.read_bytes()[:132]
                and path.name != "DICOMDIR").read_bytes()  # fmt: skip
    fresh = folder / "fresh.dcm"
    legacy(people[3], "export", 6).save_as(fresh, enforce_file_format=True)
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for name, data in (("a/fresh.dcm", fresh.read_bytes()), ("a/copy.dcm", copy), ("a/torn.dcm", copy[: len(copy) // 2])):
            archive.writestr(zipfile.ZipInfo(name, (2003, 5, 14, 10, 0, 0)), data, zipfile.ZIP_DEFLATED)
    fresh.unlink()


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Writes the sample."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "sample")
    shutil.rmtree(out, ignore_errors=True)
    (out / "scans").mkdir(parents=True)
    (out / "media").mkdir()
    people = patients()
    truth, manifest = make_films(out / "scans", people)
    make_media(out / "media", people)
    chosen = np.random.default_rng(SEED + 2)
    others = [
        Patient(str(50000000 + 31 * i), FAMILIES[int(chosen.integers(0, 23))], GIVEN[int(chosen.integers(0, 20))],
                date(1910, 1, 1) + timedelta(days=int(chosen.integers(0, 20000))), "FM"[i % 2])
        for i in range(300)
    ]  # fmt: skip
    index = [
        {"patient_id": p.patient_id, "family_name": p.family, "given_name": p.given, "birth_date": p.birth.strftime("%Y%m%d"),
         "sex": p.sex, "postcode": str(5000 + int(p.patient_id) % 900), "issuer": "STELSEWHERE"}
        for p in [*people, *others]
    ]  # fmt: skip
    write_csv(out / "mpi.csv", index)
    write_csv(out / "jackets.csv", manifest)
    write_csv(out / "truth.csv", sorted(truth, key=lambda row: row["file"]))
    shutil.copyfile(Path(__file__).parent / "sample.toml", out / "filmroom.toml")


if __name__ == "__main__":
    main()
