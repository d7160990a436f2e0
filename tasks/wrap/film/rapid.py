"""The second reader of a line of text: the recognition network that RapidOCR brings, run on its own.

RapidOCR's recogniser (PP-OCR, CRNN with CTC: Shi et al. 2015, Graves et al. 2006) reads grainy and faint lines that Tesseract
does not. Only the network is used, with the alphabet that can stand on a label, so that each character has its own probability;
RapidOCR's own pipeline looks for text a second time, and prints.
"""

import threading
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.errors import StageBlockedError
from tasks.wrap.film.text import TextLine

_HEIGHT = 48  # pixels of a line, as the network was trained
_LEAST_WIDTH, _MOST_WIDTH = 48, 1600
_ALPHABET = frozenset(map(chr, range(0x20, 0x7F))) | frozenset(map(chr, range(0xC0, 0x100)))
_CARETS = frozenset('^"*~')
_BLANK = 0  # the network's first class says: no character here
_of_thread = threading.local()  # a session of its own for each thread keeps a batch's threads apart


def read_line(line: NDArray[np.uint8]) -> TextLine:
    """Reads a line of text (rows x columns, 8 bits, upright); empty where nothing is read.

    The confidence of a word is that of its least certain character but carets, which are taken for many things. Raises
    `StageBlockedError` where the network is missing.
    """
    session, columns, letters = _network()
    width = int(np.clip(round(line.shape[1] * _HEIGHT / line.shape[0]), _LEAST_WIDTH, _MOST_WIDTH))
    scaled = cv2.resize(line, (width, _HEIGHT), interpolation=cv2.INTER_AREA if line.shape[0] > _HEIGHT else cv2.INTER_CUBIC)
    plane = scaled.astype(np.float32) / 127.5 - 1.0
    (scores,) = session.run(None, {session.get_inputs()[0].name: np.repeat(plane[None, None], 3, axis=1)})
    return _decoded(scores[0][:, columns], letters)


def _decoded(scores: NDArray[np.float32], letters: tuple[str, ...]) -> TextLine:
    """The line that is likeliest step by step (steps x characters, probabilities): repeats are one character, blanks none."""
    likely = scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-9)
    steps = zip(likely.argmax(axis=1).tolist(), likely.max(axis=1).tolist(), strict=True)
    words: list[tuple[str, float]] = [("", 1.0)]
    for character, run in groupby(steps, key=lambda step: step[0]):
        certain = max(confidence for _, confidence in run)
        word, confidence = words[-1]
        if letters[character] == " ":
            words.append(("", 1.0))
        elif character != _BLANK:
            sure = confidence if letters[character] in _CARETS else min(confidence, certain)
            words[-1] = (word + letters[character], sure)
    return TextLine(tuple((word, round(confidence, 4)) for word, confidence in words if word))


def _network() -> tuple[Any, NDArray[np.intp], tuple[str, ...]]:
    """(session, classes of the network that are used, their characters; the first is the blank)."""
    import onnxruntime

    if not hasattr(_of_thread, "session"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        _of_thread.session = onnxruntime.InferenceSession(str(_model()), options, providers=["CPUExecutionProvider"])
    known = ["", *_of_thread.session.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]
    columns = [_BLANK, *(place for place, letter in enumerate(known) if place and letter in _ALPHABET)]
    return _of_thread.session, np.array(columns, np.intp), tuple(known[place] for place in columns)


@lru_cache(maxsize=1)
def _model() -> Path:
    package = find_spec("rapidocr")
    if package and package.origin:
        for file in sorted((Path(package.origin).parent / "models").glob("*_rec_*.onnx")):
            return file
    raise StageBlockedError("RapidOCR has no recognition network: install the requirements again")
