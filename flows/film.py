"""`filmroom film FILE`: what would be done with one scan, without a migration: the digitizing vendor's quick check.

The file goes through the same scan and wrap as in a run, in a folder of its own that is removed afterwards. The object has no
patient and no study yet: those are settled by reconcile, which needs the hospital's index.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tasks.configuration import Configuration, FilmSource, read_configuration
from tasks.errors import ConfigurationError
from tasks.keys import item_key
from tasks.pixel_data import compose, read_data_set
from tasks.printable import printable_path
from tasks.scan.stage import scan_batch
from tasks.schemas import LABEL_FIELDS
from tasks.stage import Outcome, StageContext
from tasks.wrap.stage import wrap_batch

# Type 2 attributes of patient and study that reconcile fills in; type 1 numbers are those of a study of this one film.
_NOT_RECONCILED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber",
)  # fmt: skip
_SHOWN = ("sop_class_uid", "transfer_syntax_uid", "rows", "columns", "bits_stored", "photometric", "rotation", "mirrored")
_EVIDENCE = ("label_regions", "markers", "film_bounds")


@dataclass(frozen=True)
class Examined:
    """One object that would be made, or the reason why none is: `facts` by name, and the object with its pixels."""

    page: int
    outcome: str
    reason: str
    facts: dict[str, Any]
    dataset: Dataset | None


def examine(file: Path, configuration_file: Path | None) -> list[Examined]:
    """Scans and wraps a file; `configuration_file` says which source's settings hold for it.

    Raises `ConfigurationError` where there is no such file, or no film source in the configuration holds it.
    """
    if not file.is_file():
        raise ConfigurationError(f"{file}: no such file: name a scan")
    file = file.resolve()
    with tempfile.TemporaryDirectory(prefix="filmroom-") as folder:
        configuration, name, source = _settings(file, configuration_file, Path(folder))
        return list(_examined(file, StageContext(configuration, Path(folder), "wrap"), name, source))


def _settings(file: Path, configuration_file: Path | None, workspace: Path) -> tuple[Configuration, str, FilmSource]:
    """The configuration, and the film source that holds the file, with its name."""
    if configuration_file is None:
        film = {"kind": "film", "path": file.parent, "name": "film"}
        configuration = Configuration.model_validate({"project": {"name": "film", "workspace": workspace}, "source": [film]})
    else:
        configuration = read_configuration(configuration_file)
        project = configuration.project.model_copy(update={"workspace": workspace})
        configuration = configuration.model_copy(update={"project": project})
    for name, source in configuration.sources.items():
        if isinstance(source, FilmSource) and file.is_relative_to(source.path.resolve()):
            return configuration, name, source
    raise ConfigurationError(f"{file}: lies in no film source of {configuration_file}: correct [[source]] or leave -c out")


def _examined(file: Path, context: StageContext, name: str, source: FilmSource) -> Iterator[Examined]:
    path = printable_path(str(file.relative_to(source.path.resolve())).encode("utf-8", "surrogateescape"))
    listed = {
        "item_key": item_key(name, path), "entry": "file", "source": name, "source_order": 0, "path": path, "jacket": None,
        "listed_by": None, "listing": None, "group_key": f"{name}/{path}", "group_files": 1, "bytes": file.stat().st_size,
        "torn": False,
    }  # fmt: skip
    for found in scan_batch([listed], context):
        item = {**found.rows["items"][0], "duplicate_of": None}
        if found.outcome != "done" or item["kind"] != "film":
            reason = found.reason or f"recognised as {item['media_type']}: no film"
            yield Examined(item["page"], found.outcome, reason, {"media_type": item["media_type"]}, None)
            continue
        for wrapped in wrap_batch([item], context):
            yield from _objects(item, wrapped, context)


def _objects(item: dict[str, Any], wrapped: Outcome, context: StageContext) -> Iterator[Examined]:
    rows = wrapped.rows.get("objects", ())
    if not rows:
        yield Examined(item["page"], wrapped.outcome, wrapped.reason, {"media_type": item["media_type"]}, None)
    for row in rows:
        facts = {"media_type": item["media_type"]}
        facts |= {name: row.get(name) for name in _SHOWN}
        facts |= {name: row[name] for name in sorted(row) if name.startswith("qc_")}
        facts["fields"] = {
            field: {
                "value": row[f"label_{field}"],
                "confidence": row[f"label_{field}_confidence"],
                "origin": row[f"label_{field}_origin"],
            }
            for field in LABEL_FIELDS
            if row.get(f"label_{field}")
        }
        facts |= {name: json.loads(row[name]) for name in _EVIDENCE if row.get(name)}
        facts["turn_evidence"] = row.get("turn_evidence")
        yield Examined(item["page"], wrapped.outcome, wrapped.reason, facts, _dataset(row, context))


def _dataset(row: Any, context: StageContext) -> Dataset:
    element = (context.staging / row["path"]).read_bytes() if row.get("path") else None  # a presentation state has none
    dataset = compose(row["source_header"], element, row["source_trailer"], row["transfer_syntax_uid"])
    dataset.update(read_data_set(row.get("pixel_header") or b""))
    for keyword in _NOT_RECONCILED:
        setattr(dataset, keyword, "")
    dataset.SeriesNumber, dataset.InstanceNumber = "1", "1"
    if dataset.get("PresentationCreationDate") == "":
        now = context.now()
        dataset.PresentationCreationDate, dataset.PresentationCreationTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = row["study_instance_uid"], row["series_instance_uid"]
    return dataset


def printed(examined: Examined) -> str:
    """An examined page as text: facts, fields, regions, then the object's header."""
    lines = [f"page {examined.page}: {examined.outcome}{f' ({examined.reason})' if examined.reason else ''}"]
    for name, value in examined.facts.items():
        if isinstance(value, list):
            lines += [f"  {name}", *(f"    {json.dumps(part, ensure_ascii=False)}" for part in value)]
        elif name == "fields":
            lines += [f"  {name}", *(f"    {key:<14} {_reading(reading)}" for key, reading in value.items())]
        elif isinstance(value, dict):
            lines.append(f"  {name:<22} {json.dumps(value)}")
        elif value is not None:
            lines.append(f"  {name:<22} {f'{value:.6g}' if isinstance(value, float) else value}")
    if examined.dataset is not None:
        lines += ["  header", *(f"    {line}" for line in str(_without_pixels(examined.dataset)).splitlines())]
    return "\n".join(lines)


def _reading(reading: dict[str, Any]) -> str:
    return f"{reading['value']}  ({reading['origin']}, {reading['confidence']:.2f})"


def _without_pixels(dataset: Dataset) -> Dataset:
    header = Dataset()
    header.update({element.tag: element for element in dataset if element.tag != 0x7FE00010})
    return header


def save_objects(file: Path, examined: list[Examined], folder: Path) -> list[Path]:
    """Writes the objects into a folder, named after the scan and its page; gives back their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, page in enumerate((page for page in examined if page.dataset is not None), 1):
        assert page.dataset is not None
        path = folder / f"{file.stem}-{number:03d}.dcm"
        page.dataset.save_as(path, enforce_file_format=True)
        written.append(path)
    return written
