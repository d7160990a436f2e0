"""What the embedded PACS holds, in SQLite: one row an instance. The files are the truth; the index is made again from them.

One connection writes, behind a lock; every query opens its own (write-ahead log), so that a long C-FIND holds up no C-STORE. A
row of `rejected` says that a note rejects an instance; an empty file `restored/NOTE/UID` says that the instance was sent again
since.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from tasks.pacs.matching import matches
from tasks.pacs.objects import ObjectStore, read_header, sync_folder
from tasks.pacs.rejection import FINAL_TITLES, Rejection, rejections_of

logger = logging.getLogger("filmroom")

PATIENT = ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientBirthTime", "PatientSex")
STUDY = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription", "ReferringPhysicianName",
)  # fmt: skip
SERIES = (
    "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime", "BodyPartExamined",
    "Laterality", "ProtocolName", "InstitutionName", "StationName",
)  # fmt: skip
IMAGE = (
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ContentDate", "ContentTime", "AcquisitionDate", "NumberOfFrames",
    "Rows", "Columns", "ImageType",
)  # fmt: skip
COLUMNS = (*PATIENT, *STUDY, *SERIES, *IMAGE)
VISIBLE = "SOPInstanceUID NOT IN (SELECT SOPInstanceUID FROM rejected)"

_VERSION = 2
_SCHEMA = f"""
    CREATE TABLE instances ({", ".join(f'"{name}" TEXT NOT NULL' for name in COLUMNS)}, patient_key TEXT NOT NULL,
                            syntax TEXT NOT NULL, digest TEXT, PRIMARY KEY (SOPInstanceUID)) WITHOUT ROWID;
    CREATE INDEX by_study ON instances (StudyInstanceUID, SeriesInstanceUID);
    CREATE INDEX by_patient ON instances (PatientID);
    CREATE TABLE rejected (SOPInstanceUID TEXT, note TEXT, title TEXT, PRIMARY KEY (SOPInstanceUID, note)) WITHOUT ROWID;
    PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True)
class Instance:
    """An indexed instance; `digest` is `None` where the index was made again and the file not hashed since."""

    sop_instance_uid: str
    sop_class_uid: str
    syntax: str
    digest: str | None


class Index:
    """The index of a PACS folder."""

    def __init__(self, folder: Path, store: ObjectStore):
        self._path, self._restored, self._store = folder / "index.sqlite", folder / "restored", store
        self._lock = threading.Lock()
        self._restored.mkdir(exist_ok=True)
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:  # not a database, or damaged: it holds nothing that the files do not
            self._remove()
            self._database = self._open()
        self._check_against_files()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False, timeout=30)
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION) or database.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            database.close()
            raise sqlite3.DatabaseError("the index is damaged or of another version")
        if version == 0:
            if database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                database.close()
                raise sqlite3.DatabaseError("the index is of another version")
            database.executescript(_SCHEMA)
        return database

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _check_against_files(self) -> None:
        """Indexes files that are not indexed and drops rows whose file is gone, with what notes among them rejected."""
        known = {row[0] for row in self._database.execute("SELECT SOPInstanceUID FROM instances")}
        found = set(self._store.uids())
        with self._database:
            for table, column in (("instances", "SOPInstanceUID"), ("rejected", "note")):
                self._database.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(uid,) for uid in sorted(known - found)])
        unreadable = sum(not self._index_file(uid) for uid in sorted(found - known))
        if unreadable:
            logger.warning(
                "%d files of the embedded PACS cannot be read and are not shown: the disk has damaged them", unreadable
            )

    def _index_file(self, uid: str) -> bool:
        try:
            header = read_header(self._store.path(uid), COLUMNS)
            if str(header.SOPInstanceUID) != uid:
                return False
            self.add(header, str(header.file_meta.TransferSyntaxUID), None)
        except (OSError, sqlite3.Error):
            raise
        except Exception:  # pydicom raises whatever it likes on a file it cannot read
            return False
        return True

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for one query, with `matches` as an SQL function."""
        connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.create_function("matches", 3, matches, deterministic=True)
        try:
            yield connection
        finally:
            connection.close()

    def add(self, header: Dataset, syntax: str, digest: str | None) -> None:
        """Indexes a stored instance; where it is a rejection note, what it rejects is hidden with it."""
        values = [_text(header, name) for name in COLUMNS]
        row = [*values, patient_key(header), syntax, digest]
        with self._lock, self._database:
            self._database.execute(f"INSERT OR REPLACE INTO instances VALUES ({', '.join('?' * len(row))})", row)
            self._reject(rejections_of(header))

    def _reject(self, rejections: Iterable[Rejection]) -> None:
        standing = [r for r in rejections if not (self._restored / r.note / r.sop_instance_uid).exists()]
        self._database.executemany(
            "INSERT OR IGNORE INTO rejected VALUES (?, ?, ?)", [(r.sop_instance_uid, r.note, r.title) for r in standing]
        )

    def restore(self, uid: str) -> None:
        """Makes an instance visible again that was sent again; only notes that allow it are lifted."""
        with self._lock, self._database:
            notes = self._database.execute("SELECT note, title FROM rejected WHERE SOPInstanceUID = ?", (uid,)).fetchall()
            for note, title in notes:
                if title not in FINAL_TITLES:
                    (self._restored / note).mkdir(exist_ok=True)
                    (self._restored / note / uid).touch()
                    sync_folder(self._restored / note)
                    sync_folder(self._restored)
                    self._database.execute("DELETE FROM rejected WHERE SOPInstanceUID = ? AND note = ?", (uid, note))

    def remove(self, uid: str) -> None:
        """Takes an instance off the index; where it is a rejection note, what it rejects stays hidden no longer."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM instances WHERE SOPInstanceUID = ?", (uid,))
            self._database.execute("DELETE FROM rejected WHERE note = ?", (uid,))

    def find(self, uid: str) -> Instance | None:
        """The instance under a SOP Instance UID, hidden or not."""
        sql = "SELECT SOPInstanceUID, SOPClassUID, syntax, digest FROM instances WHERE SOPInstanceUID = ?"
        rows = self._select(sql, (uid,))
        return Instance(*rows[0]) if rows else None

    def titles(self, uid: str) -> set[str]:
        """Codes of the titles of the notes that reject an instance."""
        return {title for (title,) in self._select("SELECT title FROM rejected WHERE SOPInstanceUID = ?", (uid,))}

    def _select(self, sql: str, parameters: Sequence[str]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            self._database.close()


def patient_key(header: Dataset) -> str:
    """What tells patients apart: identifier and issuer, and without an identifier name and birth date."""
    identifier = _text(header, "PatientID")
    names = ("PatientID", "IssuerOfPatientID") if identifier else ("PatientName", "PatientBirthDate")
    return "\x1f".join(["1" if identifier else "0", *(_text(header, name) for name in names)])


def _text(header: Dataset, keyword: str) -> str:
    try:
        value = header.get(keyword)
    except Exception:  # pydicom raises whatever it likes on values that break their VR: such an attribute cannot be queried
        return ""
    if value is None:
        return ""
    values = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    return "\\".join(str(one).strip(" \x00") for one in values)
