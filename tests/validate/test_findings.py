"""From failed rules to outcomes, without Great Expectations."""

from tasks.validate.findings import Failure, Rule, outcomes_of_study
from tasks.validate.stage import studies_of

BLOCKING = Rule("patient", "patient-id-present", "blocking", "PatientID", "No patient.", "Link it.")
WARNING = Rule("study", "study-date-present", "warning", "StudyDate", "No date.", "Read it.")


def member(key: str, study: str = "1.2") -> dict[str, str]:
    return {"object_key": key, "item_key": f"i{key}", "study_instance_uid": study, "sop_instance_uid": f"1.2.{key}"}


def test_findings_of_other_studies_do_not_count() -> None:
    (outcome,) = outcomes_of_study([member("1")], [Failure(BLOCKING, ("9",))], ("patient", "study"))
    assert outcome.outcome == "done"
    assert [row["suite"] for row in outcome.rows["findings"]] == ["patient", "study"]


def test_reason_counts_objects_and_the_clean_suite_passes_once() -> None:
    failures = [Failure(BLOCKING, ("1", "2")), Failure(WARNING, ("2",))]
    outcomes = list(outcomes_of_study([member("1"), member("2")], failures, ("patient", "study", "object")))
    assert {outcome.reason for outcome in outcomes} == {"blocking finding: patient-id-present (2)"}
    rows = [row for outcome in outcomes for row in outcome.rows["findings"]]
    assert [(row["object_key"], row["expectation"], row["severity"]) for row in rows] == [
        ("1", "patient-id-present", "blocking"),
        ("", "", "passed"),
        ("2", "patient-id-present", "blocking"),
        ("2", "study-date-present", "warning"),
    ]
    assert rows[0]["message"] == "No patient. Link it."


def test_studies_stay_in_their_order() -> None:
    rows = [member("1", "b"), member("2", "a"), member("3", "b")]
    assert [[row["object_key"] for row in study] for study in studies_of(rows)] == [["1", "3"], ["2"]]
