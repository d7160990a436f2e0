"""Expectations Great Expectations lacks: pairs of attributes, dates as DICOM writes them, one value in each group.

Each comes as a metric (how a row is judged) and an expectation (its name in a suite's JSON). Importing this module registers
them. Give every argument in the suite: a subclass with default arguments saves an empty rule.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)

Values = Any  # a pandas Series of one column, aligned by row
Judged = Any  # a Series of bool: whether the row is as expected


def parsed_date(value: object) -> datetime | None:
    """A DA value (PS3.5 section 6.2: YYYYMMDD, a date that exists); null for anything else."""
    text = str(value)
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return datetime(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


class _PairExpectation(ColumnPairMapExpectation):  # type: ignore[misc]
    """What the expectations on pairs share: which rows are left out (`ignore_row_if`, always to be given)."""

    ignore_row_if: Literal["both_values_are_missing", "either_value_is_missing", "neither"]

    success_keys: ClassVar[tuple[str, ...]] = ("column_A", "column_B", "ignore_row_if", "mostly")


class DicomDates(ColumnMapMetricProvider):  # type: ignore[misc]  # Great Expectations is not typed
    """Whether a value is a valid DA."""

    condition_metric_name = "column_values.dicom_dates"

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: Values, **_: object) -> Judged:  # noqa: N805  # a class method by its decorator
        return column.map(lambda value: parsed_date(value) is not None).astype(bool)


class ExpectColumnValuesToBeDicomDates(ColumnMapExpectation):  # type: ignore[misc]
    """Each value is a date that exists, written YYYYMMDD."""

    map_metric: ClassVar[str] = "column_values.dicom_dates"


class DatesInOrder(ColumnPairMapMetricProvider):  # type: ignore[misc]
    """Whether the date in A is not after the one in B; a value that is no date says nothing."""

    condition_metric_name = "column_pair_values.dates_in_order"
    condition_domain_keys = ("batch_id", "table", "column_A", "column_B", "row_condition", "condition_parser", "ignore_row_if")
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_A: Values, column_B: Values, **_: object) -> Judged:  # noqa: N803, N805
        def ordered(first: object, second: object) -> bool:
            earlier, later = parsed_date(first), parsed_date(second)
            return earlier is None or later is None or earlier <= later

        judged = [ordered(first, second) for first, second in zip(column_A, column_B, strict=True)]
        return pd.Series(judged, index=column_A.index, dtype=bool)


class ExpectColumnPairDatesToBeInOrder(_PairExpectation):
    """The date in column A is the same as, or before, the one in column B."""

    map_metric: ClassVar[str] = "column_pair_values.dates_in_order"


class Accompanied(ColumnPairMapMetricProvider):  # type: ignore[misc]
    """Whether B has a value where A has one."""

    condition_metric_name = "column_pair_values.accompanied"
    condition_domain_keys = DatesInOrder.condition_domain_keys
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_A: Values, column_B: Values, **_: object) -> Judged:  # noqa: N803, N805
        return column_A.isna() | column_B.notna()


class ExpectColumnToBeAccompanied(_PairExpectation):
    """Where column A has a value, column B has one too."""

    map_metric: ClassVar[str] = "column_pair_values.accompanied"


class OneForEach(ColumnPairMapMetricProvider):  # type: ignore[misc]
    """Whether all rows with the same A have the same B; nulls in B do not count."""

    condition_metric_name = "column_pair_values.one_for_each"
    condition_domain_keys = DatesInOrder.condition_domain_keys
    condition_value_keys = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_A: Values, column_B: Values, **_: object) -> Judged:  # noqa: N803, N805
        return column_A.isna() | (column_B.groupby(column_A).transform("nunique") <= 1)


class ExpectOneColumnBForEachColumnA(_PairExpectation):
    """Each value of column A (a study) goes with one value of column B (a patient)."""

    map_metric: ClassVar[str] = "column_pair_values.one_for_each"


class DifferBy(ColumnPairMapMetricProvider):  # type: ignore[misc]
    """Whether A - B is the difference asked for."""

    condition_metric_name = "column_pair_values.differ_by"
    condition_domain_keys = DatesInOrder.condition_domain_keys
    condition_value_keys = ("difference",)

    @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_A: Values, column_B: Values, difference: float, **_: object) -> Judged:  # noqa: N803, N805
        return (column_A - column_B) == difference


class ExpectColumnPairValuesToDifferBy(_PairExpectation):
    """Column A is column B plus `difference`."""

    difference: float

    map_metric: ClassVar[str] = "column_pair_values.differ_by"
    success_keys: ClassVar[tuple[str, ...]] = ("column_A", "column_B", "difference", "ignore_row_if", "mostly")
