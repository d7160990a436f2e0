"""What the IOD check costs: objects a second, beside dciodvfy on the same objects in the same run.

usage: python -m benchmarks.iod [FOLDER]

The objects are those of FOLDER (../shared/realdata/dicom) that pydicom reads and that name their SOP Class: for the check
without their pixels, as `validate` sees them, for dciodvfy as files. The limit is ten times dciodvfy's objects a second.
"""

import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pydicom

from tasks.pixel_data import header_bytes
from tasks.validate.iod import check, read_elements

LIMIT = 10.0
ROUNDS = 5
LARGEST = 10**6


def objects(folder: Path) -> dict[Path, bytes]:
    """Headers by file."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < LARGEST):
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            if "SOPClassUID" in dataset:
                found[path] = header_bytes(dataset)
        except Exception:  # pydicom raises whatever it likes on damaged files
            continue
    return found


def main() -> None:
    """Runs the benchmark and prints its figures."""
    warnings.simplefilter("ignore")
    headers = objects(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/realdata/dicom"))
    began = time.perf_counter()
    for header in headers.values():
        check(read_elements(header))
    first = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for header in headers.values():
            check(read_elements(header))
    rate = ROUNDS * len(headers) / (time.perf_counter() - began)
    print(f"IOD check: {rate:,.0f} objects/s ({len(headers)} objects; the first time round {first:.2f} s, tables and all)")
    if program := shutil.which("dciodvfy"):
        began = time.perf_counter()
        for path in headers:
            subprocess.run([program, "-new", str(path)], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        other = len(headers) / (time.perf_counter() - began)
        print(f"dciodvfy: {other:,.0f} objects/s; the check has {rate / other:.1f} times as many (limit {LIMIT:.0f})")


if __name__ == "__main__":
    main()
