"""Input rows and contexts for the tests of reconcile; values are what the view gives, everything not said is null."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.configuration import Configuration
from tasks.keys import item_key, key_of, object_key, uid_of
from tasks.pixel_data import header_bytes
from tasks.stage import StageContext

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LABELS = ("patient_name", "patient_id", "birth_date", "sex", "study_date", "accession", "institution")
INDEX_HEAD = "patient_id,family_name,given_name,birth_date,sex,issuer\n"
PERSON = "1001,O'NEIL,MARY ANN,19310312,F,STE\n"


def context(folder: Path, index: str | Path | None = INDEX_HEAD + PERSON, **changes: Any) -> StageContext:
    if isinstance(index, str):
        (folder / "mpi.csv").write_text(index, encoding="utf-8")
        index = folder / "mpi.csv"
    raw: dict[str, Any] = {
        "project": {"name": "t", "workspace": folder / "workspace", "issuer": "STE", "now": NOW},
        "source": [{"kind": "film", "path": folder}],
        **({"patients": {"index": index}} if index else {}),
        **changes,
    }
    return StageContext(Configuration.model_validate(raw), folder / "workspace", "reconcile")


def film(path: str = "a.tif", jacket: str = "J1", *, origin: str = "ocr", listing: dict[str, str] | None = None, **more: Any):
    """A film of a jacket; labels are given by field, such as `patient_id="1001"`."""
    item = item_key("scans", path)
    row: dict[str, Any] = {
        "object_key": object_key(item),
        "item_key": item,
        "kind": "film",
        "group_key": jacket,
        "assembly_key": jacket,
        "source": "scans",
        "source_order": 0,
        "path": path,
        "page": 1,
        "jacket": jacket,
        "listing": json.dumps(listing) if listing else None,
        "item_sha256": key_of(path),
        "sop_instance_uid": uid_of("instance", object_key(item)),
        "study_instance_uid": uid_of("study", object_key(item)),
        "series_instance_uid": uid_of("series", object_key(item)),
        "modality": "RG",
        "body_part": None,
        "film_bounds": None,
        "pixel_sha256": key_of("pixels", path),
        "other_jackets": 0,
        "rejections": 0,
        "checked_links": 0,
        "wrong_links": 0,
    }
    for field in LABELS:
        row[f"label_{field}"] = more.pop(field, None)
        row[f"label_{field}_origin"] = origin if row[f"label_{field}"] else None
    row.update(more)
    return row


def legacy(path: str, study: str, instance: str, dataset: Dataset | None = None, **more: Any) -> dict[str, Any]:
    """A legacy object; its labels come from its header."""
    row = film(path, "DISC", origin="header", **more)
    series = more.get("series_instance_uid", study + ".1")
    row.update(kind="dicom", jacket=None, assembly_key=key_of("study", study), study_instance_uid=study)
    row.update(sop_instance_uid=instance, series_instance_uid=series, source="discs")
    row["source_header"] = header_bytes(dataset) if dataset is not None else None
    row.setdefault("source_trailer", None)
    row.setdefault("pixel_header", b"")
    return row


def assembled(rows: list[dict[str, Any]], outcomes: Any) -> list[dict[str, Any]]:
    """Rows of `RECONCILE_VIEW`: the objects with the studies that assemble made of them, in order of the group."""
    studies = {outcome.key: outcome.rows["studies"][0] for outcome in outcomes}
    nothing = dict.fromkeys(("decision", "decision_value", "decided_by", "decided_at", "decision_reason"))
    joined = [{**nothing, **row, **studies[row["object_key"]]} for row in rows]
    return sorted(joined, key=lambda row: (row["study_instance_uid"], row["object_key"]))


def true_films(realdata: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The films of the real data with perfect labels, by jacket, and the true owner by object key."""
    folder = realdata / "films"
    with (folder / "jackets.csv").open() as file:
        listings = {line["jacket"]: {name: value for name, value in line.items() if value} for line in csv.DictReader(file)}
    rows, owners = [], {}
    with (folder / "truth.csv").open() as file:
        for line in csv.DictReader(file):
            name = f"{line['label_family']}^{line['label_given']}".strip("^") or None
            rows.append(
                film(
                    line["file"],
                    line["jacket"],
                    listing=listings.get(line["jacket"]),
                    patient_name=name,
                    patient_id=line["label_patient_id"] or None,
                    birth_date=line["label_birth_date"] or None,
                    study_date=line["label_study_date"] or None,
                    accession=line["label_accession"] or None,
                )
            )
            owners[rows[-1]["object_key"]] = line["true_patient_id"]
    return sorted(rows, key=lambda row: row["assembly_key"]), owners


def film_header(row: dict[str, Any]) -> dict[str, Any]:
    """The row with what wrap makes of an 8-bit film: SC header without patient and study, pixel attributes (PS3.3 A.8.3)."""
    pixels = Dataset()
    pixels.SamplesPerPixel, pixels.PhotometricInterpretation = 1, "MONOCHROME2"
    pixels.NumberOfFrames, pixels.Rows, pixels.Columns = "1", 8, 8
    pixels.BitsAllocated, pixels.BitsStored, pixels.HighBit, pixels.PixelRepresentation = 8, 8, 7, 0
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.2", row["sop_instance_uid"]
    header.ImageType, header.Modality, header.ConversionType = ["ORIGINAL", "SECONDARY"], "RG", "DF"
    header.Manufacturer, header.PatientOrientation, header.BurnedInAnnotation = "", "", "YES"
    header.ContentDate = header.ContentTime = header.Laterality = ""
    header.NominalScannedPixelSpacing = ["0.127", "0.127"]
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = "0", "1", "US"
    header.PresentationLUTShape, header.LossyImageCompression = "IDENTITY", "00"
    header.WindowCenter, header.WindowWidth = "128", "256"
    header.SecondaryCaptureDeviceManufacturer = "VIDAR"
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = "FILMD", "DCM", "Film Digitizer"
    digitizer = Dataset()
    digitizer.PurposeOfReferenceCodeSequence, digitizer.Manufacturer = Sequence([purpose]), "VIDAR"
    header.ContributingEquipmentSequence = Sequence([digitizer])
    header.update(pixels)
    plain = {"source_header": header_bytes(header), "pixel_header": header_bytes(pixels), "source_trailer": None}
    return {**row, **plain, "source_transfer_syntax_uid": "1.2.840.10008.1.2.1"}


def written(header_row: dict[str, Any], path: Path) -> Path:
    """A Part 10 file of a header row and 8x8 pixels of 8 bits, for the Debian tools."""
    from tasks.pixel_data import native_element, read_data_set

    data = header_row["header"] + native_element(np.arange(64, dtype="u1").tobytes(), "OB") + header_row["trailer"]
    dataset = read_data_set(data)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path
