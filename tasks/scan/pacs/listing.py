"""The list of a legacy PACS's studies: asked for once and kept in the workspace; a run takes up where it was without asking.

A study that the PACS holds under several patients is one row, with the counts of all of them. Where the PACS holds more than
it can be made to list, that is a row too. Patients are kept as keys only.
"""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydicom.dataset import Dataset

from tasks.configuration import Configuration, PacsSource
from tasks.errors import RetryLaterError, StageBlockedError
from tasks.keys import item_key, key_of
from tasks.network.asking import number_of
from tasks.network.retrieval import Retriever
from tasks.network.services import CANCELLED, SUCCESS
from tasks.received import object_path
from tasks.receiving import retriever_of
from tasks.scan.pacs.windows import MOST_ANSWERS, Keys, StudyWindows, Window

# What is taken for an object's size before it has come: few enough a batch that the next stages need not wait long for them.
NOMINAL_BYTES = 8 * 2**20
LISTED_BY = "C-FIND"
UNLISTED = "studies that are not listed"
_OUT_OF_RESOURCES = 0xA700
_WAITS = (1, 4, 16)  # seconds before a PACS that was lost or busy is asked once more
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("study", pa.string()),
    ("patient", pa.string()),
    ("series", pa.int64()),
    ("instances", pa.int64()),
]
_ANSWER: pa.Schema = pa.schema(_COLUMNS)
_STUDIES = """
    SELECT study, string_agg(patient, ' ' ORDER BY patient) AS patients,
           sum(series)::BIGINT AS series, sum(instances)::BIGINT AS instances
    FROM (SELECT study, patient, max(series) AS series, max(instances) AS instances FROM answers GROUP BY ALL)
    GROUP BY study ORDER BY study"""


def study_rows(name: str, order: int, source: PacsSource, configuration: Configuration) -> Iterator[dict[str, Any]]:
    """Listed rows (`tasks.scan.listing.LISTING`), one a study; asks the PACS where no list is kept.

    Raises `StageBlockedError` where it is down or refuses us.
    """
    kept = kept_list(configuration.project.workspace, name)
    if not kept.exists():
        write_list(source, configuration, kept)
    for batch in pq.ParquetFile(kept).iter_batches(10_000):
        for study in batch.to_pylist():
            path = object_path(study["study"]) or UNLISTED
            yield {
                "item_key": item_key(name, path),
                "source": name,
                "source_order": order,
                "entry": "study" if study["study"] else "unlisted",
                "path": path,
                "bytes": (study["instances"] or 1) * NOMINAL_BYTES,
                "group_key": key_of("group", name, path),
                "listed_by": LISTED_BY,
                "listing": _listing(study),
            }


def _listing(study: dict[str, Any]) -> str:
    """What makes a study's row another one when it changes: its counts and whose it is."""
    return json.dumps({name: study[name] for name in ("instances", "patients", "series") if study[name] is not None})


def kept_list(workspace: Path, name: str) -> Path:
    """Where the list of a source's studies is kept."""
    return workspace / "received" / "lists" / f"{key_of('studies', name)}.parquet"


def write_list(source: PacsSource, configuration: Configuration, target: Path) -> None:
    """Asks a PACS for all its studies and puts the list down whole.

    Raises `StageBlockedError` where it is down, refuses us, or stays lost or busy however often it is asked.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    answers, finished = target.with_suffix(".answers"), target.with_suffix(".new")
    with retriever_of(source, configuration) as retriever, pq.ParquetWriter(answers, _ANSWER) as writer:
        asked = StudyWindows(partial(_find, retriever))
        for window in asked.dated():
            writer.write_table(_table(window))
        are_whole = True
        for window in asked.patients():  # all studies, if its windows are whole, whatever those of the dates were
            writer.write_table(_table(window))
            are_whole = are_whole and window.whole
        if not are_whole:
            writer.write_table(pa.Table.from_pylist([{"study": ""}], schema=_ANSWER))
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(target.parent)}) as connection:
        connection.execute(f"CREATE VIEW answers AS FROM read_parquet('{_quoted(answers)}')")
        connection.execute(f"COPY ({_STUDIES}) TO '{_quoted(finished)}' (FORMAT parquet)")
    answers.unlink()
    finished.rename(target)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _find(retriever: Retriever, keys: Keys) -> tuple[list[Dataset], bool]:
    for seconds in _WAITS:
        try:
            return _asked(retriever, keys)
        except RetryLaterError:
            time.sleep(seconds)
    try:
        return _asked(retriever, keys)
    except RetryLaterError as error:
        raise StageBlockedError(
            f"source {retriever.peer.name} cannot be listed ({error}): see to it, then run again"
        ) from error


def _asked(retriever: Retriever, keys: Keys) -> tuple[list[Dataset], bool]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in ("StudyDate", "StudyTime", "PatientID", "StudyInstanceUID"):
        setattr(identifier, keyword, "")
    identifier.NumberOfStudyRelatedSeries = identifier.NumberOfStudyRelatedInstances = None
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    found = retriever.find(identifier, MOST_ANSWERS)
    if found.status not in (SUCCESS, CANCELLED, _OUT_OF_RESOURCES):
        raise RetryLaterError(f"the PACS answered a query with status 0x{found.status:04X}")
    return found.answers, found.whole


def _table(window: Window) -> pa.Table:
    return pa.Table.from_pylist([_answer(answer) for answer in window.answers], schema=_ANSWER)


def _answer(answer: Dataset) -> dict[str, Any]:
    return {
        "study": str(answer.get("StudyInstanceUID", "")),
        "patient": key_of("patient", str(answer.get("PatientID", "") or "")),
        "series": number_of(answer, "NumberOfStudyRelatedSeries"),
        "instances": number_of(answer, "NumberOfStudyRelatedInstances"),
    }
