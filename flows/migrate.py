"""The flow of a whole migration: all that Prefect sees of it is the flow, the batches by number, and an artifact of counts.

The flow's function is pickled by value for the worker processes, so it holds nothing but the number of the run.
"""

from prefect import flow

from flows.prepared import run_prepared


@flow(name="migrate", flow_run_name="run-{run}", persist_result=False, log_prints=False, validate_parameters=False)
def migrate(run: int) -> None:
    """Runs the stages (`flows.stages`) of the prepared run over all that is pending."""
    run_prepared(run)
