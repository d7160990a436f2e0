"""What it costs to read the headers of many DICOM files: the header scan, pydicom and gdcmscanner, in one run.

usage: python -m benchmarks.scan [FILES] [FOLDER]

FILES files (20,000) are made of a few real objects in FOLDER (../shared/realdata/dicom), each under a UID of its own. All three
read the same elements of all files, in one process each, with the files in the page cache; the values of 500 files are compared
with pydicom's. The limit is ten times pydicom's files a second, and more than gdcmscanner's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.datadict import tag_for_keyword

from tasks.header_scan import Values, scan_file, text_of, wanted

ASKED = (
    *("TransferSyntaxUID", "MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "SpecificCharacterSet"),
    *("ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "SeriesDate", "AcquisitionDate", "StudyTime"),
    *("AccessionNumber", "Modality", "ConversionType", "Manufacturer", "InstitutionName", "ReferringPhysicianName"),
    *("StudyDescription", "SeriesDescription", "ManufacturerModelName", "PatientName", "PatientID"),
    *("IssuerOfPatientID", "PatientBirthDate", "PatientSex", "BodyPartExamined", "StudyInstanceUID"),
    *("SeriesInstanceUID", "StudyID", "SeriesNumber", "InstanceNumber", "SamplesPerPixel", "PhotometricInterpretation"),
    *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored"),
)
OBJECTS = (
    "CT_small",
    "MR_small",
    "MR_small_implicit",
    "MR_small_RLE",
    "JPEG2000",
    "693_J2KI",
    "SC_rgb_jpeg_dcmtk",
)
LIMIT = 10.0


def made(folder: Path, objects: list[Path], files: int) -> list[Path]:
    """The files: copies whose SOP Instance UID ends in their number."""
    sources = []
    for path in objects:
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID).encode()
        sources.append((path.read_bytes(), uid))
    paths = []
    for number in range(files):
        data, uid = sources[number % len(sources)]
        paths.append(folder / f"{number:06}.dcm")
        paths[-1].write_bytes(data.replace(uid, uid[:-8] + f".1{number:06}".encode()))
    return paths


def seconds(work: Callable[[], object]) -> float:
    """Processor time, children's included, the better of two tries: other work on the machine only makes it longer."""
    times = []
    for _ in range(2):
        began = sum(os.times()[:4])
        work()
        times.append(sum(os.times()[:4]) - began)
    return min(times)


def by_pydicom(path: Path) -> Values:
    """The values as pydicom reads them."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    holders = {keyword: dataset if keyword in dataset else dataset.file_meta for keyword in ASKED}
    return {keyword: text_of(holder[keyword].value) for keyword, holder in holders.items() if keyword in holder}


def main() -> None:
    """Runs the benchmark and prints its figures."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/realdata/dicom")
    objects = sorted(path for path in folder.rglob("*") if path.stem in OBJECTS and path.stat().st_size < 200_000)
    asked = wanted(ASKED)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        paths = made(Path(temporary), objects, files)
        os.sync()
        scan = files / seconds(lambda: [scan_file(path, asked) for path in paths])
        plain = files / seconds(lambda: [pydicom.dcmread(path, stop_before_pixels=True) for path in paths])
        print(f"header scan {scan:,.0f} files/s, pydicom {plain:,.0f}: {scan / plain:.1f} times (limit {LIMIT:.0f})")
        if scanner := shutil.which("gdcmscanner"):
            tags = [f"{tag >> 16:04x},{tag & 0xFFFF:04x}" for tag in map(tag_for_keyword, ASKED) if tag is not None]
            command = [scanner, "-r", "-d", temporary, *(part for tag in tags for part in ("-t", tag))]
            gdcm = files / seconds(lambda: subprocess.run(command, check=True, capture_output=True))
            print(f"gdcmscanner {gdcm:,.0f} files/s: {scan / gdcm:.2f} times")
        other = [path.name for path in paths[:: max(1, files // 500)] if scan_file(path, asked) != by_pydicom(path)]
    print(f"values that are not pydicom's: {len(other)} of {len(range(0, files, max(1, files // 500)))} files compared")


if __name__ == "__main__":
    main()
