"""Stages that cost nothing, for tests of the engine: scan and assemble are the real ones, the others do as the film says.

A film is a PNG's first bytes and a JSON object: label fields, and `wrap` or `load` with what that stage is to do with it:
`wait` (once), `raise` (outside the item boundary), `die` (SIGKILL), `full` (the stage is blocked), or an outcome.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flows.engine.batch import process
from flows.engine.loop import Loop, Progress
from flows.engine.pending import Pending
from flows.stages import STAGES, Stage
from tasks.configuration import Configuration, read_configuration
from tasks.errors import RetryLaterError, ReviewError, StageBlockedError
from tasks.keys import object_key, uid_of
from tasks.scan.listing import write_listing
from tasks.stage import Outcome, Row, StageContext, each_group, each_row
from tasks.workspace.layout import Workspace, open_workspace
from tasks.workspace.reading import open_views
from tasks.workspace.snapshot import Snapshot, read_snapshot
from tasks.workspace.states import Balance, balance
from tasks.workspace.views import connect

MARK = b"\x89PNG\r\n\x1a\n"


def put_film(scans: Path, name: str, **facts: Any) -> None:
    """Puts a film into the source; `facts` are label fields and what stages do with it; one `picture` is one content."""
    path = scans / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MARK + json.dumps({"picture": name, **facts}).encode())


def _act(facts: Mapping[str, Any], row: Row, context: StageContext) -> Outcome | None:
    match facts.get(context.stage):
        case None:
            return None
        case "wait":
            seen = context.workspace / "spill" / f"seen-{context.stage}-{row['item_key']}"
            if not seen.exists():
                seen.touch()
                raise RetryLaterError("busy")
            return None
        case "raise":
            raise KeyError(row["item_key"])
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
            return None
        case "full":
            raise StageBlockedError("no space left on the device: free some, then run again")
        case outcome:
            return Outcome(row["object_key"] if "object_key" in row else row["item_key"], row["item_key"], outcome, "as told")


def _facts(row: Row, context: StageContext) -> dict[str, Any]:
    path = context.configuration.sources[row["source"]].path / row["path"]
    facts: dict[str, Any] = json.loads(path.read_bytes()[len(MARK) :])
    return facts


def wrap(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    for row in batch:
        if _facts(row, context).get("wrap") == "raise":
            raise KeyError(row["path"])

    def one(row: Row) -> Iterator[Outcome]:
        facts = _facts(row, context)
        if told := _act(facts, row, context):
            return iter([told])
        key = object_key(row["item_key"])
        path = f"{key[:2]}/{key}-{row['sha256'][:8]}.pixels"
        staged = context.staging / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(b"0" * facts.get("bytes", 100))
        made = {
            "object_key": key, "item_key": row["item_key"], "kind": row["kind"], "group_key": row["group_key"],
            "assembly_key": row["group_key"], "modality": "RG", "sop_instance_uid": uid_of("instance", key),
            "study_instance_uid": uid_of("study", key), "series_instance_uid": uid_of("series", key),
            "path": path, "bytes": facts.get("bytes", 100), "pixel_sha256": row["sha256"],
        }  # fmt: skip
        for name in ("patient_name", "patient_id", "birth_date", "study_date"):
            if name in facts:
                made |= {f"label_{name}": facts[name], f"label_{name}_origin": "ocr"}
        return iter([Outcome(row["item_key"], row["item_key"], rows={"objects": [made]})])

    return each_row(batch, "item_key", one)


def reconcile(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    return each_group(batch, "study_instance_uid", "object_key", _reconciled)


def _reconciled(rows: Sequence[Row]) -> Iterator[Outcome]:
    read = sorted({row["label_patient_id"] for row in rows if row["label_patient_id"]})
    patient = rows[0]["decision_value"] or (read[0] if len(read) == 1 else None)
    conflict = next((row["conflict"] for row in rows if row["conflict"]), None)
    sure = patient and (rows[0]["decision_value"] or not conflict)
    link = {"study_instance_uid": rows[0]["study_instance_uid"], "item_key": rows[0]["item_key"], "patient_id": patient}
    links = [link | {"decision": "auto" if sure else "review"}]
    for row in rows:
        made: dict[str, Any] = {"links": links}
        links = []
        if sure:
            names = ("item_key", "object_key", "study_instance_uid", "sop_instance_uid")
            text = f"{patient} {row['study_instance_uid']} {row['instance_number']}"
            made["headers"] = [{name: row[name] for name in names} | {"header": text.encode()}]
        yield Outcome(row["object_key"], row["item_key"], *(("done", "") if sure else ("review", "nobody")), made)


def validate(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    with (context.workspace / "validated.txt").open("a") as file:
        for row in batch:
            file.write(f"{row['sop_instance_uid']} {row['header'].decode()}\n")
            yield Outcome(row["object_key"], row["item_key"])


def load(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    def one(row: Row) -> Iterator[Outcome]:
        path = next(p for p in _paths(context) if p[0] == row["item_key"])[1]
        if told := _act(json.loads(path.read_bytes()[len(MARK) :]), row, context):
            return iter([told])
        sent = context.workspace / "sent.txt"
        line = f"{row['sop_instance_uid']} {row['header'].decode()}\n"
        assert line in (context.workspace / "validated.txt").read_text()
        before = sent.read_text() if sent.exists() else ""
        if row["sop_instance_uid"] in before and line not in before:
            raise ReviewError("the target holds something else under this UID")
        if line not in before:
            assert (context.staging / row["path"]).exists()
            with sent.open("a") as file:
                file.write(line)
        names = ("item_key", "object_key", "study_instance_uid", "sop_instance_uid")
        receipt = {name: row[name] for name in names} | {"target": "fake", "verified": True}
        return iter([Outcome(row["object_key"], row["item_key"], rows={"receipts": [receipt]})])

    return each_row(batch, "object_key", one)


def _paths(context: StageContext) -> Iterator[tuple[str, Path]]:
    from tasks.keys import item_key

    for name, source in context.configuration.sources.items():
        for path in source.path.rglob("*"):
            yield item_key(name, str(path.relative_to(source.path))), path


def stages(**changes: dict[str, Any]) -> tuple[Stage, ...]:
    """The stages of a migration with the functions of this module; `changes` by stage name."""
    own = {name: {"function": f"tests.flows.fakes:{name}"} for name in ("wrap", "reconcile", "validate", "load")}
    plain = {"settings": lambda c: None}
    return tuple(replace(stage, **plain, **own.get(stage.name, {}), **changes.get(stage.name, {})) for stage in STAGES)


class DirectPool:
    """Runs a batch at once, in this thread."""

    processes = False

    def __init__(self, places: int, finished: Callable[[int], None]):
        self.places, self.busy, self.finished = places, 0, finished
        self.submitted: list[tuple[str, int]] = []

    def submit(self, stage: str, number: int, path: str) -> None:
        self.busy += 1
        self.submitted.append((stage, number))
        try:
            process(Path(path))
        except Exception as error:
            Path(path).with_suffix(".failed").write_text(type(error).__name__)
        self.finished(number)

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


@dataclass
class Engine:
    """A migration of films in `scans`, run by the loop with stages of this module and without Prefect."""

    folder: Path
    stages: tuple[Stage, ...] = field(default_factory=stages)
    pending: Callable[..., Pending] = Pending
    order: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scans.mkdir(exist_ok=True)
        self.file = self.folder / "filmroom.toml"
        if not self.file.exists():
            self.file.write_text('[project]\nname="t"\nworkspace="ws"\n[[source]]\nkind="film"\nname="scans"\npath="scans"\n')

    @property
    def scans(self) -> Path:
        return self.folder / "scans"

    @property
    def configuration(self) -> Configuration:
        return read_configuration(self.file)

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.configuration.project.workspace, "t", create=True)

    def run(self, wave: str = "", **options: Any) -> Progress:
        """Runs what is pending."""
        workspace, configuration = self.workspace, self.configuration
        with connect(workspace) as connection:
            snapshot = read_snapshot(workspace.log)
            listing = write_listing(configuration, workspace.spill)
            pending = self.pending(connection, workspace, configuration, self.stages, listing)
            pending.look_at(snapshot)
            found = {stage.name: segment for stage in self.stages if (segment := pending.find(stage))}
            pools: list[DirectPool] = []

            def start(finished: Callable[[int], None]) -> Any:
                pools.extend(DirectPool(places, finished) for places in (2, 2))
                return {"processors": pools[0], "waiting": pools[1]}

            facts = {"configuration": str(self.file), "workspace": str(workspace.root), "wave": wave}
            loop = Loop(workspace, snapshot, self.stages, pending, start, facts, **options)
            loop.run(found)
            self.order = [stage for stage, _ in sorted((s for p in pools for s in p.submitted), key=lambda s: s[1])]
            return loop.progress

    @property
    def snapshot(self) -> Snapshot:
        return read_snapshot(self.workspace.log)

    @property
    def balance(self) -> Balance:
        with open_views(self.workspace) as connection:
            return balance(connection)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_views(self.workspace) as connection:
            return connection.execute(sql).fetchall()

    def sent(self) -> list[str]:
        file = self.workspace.root / "sent.txt"
        return file.read_text().splitlines() if file.exists() else []


@contextmanager
def films(folder: Path, count: int, **facts: Any) -> Iterator[Engine]:
    """An engine over `count` films, three a jacket, each jacket one patient."""
    engine = Engine(folder)
    for number in range(count):
        jacket = f"J{number // 3:04d}"
        put_film(engine.scans, f"{jacket}_{number:05d}.tif", **labels(number // 3), **facts)
    yield engine


def labels(patient: int) -> dict[str, str]:
    """Labels of a film of an invented patient."""
    return {
        "patient_id": f"{1000 + patient}",
        "patient_name": f"DOE{patient}^JANE",
        "birth_date": "19500101",
        "study_date": "19800101",
    }
