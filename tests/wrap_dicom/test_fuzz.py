"""Damaged files: nothing crashes or stands still, up to the final header; pixels taken over are those that pydicom reads."""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tasks.errors import FilmroomError
from tasks.scan.recognise import media_type
from tasks.stage import Outcome
from tests.wrap_dicom.conftest import Take
from tests.wrap_dicom.mutations import mutated, verdict
from tests.wrap_dicom.test_real import composed

LARGEST = 256 * 1024
SLOWEST = 2.0  # seconds


@pytest.fixture(scope="module")
def whole_files(realdata: Path) -> list[bytes]:
    files = [file for file in sorted((realdata / "dicom").rglob("*")) if file.is_file() and file.stat().st_size < LARGEST]
    return [data for data in (file.read_bytes() for file in files) if media_type(data[: 36 * 1024]) == "application/dicom"]


def survive(seeds: range, whole_files: list[bytes], take: Take) -> list[str]:
    """What became of each mutation; fails where one is not survived."""
    outcomes = []
    for seed in seeds:
        whole = whole_files[seed % len(whole_files)]
        data = mutated(whole, seed)
        started = time.monotonic()
        outcome, staging = take(data)
        assert time.monotonic() - started < SLOWEST, seed
        assert "unexpected" not in outcome.reason, seed
        for row in outcome.rows.get("objects", ()):
            with suppress(FilmroomError):  # a header may need a person; nothing else may come of it
                composed(row)
        outcomes.append(judged(outcome, staging, data, whole))
        assert outcomes[-1] != "other pixels", seed
    return outcomes


def judged(outcome: Outcome, staging: Path, data: bytes, whole: bytes) -> str:
    for row in outcome.rows.get("objects", ()):
        element = (staging / row["path"]).read_bytes() if row.get("path") else None
        assert element is None or hashlib.sha256(element).hexdigest() == row["sha256"]
        return verdict(data, whole, row, element)
    return outcome.outcome


def test_damaged_files_are_survived(whole_files: list[bytes], take: Take) -> None:
    outcomes = survive(range(400), whole_files, take)
    assert outcomes.count("the same") > 50 and outcomes.count("quarantined") > 100


@pytest.mark.slow
def test_many_damaged_files_are_survived(whole_files: list[bytes], take: Take) -> None:
    outcomes = survive(range(1_000_000, 1_003_000), whole_files, take)
    assert outcomes.count("the same") > 400


def test_what_is_read_of_whole_files_is_what_pydicom_reads(
    whole_files: list[bytes], take: Callable[..., tuple[Outcome, Path]]
) -> None:
    """The judge itself: it finds a pixel turned by one bit, and a description that says something else."""
    compared = 0
    for data in whole_files[:60]:
        outcome, staging = take(data)
        for row in outcome.rows.get("objects", ()):
            if not row.get("path"):
                continue
            element = bytearray((staging / row["path"]).read_bytes())
            assert verdict(data, data, row, bytes(element)) == "the same"
            element[12] ^= 1
            assert verdict(data, data, row, bytes(element)) == "other pixels"
            compared += 1
    assert compared > 20
