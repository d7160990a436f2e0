"""One study of a legacy PACS: its instances listed, received and counted; each missing one is asked for again by itself.

| the PACS | becomes |
| --- | --- |
| lists an instance, and gives it out | an item with its file |
| lists an instance, and does not give it out, however it is asked | a waiting item without a file |
| counts more instances (0020,1208 and 0020,1209) than it lists or gives out | a waiting item without a file for each |
| gives out what it did not list | an item with its file, `not listed` |
| holds a rejection note (IHE RAD-66) | what the note names, and the note itself: excluded |

What an interrupted run has received lies in the workspace and is not asked for again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from tasks import network
from tasks.network.asking import listed_instances
from tasks.network.retrieval import MOST_CLASSES, STORAGE_CLASSES, Retriever, Wanted, in_chunks
from tasks.received import as_file, keep, kept, object_path, sync, uids_of
from tasks.scan.items import NOTHING, Content, item_outcome
from tasks.scan.pacs.rejected import rejected
from tasks.scan.recognise import Recognised
from tasks.stage import Outcome, Row, StageContext

_DICOM = Recognised("application/dicom", "dicom")
_MISSING = Recognised("application/dicom", "dicom", "waiting", "listed by the PACS, not received")
_UNNAMED = Recognised("application/dicom", "dicom", "waiting", "counted by the PACS, not listed and not received")
_UNLISTED = "the PACS may hold studies that it does not list, as it gives out few at once: raise its limit, then list it anew"


@dataclass
class _Arrivals:
    """What is listed of a study, and what of it, and beyond it, is here, by path."""

    study: str
    source: str
    workspace: Path
    listed: Mapping[str, Wanted]

    def __post_init__(self) -> None:
        self.here = kept(self.workspace, self.source, list(self.listed))
        self._paths = {wanted.instance: path for path, wanted in self.listed.items()}

    def receive(self, came: network.Received) -> None:
        """Keeps what the PACS sends, under the series in which it is listed or, if it is not, the one it says."""
        path = self._paths.get(came.sop_instance_uid) or object_path(self.study, _series(came), came.sop_instance_uid)
        self.here[path] = keep(self.workspace, self.source, path, came)

    def missing(self, classes: list[str]) -> list[Wanted]:
        """What is listed as of these SOP classes and not here."""
        return [wanted for path, wanted in self.listed.items() if path not in self.here and wanted.sop_class in classes]


def study_items(row: Row, context: StageContext, retriever: Retriever) -> Iterator[Outcome]:
    """The items of a listed study. Raises `RetryLaterError` where the PACS is lost or busy; what has come is kept."""
    (uid,) = uids_of(row["path"])
    listed = listed_instances(retriever, uid)
    arrivals = _Arrivals(uid, row["source"], context.workspace, _by_path(listed.instances))
    _retrieve(arrivals, retriever, whole=True)
    known = sorted(arrivals.listed.keys() | arrivals.here.keys())
    counted = max(listed.counted, json.loads(row["listing"] or "{}").get("instances", 0))
    hidden = rejected(arrivals.here.values())
    yield Outcome(row["item_key"], row["item_key"])
    row = {**row, "listing": None}  # the counts are the study's, and change when it does
    for path in known:
        yield replace(_item(row, path, arrivals, hidden), input_key=row["item_key"])
    for number in range(len(known) + 1, counted + 1):
        yield replace(item_outcome(row, f"{row['path']}//{number}", _UNNAMED, NOTHING), input_key=row["item_key"])


def missing_item(row: Row, context: StageContext, retriever: Retriever) -> Iterator[Outcome]:
    """Asks once more for an instance that an earlier run did not receive."""
    study, series, instance = uids_of(row["path"])
    listed = _by_path(listed_instances(retriever, study, series).instances)
    wanted = listed.get(row["path"], Wanted(study, series, instance, ""))
    arrivals = _Arrivals(study, row["source"], context.workspace, {row["path"]: wanted})
    _retrieve(arrivals, retriever, whole=False)
    yield _item(row, row["path"], arrivals, rejected(arrivals.here.values()))


def unlisted_item(row: Row, context: StageContext, retriever: Retriever) -> Iterator[Outcome]:
    """What the PACS holds beyond what it can be made to list."""
    found = Recognised(None, "other", "waiting", _UNLISTED)
    yield item_outcome(row, row["path"], found, NOTHING)


def _retrieve(arrivals: _Arrivals, retriever: Retriever, *, whole: bool) -> None:
    """Asks for all that is listed and not here: if it may, for the study, then series by series, then one by one."""
    classes = sorted({wanted.sop_class for wanted in arrivals.listed.values()})
    if whole and not arrivals.here and arrivals.listed and len(classes) <= MOST_CLASSES and "" not in classes:
        retriever.study(arrivals.study, classes, arrivals.receive)
    for some in in_chunks(filter(None, classes), MOST_CLASSES):
        retriever.objects(arrivals.missing(some), some, arrivals.receive)
    for some in in_chunks(STORAGE_CLASSES, MOST_CLASSES):
        if nameless := arrivals.missing([""]):
            retriever.objects(nameless, some, arrivals.receive)
    retriever.one_by_one(arrivals.missing(list(filter(None, classes))), arrivals.receive)
    sync(list(arrivals.here.values()))


def _by_path(instances: Iterable[Wanted]) -> dict[str, Wanted]:
    return {object_path(wanted.study, wanted.series, wanted.instance): wanted for wanted in instances}


def _item(row: Row, path: str, arrivals: _Arrivals, hidden: Mapping[str, str]) -> Outcome:
    here = arrivals.here.get(path)
    if here is None:
        return item_outcome(row, path, _MISSING, NOTHING)
    reason = hidden.get(uids_of(path)[2])
    found = replace(_DICOM, outcome="excluded", reason=reason) if reason else _DICOM
    noted = row if path in arrivals.listed else {**row, "listed_by": None, "listing_conflict": "not listed"}
    return item_outcome(noted, path, found, Content(here.bytes, here.sha256))


def _series(came: network.Received) -> str:
    try:
        header = dcmread(BytesIO(as_file(came)), stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        return str(header.get("SeriesInstanceUID", ""))
    except Exception:  # pydicom raises whatever it likes on what it cannot read; wrap will say what is wrong
        return ""
