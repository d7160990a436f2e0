"""The suite `iod` among the others: its findings warn, and stand in table and report beside theirs."""

from pathlib import Path

from expectations.data_docs import build_data_docs
from expectations.rules import suites_version
from expectations.stage import validate_batch
from tasks.configuration import Configuration
from tasks.schemas.record import FINDINGS
from tests.expectations.examples import context, film

ALL = ["patient", "study", "film", "object", "iod"]


def test_what_breaks_its_iod_is_loaded_with_warnings() -> None:
    rows = [
        film("a"),
        film("b", {"SOPInstanceUID": "2.25.2", "StudyDescription": "B"}),
        film("c", {"SOPInstanceUID": "2.25.3"}),
    ]
    outcomes = list(validate_batch(rows, context(validate={"suites": ALL})))
    assert {outcome.outcome for outcome in outcomes} == {"done"}
    found = [row for outcome in outcomes for row in outcome.rows.get("findings", ())]
    of_iod = [row for row in found if row["suite"] == "iod"]
    assert {row["severity"] for row in of_iod} == {"warning"}
    assert "missing Laterality" in {row["expectation"] for row in of_iod}  # the example has none
    keys = [tuple(row[name] for name in FINDINGS.key) for row in found]
    assert len(keys) == len(set(keys))


def test_a_film_as_reconcile_writes_it_passes() -> None:
    whole = {"Laterality": "", "PatientOrientation": "", "ReferringPhysicianName": "", "Manufacturer": "", "SeriesNumber": "1"}
    whole |= {"InstanceNumber": "1", "PresentationLUTShape": "IDENTITY", "RescaleType": "US", "NumberOfFrames": "1"}
    (outcome,) = validate_batch([film(attributes=whole)], context(validate={"suites": ["iod"]}))
    assert [(row["suite"], row["severity"]) for row in outcome.rows["findings"]] == [("iod", "passed")]


def test_it_is_applied_unless_configured_otherwise() -> None:
    raw = {"project": {"name": "t", "workspace": Path("/nowhere")}, "source": [{"kind": "film", "path": Path("/nowhere")}]}
    configuration = Configuration.model_validate(raw)
    assert configuration.validate_.suites == tuple(ALL)
    assert list(suites_version(configuration)) == ALL  # type: ignore[call-overload]


def test_its_findings_stand_in_the_report(tmp_path: Path) -> None:
    page = build_data_docs("t", [], [("iod", "missing PatientSex", 7)], 0, ALL, tmp_path).read_text(encoding="utf-8")
    assert "missing PatientSex" in page
    assert "7</td>" in page
