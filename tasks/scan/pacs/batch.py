"""The rows of a batch that are a PACS's, several at a time, each over an association of its own; outcomes in order of rows."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from queue import SimpleQueue

from tasks.configuration import PacsSource
from tasks.network.retrieval import Retriever
from tasks.pacs.objects import silence_remarks
from tasks.receiving import retriever_of
from tasks.scan.pacs.study import missing_item, study_items, unlisted_item
from tasks.stage import Outcome, Row, StageContext, each_row

_WORK: dict[str, Callable[[Row, StageContext, Retriever], Iterator[Outcome]]] = {
    "study": study_items,
    "instance": missing_item,
    "unlisted": unlisted_item,
}
PACS_ENTRIES = frozenset(_WORK)


def pacs_outcomes(rows: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Outcomes of rows whose entry is one of `PACS_ENTRIES`. Raises `StageBlockedError` where a PACS is down or refuses us."""
    silence_remarks()
    for name, alike in groupby(sorted(rows, key=lambda row: str(row["source"])), key=lambda row: row["source"]):
        source = context.configuration.sources[name]
        assert isinstance(source, PacsSource)
        places = max(1, source.associations // (context.configuration.run.workers or 2))
        with ExitStack() as stack, ThreadPoolExecutor(places) as threads:
            idle: SimpleQueue[Retriever] = SimpleQueue()
            for _ in range(places):
                idle.put(stack.enter_context(retriever_of(source, context.configuration)))

            def outcomes(row: Row, idle: SimpleQueue[Retriever] = idle) -> list[Outcome]:
                retriever = idle.get()
                try:
                    return list(each_row([row], "item_key", lambda row: _WORK[row["entry"]](row, context, retriever)))
                finally:
                    idle.put(retriever)

            try:
                for found in threads.map(outcomes, alike):
                    yield from found
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
