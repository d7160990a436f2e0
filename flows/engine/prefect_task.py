"""The Prefect task: one a batch. It gets a stage's name, a batch number and the path of the input, and returns nothing."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.engine.batch import process


class BatchError(Exception):
    """A batch failed as a whole: only the class of what was raised and the batch are told, never a text that may carry PHI."""


@task(name="batch", task_run_name="{stage}-{number}", retries=0, persist_result=False, cache_policy=NO_CACHE, log_prints=False)
def batch_task(stage: str, number: int, path: str) -> None:
    """Works on one batch; see `flows.engine.batch`."""
    failure = None
    try:
        process(Path(path))
    except Exception as error:  # the batch's boundary: the loop halves it down to the row that fails
        failure = type(error).__name__
        Path(path).with_suffix(".failed").write_text(failure)
    if failure:
        raise BatchError(f"{failure} in batch {stage}-{number}")
