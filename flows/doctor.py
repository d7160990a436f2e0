"""The checks of `filmroom doctor`: one line each, the mend beside what fails."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np

from tasks.configuration import Configuration, DimseTarget, PacsSource
from tasks.errors import FilmroomError
from tasks.load.target import check_target, target_name
from tasks.reconcile.index import check_index
from tasks.scan.listing import write_listing
from tasks.scan.pacs.check import check_pacs
from tasks.wrap.film.ocr import engine_for, read_labels

LEAST_FREE = 10 * 10**9


@dataclass(frozen=True)
class Check:
    """One line of the doctor's."""

    what: str
    fine: bool
    mend: str = ""


def checks(configuration: Configuration) -> Iterator[Check]:
    """All checks of a configuration and of the machine, in order."""
    yield Check("configuration", True)
    yield _try(f"text reader ({engine_for(configuration.wrap.ocr)})", lambda: _read(configuration))
    yield _try("codecs (JPEG-LS, JPEG 2000, HTJ2K)", _codecs)
    folder = configuration.project.workspace
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    yield Check(f"disk ({free / 1e9:.0f} GB free)", free >= LEAST_FREE, "less than 10 GB are free: make room")
    with tempfile.TemporaryDirectory() as listing:
        yield _try("sources and manifests", lambda: write_listing(configuration, Path(listing), ask=False))
    for name, source in configuration.sources.items():
        if isinstance(source, PacsSource):
            yield _try(f"source {name}", partial(check_pacs, source, configuration))
    if configuration.patients:
        yield _try("patient index", lambda: check_index(configuration.patients))
    else:
        yield Check("patient index", False, "none configured: nothing can be linked; add [patients] index")
    if isinstance(configuration.target, DimseTarget):
        yield _target(configuration)
    else:
        yield Check("target (embedded)", True)


def _try(what: str, check: Callable[[], object]) -> Check:
    try:
        check()
    except FilmroomError as error:
        return Check(what, False, str(error))
    return Check(what, True)


def _target(configuration: Configuration) -> Check:
    try:
        return Check(f"target {check_target(configuration)}", True)
    except FilmroomError as error:
        return Check(f"target {target_name(configuration)}", False, str(error))


def _read(configuration: Configuration) -> None:
    read_labels(np.full((64, 200), 255, np.uint8), configuration.wrap.ocr)


def _codecs() -> None:
    picture = np.arange(64, dtype=np.uint16).reshape(8, 8)
    pairs = (
        (imagecodecs.jpegls_encode, imagecodecs.jpegls_decode),
        (lambda p: imagecodecs.jpeg2k_encode(p, level=0, codecformat="j2k", reversible=True), imagecodecs.jpeg2k_decode),
        (lambda p: imagecodecs.htj2k_encode(p, reversible=True), imagecodecs.jpeg2k_decode),
    )
    for encode, decode in pairs:
        if not np.array_equal(decode(encode(picture)), picture):
            raise FilmroomError("a codec does not give the same pixels back: install the requirements again")
