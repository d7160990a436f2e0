"""One study of a legacy PACS: asked for, received and counted; each missing instance is asked for again by itself.

A study is asked for as a whole. If as many series and instances come as the PACS counted (0020,1206 and 0020,1208), that is all
of it. If not, or if something of it was received before, its instances are listed, and those that are not here are asked for.

| the PACS | becomes |
| --- | --- |
| gives out an instance | an item with its file; `not listed` if the instances are listed and it is not |
| lists an instance, and does not give it out, however it is asked | a waiting item without a file |
| counts more (0020,1208, or 0020,1209 of its series) than it lists or gives out | a waiting item without a file for each |
| holds a rejection note (IHE RAD-66) | what the note names, and the note itself: excluded |

What an interrupted run has received lies in the workspace and is not asked for again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tasks.network.asking import listed_instances
from tasks.network.retrieval import MOST_CLASSES, STORAGE_CLASSES, Retriever, Wanted, in_chunks
from tasks.received import is_any_kept, uids_of
from tasks.scan.items import NOTHING, Content, item_outcome
from tasks.scan.pacs.arrivals import Arrivals
from tasks.scan.pacs.rejected import rejected
from tasks.scan.recognise import Recognised
from tasks.stage import Outcome, Row, StageContext

_DICOM = Recognised("application/dicom", "dicom")
_MISSING = Recognised("application/dicom", "dicom", "waiting", "listed by the PACS, not received")
_UNNAMED = Recognised("application/dicom", "dicom", "waiting", "counted by the PACS, not listed and not received")
_UNLISTED = "the PACS may hold studies that it does not list, as it gives out few at once: raise its limit, then list it anew"


def study_items(row: Row, context: StageContext, retriever: Retriever) -> Iterator[Outcome]:
    """The items of a listed study. Raises `RetryLaterError` where the PACS is lost or busy; what has come is kept."""
    (uid,) = uids_of(row["path"])
    arrivals = Arrivals(uid, row["source"], context.workspace)
    listing = json.loads(row["listing"])
    counts = {name: listing[name] for name in ("instances", "series") if name in listing}
    counted = counts.get("instances", 0)
    if counted and not is_any_kept(context.workspace, row["source"], row["path"]):
        retriever.study(uid, arrivals.receive)
    if not counted or counts != arrivals.counts():
        listed = listed_instances(retriever, uid)
        counted = max(counted, listed.counted)
        arrivals.note(listed.instances)
        _retrieve_missing(arrivals, retriever)
    known = sorted(arrivals.listed.keys() | arrivals.here.keys())
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
    listed = [one for one in listed_instances(retriever, study, series).instances if one.instance == instance]
    arrivals = Arrivals(study, row["source"], context.workspace)
    arrivals.note(listed or [Wanted(study, series, instance, "")])
    _retrieve_missing(arrivals, retriever)
    yield _item(row, row["path"], arrivals, rejected(arrivals.here.values()))


def unlisted_item(row: Row, context: StageContext, retriever: Retriever) -> Iterator[Outcome]:
    """What the PACS holds beyond what it can be made to list."""
    yield item_outcome(row, row["path"], Recognised(None, "other", "waiting", _UNLISTED), NOTHING)


def _retrieve_missing(arrivals: Arrivals, retriever: Retriever) -> None:
    """Asks for all that is listed and not here: series by series, then one by one."""
    classes = sorted({wanted.sop_class for wanted in arrivals.listed.values()} - {""})
    for some in in_chunks(classes, MOST_CLASSES):
        retriever.objects(arrivals.missing(some), some, arrivals.receive)
    for some in in_chunks(STORAGE_CLASSES, MOST_CLASSES):
        if nameless := arrivals.missing([""]):
            retriever.objects(nameless, some, arrivals.receive)
    retriever.one_by_one(arrivals.missing(classes), arrivals.receive)
    arrivals.missing(classes)


def _item(row: Row, path: str, arrivals: Arrivals, hidden: Mapping[str, str]) -> Outcome:
    here = arrivals.here.get(path)
    if here is None:
        return item_outcome(row, path, _MISSING, NOTHING)
    reason = hidden.get(uids_of(path)[2])
    found = replace(_DICOM, outcome="excluded", reason=reason) if reason else _DICOM
    if arrivals.listed and path not in arrivals.listed:
        row = {**row, "listed_by": None, "listing_conflict": "not listed"}
    return item_outcome(row, path, found, Content(here.bytes, here.sha256))
