"""Applies the suites to a frame of headers with Great Expectations, in two passes.

The first pass says which rules failed and nothing else, which is quick; the second asks for the failing objects' keys, of the
failed rules only. Context and suites are made once a process; Great Expectations keeps its context in a global, so one thread
at a time.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import pandas as pd

from expectations.rules import SuiteData, read_suite
from tasks.errors import StageBlockedError
from tasks.validate.findings import Failure

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when Great Expectations is imported
import great_expectations

import expectations.custom  # noqa: F401  # registers what the suites name

_LOCK = Lock()
_KEYS_ONLY = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["object_key"],
    "include_unexpected_rows": False,
    "partial_unexpected_count": 0,
}


@lru_cache
def _batch_definition() -> Any:
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("final").add_dataframe_asset("headers")
    return asset.add_batch_definition_whole_dataframe("batch")


def expectation_suite(suite: SuiteData, only: frozenset[str] | None = None) -> Any:
    """A Great Expectations suite of all rules, or of those in `only`; blocking rules become `critical` there."""
    chosen = [e for e in suite.expectations if only is None or e["meta"]["rule"] in only]
    severities = {"blocking": "critical", "warning": "warning"}
    return great_expectations.ExpectationSuite(
        name=suite.name,
        notes=suite.notes,
        expectations=[{**e, "severity": severities[e["meta"]["severity"]]} for e in chosen],
    )


@lru_cache
def _whole_suite(name: str) -> Any:
    return expectation_suite(read_suite(name))


def rows_for(suite: SuiteData, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the frame that a suite is for, in the columns it looks at (all are hashed for each batch)."""
    rows = frame if suite.kind == "all" else frame[frame["kind"] == suite.kind].reset_index(drop=True)
    return rows[list(suite.columns)]


def apply_suites(frame: pd.DataFrame, suites: Sequence[str]) -> list[Failure]:
    """The rules that failed, in the order of the suites, with the keys of the objects they failed for.

    Raises `StageBlockedError` where a rule cannot be evaluated: a rule that did not run must not count as kept.
    """
    with _LOCK:
        return [failure for name in suites for failure in _apply(read_suite(name), frame)]


def _apply(suite: SuiteData, frame: pd.DataFrame) -> Iterator[Failure]:
    rows = rows_for(suite, frame)
    if rows.empty:
        return
    batch = _batch_definition().get_batch({"dataframe": rows})
    first_pass = _results(batch, suite, _whole_suite(suite.name), "BOOLEAN_ONLY")
    failed = frozenset(name for name, result in first_pass if not result.success)
    if not failed:
        return
    for name, result in _results(batch, suite, expectation_suite(suite, failed), _KEYS_ONLY):
        keys = {entry["object_key"] for entry in result.result["unexpected_index_list"]}
        yield Failure(suite.rules[name], tuple(key for key in rows["object_key"] if key in keys))


def _results(batch: Any, suite: SuiteData, expectations_of: Any, result_format: Any) -> Iterator[tuple[str, Any]]:
    for result in batch.validate(expectations_of, result_format=result_format).results:
        name = result.expectation_config.meta["rule"]
        if any_exception(result.exception_info):
            raise StageBlockedError(f"rule {name} of suite {suite.name} could not be evaluated: correct its expectation")
        yield name, result


def any_exception(info: dict[str, Any]) -> bool:
    """Whether a result's exception info (flat, or one a metric) tells of an exception."""
    return bool(info.get("raised_exception")) or any(
        isinstance(value, dict) and bool(value.get("raised_exception")) for value in info.values()
    )
