"""The wrap stage: a film is wrapped, a legacy object taken over, the same content twice is a duplicate."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tasks.received import spent_files
from tasks.stage import Outcome, Row, StageContext, each_row
from tasks.wrap.dicom import wrap_dicom
from tasks.wrap.film import wrap_film


def wrap_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Wraps items; yields objects."""

    def work(row: Row) -> Iterable[Outcome]:
        spent = spent_files(context.configuration, row["source"], row["path"], row["sha256"])
        if row["duplicate_of"]:
            reason = "the same content stands elsewhere: see duplicate_of"
            return [Outcome(row["item_key"], row["item_key"], "duplicate", reason, spent=spent)]
        outcomes = wrap_film(row, context) if row["kind"] == "film" else wrap_dicom(row, context)
        return [replace(outcome, spent=spent) for outcome in outcomes]

    return each_row(batch, "item_key", work)
