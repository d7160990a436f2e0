"""Small CR objects for a legacy PACS, and a migration of what it holds."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from tasks.configuration import Configuration, Network, PacsSource, Project, Run
from tasks.scan.listing import write_listing
from tasks.scan.stage import scan_batch
from tasks.stage import Outcome, StageContext

CR = "1.2.840.10008.5.1.4.1.1.1"
ROOT = "1.2.826.0.1.3680043.8.498"
_FAMILIES = (
    "Abernathy",
    "Bjornstad",
    "Czerny",
    "Dubois",
    "Echeverria",
    "Fitzgerald",
    "Grimaldi",
    "Hofstetter",
    "Ivanova",
    "Jonquet",
)
_GIVEN = ("Ottilie", "Perpetua", "Quirina", "Rosamund", "Sieglinde", "Theodora", "Ursula")


def instance(study: int, series: int, number: int, date: str = "19990102", time: str = "", patient: str = "") -> Dataset:
    """A picture of 32 x 32 noise, another for each number; a patient for each study, if not said otherwise."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(CR), UID(f"{ROOT}.{study}.{series}.{number}")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID(f"{ROOT}.{study}"), UID(f"{ROOT}.{study}.{series}")
    dataset.StudyDate, dataset.StudyTime, dataset.Modality = date, time, "CR"
    family, given = _FAMILIES[study % len(_FAMILIES)], _GIVEN[study % len(_GIVEN)]
    dataset.PatientName, dataset.PatientID = f"{family}^{given}", patient or f"L{study:04}"
    dataset.PatientBirthDate, dataset.PatientSex = f"19{30 + study % 61}{1 + study % 12:02}{1 + study % 28:02}", "F"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", series, number
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = 32
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    noise = np.random.default_rng([study, series, number]).integers(0, 4096, (32, 32))
    dataset.PixelData = noise.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    return dataset


def rejection_note(study: int, title: str, *rejected: Dataset) -> Dataset:
    """A Key Object Selection document that names objects of one series (IHE RAD-66)."""
    dataset = instance(study, 99, 1)
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        del dataset[keyword]
    del dataset.SamplesPerPixel, dataset.PhotometricInterpretation
    dataset.SOPClassUID, dataset.Modality = KeyObjectSelectionDocumentStorage, "KO"
    code, evidence, its_series = Dataset(), Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = title, "DCM", "Rejected"
    dataset.ConceptNameCodeSequence = [code]
    references = []
    for one in rejected:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = one.SOPClassUID, one.SOPInstanceUID
        references.append(reference)
    its_series.SeriesInstanceUID, its_series.ReferencedSOPSequence = rejected[0].SeriesInstanceUID, references
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = rejected[0].StudyInstanceUID, [its_series]
    dataset.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return dataset


def as_file(dataset: Dataset) -> bytes:
    """The object as a DICOM file, Explicit VR Little Endian."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def path_of(dataset: Dataset) -> str:
    """The path of its item."""
    return f"{dataset.StudyInstanceUID}/{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}"


@dataclass
class Emptying:
    """A migration of a PACS on 127.0.0.1, listed and scanned without an engine."""

    workspace: Path
    port: int
    ae_title: str = "ORTHANC"
    our_port: int = 11113
    retrieve: Literal["get", "move"] = "get"

    def __post_init__(self) -> None:
        (self.workspace / "spill").mkdir(parents=True)
        address: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "ae_title": self.ae_title}
        self.source = PacsSource(kind="pacs", name="old", retrieve=self.retrieve, **address)
        self.configuration = Configuration(
            project=Project(name="test", workspace=self.workspace),
            source=(self.source,),
            network=Network(port=self.our_port),
            run=Run(workers=2),
        )

    def listing(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(write_listing(self.configuration, self.workspace / "spill")).to_pylist()
        return rows

    def scan(self, rows: list[dict[str, Any]] | None = None) -> list[Outcome]:
        context = StageContext(self.configuration, self.workspace, "scan")
        return list(scan_batch(self.listing() if rows is None else rows, context))

    def items(self, rows: list[dict[str, Any]] | None = None) -> dict[str, tuple[str, str]]:
        """Outcome and reason of every item, by path."""
        outcomes = self.scan(rows)
        found = {item["path"]: (one.outcome, one.reason) for one in outcomes for item in one.rows.get("items", ())}
        assert len(found) == sum(len(one.rows.get("items", ())) for one in outcomes)
        return found
