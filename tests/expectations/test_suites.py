"""The suites as data: complete, and with rules that people can act on."""

import pytest

from expectations.application import expectation_suite
from expectations.rules import read_suite
from tasks.validate.frame import COLUMNS

SUITES = ("patient", "study", "film", "object")


@pytest.mark.parametrize("name", SUITES)
def test_suite_is_whole(name: str) -> None:
    suite = read_suite(name)
    assert len(suite.rules) == len(suite.expectations)
    assert set(suite.columns) <= set(COLUMNS)
    for rule in suite.rules.values():
        assert rule.severity in ("blocking", "warning")
        assert rule.why.endswith(".")
        assert rule.mend.endswith(".")


@pytest.mark.parametrize("name", SUITES)
def test_great_expectations_keeps_every_argument(name: str) -> None:
    """A subclass with default arguments would save an empty rule."""
    suite = read_suite(name)
    saved = expectation_suite(suite).to_json_dict()["expectations"]
    for given, kept in zip(suite.expectations, saved, strict=True):
        assert kept["type"] == given["type"]
        lost = {key for key in given["kwargs"] if key not in kept["kwargs"]}
        assert lost <= {"ignore_row_if"}
        assert kept["meta"] == given["meta"]


def test_findings_name_the_attribute_a_rule_is_about() -> None:
    columns = {rule.name: rule.column for suite in SUITES for rule in read_suite(suite).rules.values()}
    assert columns["one-patient-per-study"] == "PatientID"
    assert columns["one-modality-per-series"] == "Modality"
    assert columns["sop-instance-uid-unique"] == "SOPInstanceUID"
    assert columns["transfer-syntax-known"] == "transfer_syntax_uid"
    assert columns["rows-present"] == "Rows"
