"""A migration of made-up films into a real archive, run by the loop: scan, assemble and load are the real ones."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from flows.embedded import embedded_pacs
from flows.stages import STAGES
from tasks import network
from tasks.keys import object_key, uid_of
from tasks.load.look import image_identifier
from tasks.load.target import peer_in
from tasks.network.services import FIND_CONTEXT
from tasks.pixel_data import compose, header_bytes, native_element, pixel_hash
from tasks.reconcile.renaming import new_uids, renamed
from tasks.stage import Outcome, Row, StageContext
from tasks.staging import stage_element
from tests.flows.fakes import Engine, labels, put_film
from tests.load import rows

SYNTAX = str(ExplicitVRLittleEndian)
CONFIGURATION = """
[project]
name = "t"
workspace = "ws"
[[source]]
kind = "film"
name = "scans"
path = "scans"
[target]
"""


def header_of(row: Row, study: str, series: str) -> Dataset:
    pixels = rows.picture(int(row["path"].rpartition("_")[2].split(".")[0]))
    dataset = rows.header(1, rows.GRAY_WORD, pixels, 12)
    dataset.SOPInstanceUID = UID(uid_of("instance", object_key(row["item_key"])))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = UID(study), UID(series)
    return dataset


def wrap(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    for row in batch:
        key = object_key(row["item_key"])
        pixels = rows.picture(int(row["path"].rpartition("_")[2].split(".")[0]))
        element = native_element(pixels.tobytes(), "OW")
        staged = stage_element(context.staging, key, element)
        dataset = header_of(row, uid_of("study", key), uid_of("series", key))
        digest, kind = pixel_hash(compose(header_bytes(dataset), element, b"", SYNTAX))
        made = {
            "object_key": key, "item_key": row["item_key"], "kind": row["kind"], "group_key": row["group_key"],
            "assembly_key": row["group_key"], "modality": "RG", "sop_instance_uid": str(dataset.SOPInstanceUID),
            "study_instance_uid": uid_of("study", key), "series_instance_uid": uid_of("series", key),
            "sop_class_uid": rows.GRAY_WORD, "transfer_syntax_uid": SYNTAX, "path": staged.path, "bytes": staged.bytes,
            "sha256": staged.sha256, "pixel_sha256": digest, "pixel_hash_kind": kind,
        }  # fmt: skip
        read = {f"label_{name}": value for name, value in labels(0).items()}
        made |= read | {f"{name}_origin": "ocr" for name in read}
        yield Outcome(row["item_key"], row["item_key"], rows={"objects": [made]})


def reconcile(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    for study in dict.fromkeys(row["study_instance_uid"] for row in batch):
        members = [row for row in batch if row["study_instance_uid"] == study]
        uids = new_uids(members)
        for number, row in enumerate(members):
            link = {"study_instance_uid": study, "item_key": row["item_key"], "patient_id": "IDa", "decision": "auto"}
            names = ("object_key", "item_key", "study_instance_uid", "sop_instance_uid")
            head = header_bytes(header_of(row, study, row["series_instance_uid"]))
            header = {name: row[name] for name in names} | {"header": head, "trailer": b"", "changes": "[]"}
            header["header_sha256"] = hashlib.sha256(head).hexdigest()
            made = {"headers": [renamed(header, uids)], "links": [link] if number == 0 else []}
            yield Outcome(row["object_key"], row["item_key"], rows=made)


def validate(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    for row in batch:
        yield Outcome(row["object_key"], row["item_key"])


@dataclass
class Loading:
    """Films by jacket (a study each) on their way into an archive."""

    engine: Engine

    def run(self, wave: str = "") -> dict[str, int]:
        """Runs what is pending; gives back the balance, which adds up."""
        with embedded_pacs(self.engine.configuration, self.engine.workspace):
            self.engine.run(wave=wave)
        return self.states()

    def states(self) -> dict[str, int]:
        """Items by state, those there are."""
        balance = self.engine.balance
        assert balance.balanced
        assert sum(balance.states.values()) == balance.found
        return {state: items for state, items in balance.states.items() if items}

    def receipts(self, what: str) -> set[Any]:
        """A column of the receipts of what stands in the archive."""
        return {value for (value,) in self.engine.query(f"SELECT {what} FROM receipts WHERE verified")}

    def studies(self) -> list[str]:
        """Study Instance UIDs."""
        return [uid for (uid,) in self.engine.query("SELECT DISTINCT study_instance_uid FROM studies ORDER BY 1")]

    def notes(self) -> list[Path]:
        """Files of the rejection notes in the embedded PACS."""
        files = (self.engine.workspace.root / "pacs").rglob("*.dcm")
        return sorted(file for file in files if pydicom.dcmread(file).Modality == "KO")

    def held(self) -> tuple[set[str], int]:
        """SOP Instance UIDs that a query of the archive finds, and how many rejection notes it holds beside them."""
        with embedded_pacs(self.engine.configuration, self.engine.workspace):
            peer = peer_in(self.engine.configuration, self.engine.workspace.root)
            with network.associate(peer, [FIND_CONTEXT]) as association:
                everything = Dataset()
                everything.QueryRetrieveLevel, everything.StudyInstanceUID = "SERIES", ""
                everything.SeriesInstanceUID, everything.Modality = "", ""
                uids: set[str] = set()
                notes = 0
                for series in network.find(association, everything)[1]:
                    place = (series.StudyInstanceUID, series.SeriesInstanceUID)
                    found = {str(answer.SOPInstanceUID) for answer in _images(association, place)}
                    uids |= found if series.Modality != "KO" else set()
                    notes += len(found) if series.Modality == "KO" else 0
                return uids, notes


def _images(association: network.Association, place: tuple[str, str]) -> list[Dataset]:
    identifier = image_identifier(place, [""])
    return network.find(association, identifier)[1]


def loading(folder: Path, films: int, target: str, **changes: Any) -> Loading:
    """A migration of so many films, three a jacket, one patient, into a target (lines of `[target]`)."""
    folder.mkdir(exist_ok=True)
    (folder / "filmroom.toml").write_text(CONFIGURATION + target)
    own: dict[str, Any] = {name: {"function": f"tests.flows.loaded:{name}"} for name in ("wrap", "reconcile", "validate")}
    chosen = tuple(
        replace(stage, settings=lambda c: None, **own.get(stage.name, {}), **changes.get(stage.name, {})) for stage in STAGES
    )
    engine = Engine(folder, chosen)
    for number in range(films):
        put_film(engine.scans, f"J{number // 3:04d}_{number:05d}.tif", **labels(0))
    return Loading(engine)


EMBEDDED = 'kind = "embedded"\nport = 0\n'


def words(changes: str) -> list[tuple[str, str, str]]:
    """(keyword, from, to) of a `headers.changes`."""
    return [(change["keyword"], change["from"], change["to"]) for change in json.loads(changes)]
