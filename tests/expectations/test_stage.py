"""The stage as the engine calls it: outcomes, the table's contract, and what a batch leaves behind for the next."""

import time

import pyarrow as pa
import pytest

from expectations import application
from expectations.rules import SuiteData, read_suite, suites_version
from expectations.stage import validate_batch
from tasks.errors import StageBlockedError
from tasks.schemas.record import FINDINGS
from tests.expectations.examples import context, film


def test_a_blocking_finding_holds_the_whole_study_back() -> None:
    rows = [film("a"), film("b", {"SOPInstanceUID": "2.25.2", "PatientID": "P2"})]
    outcomes = list(validate_batch(rows, context()))
    assert [(outcome.key, outcome.item_key, outcome.outcome) for outcome in outcomes] == [
        ("a", "item of a", "review"),
        ("b", "item of b", "review"),
    ]
    assert outcomes[0].reason == "blocking findings: one-patient-per-study (2), patient-id-as-linked (1)"
    assert "P2" not in outcomes[0].reason


def test_a_warning_does_not() -> None:
    (outcome,) = validate_batch([film(attributes={"IssuerOfPatientID": None})], context())
    assert (outcome.outcome, outcome.reason) == ("done", "")
    assert [row["severity"] for row in outcome.rows["findings"]] == ["warning", "passed", "passed", "passed"]


def test_a_header_that_is_none_does_not_stop_the_others() -> None:
    broken = film("b", study_instance_uid="2.25.18", header=b"\x10\x00\x10\x00PN\xff\xffno")
    empty = film("c", study_instance_uid="2.25.19", header=b"")
    outcomes = {outcome.key: outcome.outcome for outcome in validate_batch([film("a"), broken, empty], context())}
    assert outcomes["a"] == "done"
    assert outcomes["c"] == "quarantined"
    assert outcomes["b"] in ("quarantined", "review")


def test_findings_fit_the_table_and_its_key() -> None:
    rows = [film("a"), film("b", {"SOPInstanceUID": "2.25.2", "PatientID": "", "Rows": 0})]
    found = [row for outcome in validate_batch(rows, context()) for row in outcome.rows.get("findings", ())]
    assert set().union(*found) <= set(FINDINGS.schema.names) - {"fingerprint"}
    pa.Table.from_pylist(found, schema=FINDINGS.schema)
    keys = [tuple(row[name] for name in FINDINGS.key) for row in found]
    assert len(keys) == len(set(keys))


def test_the_next_batch_knows_nothing_of_the_last() -> None:
    bad = list(validate_batch([film(attributes={"PatientID": "P2"})], context()))
    good = list(validate_batch([film()], context()))
    assert [outcome.outcome for outcome in (*bad, *good)] == ["review", "done"]
    assert list(validate_batch([film()], context())) == good


def test_a_rule_that_cannot_be_evaluated_blocks_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = read_suite("patient")
    broken = {
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "nowhere"},
        "meta": suite.expectations[0]["meta"],
    }
    data = SuiteData("broken", "all", "", (broken,), suite.rules, ("object_key",))
    monkeypatch.setattr(application, "read_suite", lambda name: data)
    with pytest.raises(StageBlockedError, match="patient-id-present"):
        list(validate_batch([film()], context()))
    application._whole_suite.cache_clear()


def test_version_of_the_suites_names_those_applied() -> None:
    version = suites_version(context(validate={"suites": ["patient"]}).configuration)
    assert isinstance(version, dict)
    assert list(version) == ["patient"]


@pytest.mark.slow
def test_time_of_a_batch() -> None:
    rows = [film(f"o{number}", {"SOPInstanceUID": f"2.25.{number}"}) for number in range(500)]
    list(validate_batch(rows, context()))
    before = time.process_time()
    list(validate_batch(rows, context()))
    assert time.process_time() - before < 2.5
