"""The wrap stage: a film is wrapped, a legacy object taken over, the same content twice is a duplicate."""

from collections.abc import Iterable, Iterator, Sequence

from tasks.stage import Outcome, Row, StageContext, each_row
from tasks.wrap.dicom import wrap_dicom
from tasks.wrap.film import wrap_film


def wrap_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Wraps items; yields objects."""

    def work(row: Row) -> Iterable[Outcome]:
        if row["duplicate_of"]:
            reason = "the same content stands elsewhere: see duplicate_of"
            return [Outcome(row["item_key"], row["item_key"], "duplicate", reason)]
        return wrap_film(row, context) if row["kind"] == "film" else wrap_dicom(row, context)

    return each_row(batch, "item_key", work)
