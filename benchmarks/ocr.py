"""Words read on whole pictures, beside full-page Tesseract and RapidOCR in the same run, and what reading films costs.

usage: python -m benchmarks.ocr [FILMS]

Recall, precision and F1 are of words of two letters or digits and more, in upper case. FILMS real films (12) are read for the
cost; full-page Tesseract reads each in four orientations, as it has to where nobody knows which way up a film lies. Processor
time counts that of other processes too.
"""

import os
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytesseract
from numpy.typing import NDArray
from rapidocr import RapidOCR

from tasks.wrap.film.ocr import read_labels
from tasks.wrap.film.tesseract import tessdata_folder, tesseract_program

REALDATA = Path(__file__).resolve().parent.parent.parent / "shared" / "realdata"
# What stands on the pictures, typed off them.
TRUTH = {
    "presidio/0_ORIGINAL.png": "DAVIDSON DOUGLAS [M] 01.09.2012 DOB: 06.16.1976 PORTABLE SEMI-UPRIGHT",
    "presidio/1_ORIGINAL.png": "MARTIN CHAD [U] 01.01.2000",
    "jsl-workshop/de-identification-1.jpg": (
        "Fr: 1/19 Acc#: AccessionNumber Study Date: 03/16/1999 Study: StudyDescription Series: SeriesDescription Se#: 1 "
        "LEADTOOLS W: 254 L: 127 Fit, Mag: 1.79X Unit: 0.1 cm Name: Good, Guy PID: 125-98-445 Sex: PatientSex DOB: 08/02/1929"
    ),
    "jsl-workshop/deidentify-medical-2.jpg": (
        "Chest Se: 3/2 Im: 1/1 Lat: F Acc: 0545234234325V 2018 Oct 23 Img Tm: 14:23:53 Name: John Stiles Age: 78 DOB: 05/12/42"
        " Id: DCM / Lin: DCM / Id: ID W: 3498 L: 2000 MS"
    ),
    "jsl-workshop/test.png": (
        "In mid-april Anglesey moved his family and entourage from Rome to Naples, there to await the arrival of"
    ),
    "jsl-workshop/text_with_noise.png": (
        "Sur la base de la grande statue de Zeus, à Olympie, Phidias avait représenté les Douze Dieux. Entre le Soleil (Hélios)"
        " et la Lune (Sélénè) les douze divinités, groupées deux à deux, s'ordonnaient en six couples :"
    ),
    "jsl-workshop/handwritten_example.jpg": (
        "This is an example of handwritten text. Let's check the performance! I hope it will be awesome."
    ),
}
Reader = Callable[[NDArray[np.uint8]], str]


def words(text: str) -> Counter[str]:
    """Words of two letters or digits and more, and how often each stands there."""
    return Counter(word for word in re.findall(r"[^\W_]+", text.upper()) if len(word) >= 2)


def scores(wanted: Iterable[Counter[str]], got: Iterable[Counter[str]]) -> tuple[float, float, float]:
    """(recall, precision, F1) of words over all pictures."""
    pairs = list(zip(wanted, got, strict=True))
    right = sum((want & have).total() for want, have in pairs)
    recall = right / max(1, sum(want.total() for want, _ in pairs))
    precision = right / max(1, sum(have.total() for _, have in pairs))
    return recall, precision, 2 * recall * precision / max(1e-9, recall + precision)


def filmroom(picture: NDArray[np.uint8]) -> str:
    """All that Filmroom reads."""
    return "\n".join(line.text for label in read_labels(picture, "auto") for line in label.lines)


def full_page_tesseract(picture: NDArray[np.uint8]) -> str:
    """The page as Tesseract reads it by itself."""
    program, has_data = tesseract_program()
    pytesseract.pytesseract.tesseract_cmd = program
    return str(pytesseract.image_to_string(picture, config="" if has_data else f"--tessdata-dir {tessdata_folder()}"))


def full_page_rapidocr() -> Reader:
    """RapidOCR's own pipeline, in one thread."""
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine: Any = RapidOCR(params={"Global.log_level": "critical", **threads})
    return lambda picture: "\n".join(engine(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)).txts or ())


def processor_seconds(read: Callable[[], object]) -> float:
    """What a call costs, in this process and in those it starts."""

    def used() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    began = used()
    read()
    return used() - began


def compare_words() -> None:
    """Prints recall, precision and F1 of each reader, by folder and over all."""
    readers: dict[str, Reader] = {
        "filmroom": filmroom, "full-page tesseract": full_page_tesseract, "full-page rapidocr": full_page_rapidocr()
    }  # fmt: skip
    pictures = {name: cv2.imread(str(REALDATA / "ocr" / name), cv2.IMREAD_GRAYSCALE) for name in TRUTH}
    for reader, read in readers.items():
        got = {name: words(read(picture)) for name, picture in pictures.items()}
        for folder in ("presidio", "jsl-workshop", ""):
            names = [name for name in TRUTH if name.startswith(folder)]
            recall, precision, f1 = scores((words(TRUTH[name]) for name in names), (got[name] for name in names))
            print(f"{reader:20} {folder or 'both':13} words: recall {recall:.3f}  precision {precision:.3f}  F1 {f1:.3f}")


def compare_cost(count: int) -> None:
    """Prints the processor time of label reading as a share of full-page Tesseract's in four orientations."""
    files = sorted(path for path in (REALDATA / "films" / "scans").iterdir() if path.suffix in (".png", ".jpg"))[:count]
    films = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    filmroom(films[0])  # loads the engines
    ours = sum(processor_seconds(lambda film=film: filmroom(film)) for film in films)
    theirs = sum(
        processor_seconds(lambda film=film, turn=turn: full_page_tesseract(np.ascontiguousarray(np.rot90(film, turn))))
        for film in films
        for turn in range(4)
    )
    print(f"{count} films: label reading {ours / count:.2f} s a film; full-page Tesseract, four ways {theirs / count:.2f} s")
    print(f"share {ours / theirs:.2f} (limit 0.33)")


def main() -> None:
    """Runs both comparisons; needs the real data."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    cv2.setNumThreads(1)
    compare_words()
    compare_cost(int(sys.argv[1]) if len(sys.argv) > 1 else 12)


if __name__ == "__main__":
    main()
