"""What the embedded PACS holds: one SQLite row an instance, rebuilt from the files where it is missing or behind.

Rejection notes (Key Object Selection with a title of CID 7011) hide what they refer to; after 113037 and 113038 the same UIDs are
refused for good (IHE RAD-66).
"""

import sqlite3
import threading
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID")
STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "StudyDescription",
    "ReferringPhysicianName",
)
SERIES = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription")
IMAGE = ("SOPInstanceUID", "SOPClassUID", "InstanceNumber")
COLUMNS = (*PATIENT, *STUDY, *SERIES, *IMAGE)
FINAL_TITLES = frozenset({"113037", "113038"})
REJECTION_TITLES = frozenset({"113001", "113037", "113038", "113039"})


class Index:
    """The index of a PACS folder; safe to use from the association threads."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._database = sqlite3.connect(folder / "index.sqlite", check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        columns = ", ".join(f"{name} TEXT" for name in COLUMNS)
        self._database.executescript(f"""
            PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
            CREATE TABLE IF NOT EXISTS instances ({columns}, path TEXT, sha256 TEXT, syntax TEXT, PRIMARY KEY (SOPInstanceUID));
            CREATE INDEX IF NOT EXISTS by_study ON instances (StudyInstanceUID, SeriesInstanceUID);
            CREATE TABLE IF NOT EXISTS rejected (SOPInstanceUID TEXT PRIMARY KEY, title TEXT);
        """)

    def check_against_files(self) -> None:
        """Indexes files that are not indexed and drops rows whose file is gone (after a crash)."""
        known = {row["path"] for row in self.select("SELECT path FROM instances")}
        found = {str(path.relative_to(self.folder)) for path in (self.folder / "objects").glob("*/*.dcm")}
        for path in sorted(found - known):
            dataset = pydicom.dcmread(self.folder / path, stop_before_pixels=True)
            self.add(dataset, path, "", str(dataset.file_meta.TransferSyntaxUID))
        with self._lock, self._database:
            self._database.executemany("DELETE FROM instances WHERE path = ?", [(path,) for path in known - found])

    def select(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Rows of a query."""
        with self._lock:
            return self._database.execute(sql, parameters).fetchall()

    def add(self, dataset: Dataset, path: str, sha256: str, syntax: str) -> None:
        """Adds an instance."""
        values = [str(dataset.get(name, "") or "") for name in COLUMNS]
        marks = ", ".join("?" * (len(COLUMNS) + 3))
        with self._lock, self._database:
            self._database.execute(f"INSERT OR REPLACE INTO instances VALUES ({marks})", [*values, path, sha256, syntax])

    def find(self, sop_instance_uid: str) -> sqlite3.Row | None:
        """The row of an instance, hidden or not."""
        rows = self.select("SELECT * FROM instances WHERE SOPInstanceUID = ?", (sop_instance_uid,))
        return rows[0] if rows else None

    def rejection_of(self, sop_instance_uid: str) -> str | None:
        """Code of the title of the note that rejected an instance."""
        rows = self.select("SELECT title FROM rejected WHERE SOPInstanceUID = ?", (sop_instance_uid,))
        return str(rows[0]["title"]) if rows else None

    def obey_note(self, note: Dataset) -> None:
        """Hides what a rejection note refers to; other objects are no notes and change nothing."""
        titles = note.get("ConceptNameCodeSequence") or []
        title = str(titles[0].get("CodeValue", "")) if len(titles) else ""
        if title not in REJECTION_TITLES:
            return
        references = [
            (str(reference.ReferencedSOPInstanceUID), title)
            for study in note.get("CurrentRequestedProcedureEvidenceSequence") or []
            for series in study.get("ReferencedSeriesSequence") or []
            for reference in series.get("ReferencedSOPSequence") or []
        ]
        with self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO rejected VALUES (?, ?)", references)

    def close(self) -> None:
        """Closes the database."""
        self._database.close()
