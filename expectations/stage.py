"""The stage `validate` as the engine calls it: the pure part of `tasks.validate` with the suites applied to it."""

from collections.abc import Iterator, Sequence

from expectations.application import apply_suites
from tasks.stage import Outcome, Row, StageContext
from tasks.validate.stage import validate_with


def validate_batch(batch: Sequence[Row], context: StageContext) -> Iterator[Outcome]:
    """Checks the final headers of whole studies (VALIDATE_VIEW rows); a study with a blocking finding goes to `review`."""
    yield from validate_with(apply_suites, batch, context)
