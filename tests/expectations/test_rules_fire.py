"""Each rule of each suite fires on a header that breaks it, and no rule fires on headers that are as the standard asks."""

from typing import Any

import pytest

from expectations.rules import read_suite
from expectations.stage import validate_batch
from tests.expectations.examples import FILM, context, film, report, row_of

SUITES = ("patient", "study", "film", "object")
LONG = "x" * 65
LONG_UID = "1." + "2" * 64

# What breaks a rule: attributes of one film's header, and columns of its row.
BREAKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "patient-id-present": ({"PatientID": ""}, {}),
    "patient-id-as-linked": ({"PatientID": "P2"}, {}),
    "patient-name-present": ({"PatientName": None}, {}),
    "patient-name-form": ({"PatientName": "A^B^C^D^E^F"}, {}),
    "patient-name-real": ({"PatientName": "Unknown^"}, {}),
    "patient-id-length": ({"PatientID": LONG}, {"patient_id": LONG}),
    "patient-id-issuer": ({"IssuerOfPatientID": None}, {}),
    "birth-date-valid": ({"PatientBirthDate": "19500230"}, {}),
    "birth-before-study": ({"PatientBirthDate": "19870505"}, {}),
    "patient-sex-known": ({"PatientSex": "W"}, {}),
    "study-uid-valid": ({"StudyInstanceUID": "2.25.017"}, {"study_instance_uid": "2.25.017"}),
    "study-uid-settled": ({"StudyInstanceUID": "2.25.18"}, {}),
    "series-uid-valid": ({"SeriesInstanceUID": "1.2..3"}, {}),
    "series-uid-present": ({"SeriesInstanceUID": None}, {}),
    "one-patient-per-study": ({"PatientID": "P2", "SOPInstanceUID": "2.25.2"}, {}),
    "sop-instance-uid-unique": ({}, {}),
    "one-modality-per-series": ({"Modality": "MG", "SOPInstanceUID": "2.25.2"}, {}),
    "study-date-present": ({"StudyDate": ""}, {}),
    "study-date-valid": ({"StudyDate": "1987.5.4"}, {}),
    "study-date-not-future": ({"StudyDate": "20260302"}, {}),
    "study-date-after-roentgen": ({"StudyDate": "18870504", "PatientBirthDate": ""}, {}),
    "study-time-form": ({"StudyTime": "2460"}, {}),
    "accession-length": ({"AccessionNumber": "1" * 17}, {}),
    "study-id-length": ({"StudyID": "1" * 17}, {}),
    "conversion-type-digitized-film": ({"ConversionType": "WSD"}, {}),
    "conversion-type-present": ({"ConversionType": None}, {}),
    "modality-of-source": ({"Modality": "OT"}, {}),
    "scanned-spacing-present": ({"NominalScannedPixelSpacing": None}, {}),
    "scanned-spacing-form": ({"NominalScannedPixelSpacing": ["0.0", "0.0"]}, {}),
    "burned-in-annotation-declared": ({"BurnedInAnnotation": "NO"}, {}),
    "burned-in-annotation-present": ({"BurnedInAnnotation": None}, {}),
    "image-type-secondary": ({"ImageType": ["ORIGINAL", "PRIMARY"]}, {}),
    "pixel-spacing-calibrated": ({"PixelSpacing": ["0.1", "0.1"]}, {}),
    "film-sop-class": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1"}, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.1"}),
    "scan-date-valid": ({"DateOfSecondaryCapture": "2026"}, {}),
    "study-before-scan": ({"DateOfSecondaryCapture": "19870503"}, {}),
    "sop-class-settled": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"}, {}),
    "sop-class-uid-valid": ({"SOPClassUID": LONG_UID}, {"sop_class_uid": LONG_UID}),
    "sop-class-uid-present": ({"SOPClassUID": None}, {}),
    "sop-class-standard": ({"SOPClassUID": "1.3.12.2.1107.5.9.1"}, {"sop_class_uid": "1.3.12.2.1107.5.9.1"}),
    "sop-instance-uid-settled": ({}, {"sop_instance_uid": "2.25.99"}),
    "sop-instance-uid-valid": ({"SOPInstanceUID": "1.02"}, {}),
    "modality-present": ({"Modality": ""}, {}),
    "rows-present": ({"Rows": None}, {}),
    "columns-present": ({"Columns": None}, {}),
    "rows-positive": ({"Rows": 0}, {}),
    "columns-positive": ({"Columns": 0}, {}),
    "bits-allocated-known": ({"BitsAllocated": 12}, {}),
    "bits-stored-fit": ({"BitsStored": 17}, {}),
    "high-bit": ({"HighBit": 15}, {}),
    "photometric-known": ({"PhotometricInterpretation": "MONOCHROME3"}, {}),
    "samples-match-photometric": ({"SamplesPerPixel": 3}, {}),
    "pixel-description-kept": ({"Columns": 13}, {}),
    "number-of-frames-positive": ({"NumberOfFrames": "0"}, {}),
    "transfer-syntax-known": ({}, {"transfer_syntax_uid": "1.2.840.10008.1.2.4.100"}),
    "window-whole": ({"WindowWidth": None}, {}),
    "window-width-positive": ({"WindowWidth": "0.5"}, {}),
    "rescale-whole": ({"RescaleSlope": None}, {}),
    "lossy-declared": ({}, {"transfer_syntax_uid": "1.2.840.10008.1.2.4.50"}),
}
RULES = [(suite, rule) for suite in SUITES for rule in read_suite(suite).rules.values()]


def findings(rows: list[dict[str, Any]], **sections: Any) -> list[dict[str, Any]]:
    return [row for outcome in validate_batch(rows, context(**sections)) for row in outcome.rows.get("findings", ())]


def test_at_least_twenty_rules() -> None:
    assert len(RULES) >= 20
    assert {rule.name for _, rule in RULES} == set(BREAKS)


def test_every_rule_fires_on_what_breaks_it_and_on_nothing_else() -> None:
    """One batch, a study for each rule: its two films, one of which breaks the rule."""
    rows, expected = [], set()
    for number, (suite, rule) in enumerate(RULES):
        study = f"2.25.{5000 + number}"
        attributes, columns = BREAKS[rule.name]
        whole = FILM | {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
        rows.append(row_of(whole, f"{rule.name} good", study_instance_uid=study))
        rows.append(
            row_of(whole | {"SOPInstanceUID": "2.25.2"} | attributes, f"{rule.name} bad", study_instance_uid=study) | columns
        )
        expected.add((rows[-1]["study_instance_uid"], f"{rule.name} bad", suite, rule.name))
    for row in rows:
        if row["object_key"] == "sop-instance-uid-unique bad":
            row |= {"header": rows[rows.index(row) - 1]["header"], "sop_instance_uid": FILM["SOPInstanceUID"]}
    found = {(row["study_instance_uid"], row["object_key"], row["suite"], row["expectation"]) for row in findings(rows)}
    assert expected - found == set()
    good = {key[3] for key in found if key[1].endswith(" good") and not key[1].startswith(key[3])}
    assert good <= {"one-modality-per-series", "one-patient-per-study"}  # what concerns both members of a pair


@pytest.mark.parametrize("row", [film(), report()], ids=["film", "report"])
def test_nothing_fires_on_a_good_object(row: dict[str, Any]) -> None:
    found = findings([row])
    assert [finding for finding in found if finding["severity"] != "passed"] == []
    assert [finding["suite"] for finding in found] == list(SUITES)
    assert all(finding["object_key"] == "" and finding["expectation"] == "" for finding in found)


def test_film_rules_leave_legacy_objects_alone() -> None:
    legacy = film(
        kind="dicom", attributes={"ConversionType": "WSD", "BurnedInAnnotation": None, "ImageType": ["ORIGINAL", "PRIMARY"]}
    )
    assert {finding["suite"] for finding in findings([legacy]) if finding["severity"] == "passed"} == set(SUITES)


def test_two_studies_with_the_same_uids_of_series_and_object_say_nothing_of_each_other() -> None:
    """Which studies share a batch is chance."""
    other = row_of(
        FILM | {"StudyInstanceUID": "2.25.18", "PatientID": "P2", "Modality": "MG"},
        "o2",
        study_instance_uid="2.25.18",
        patient_id="P2",
    )
    assert {finding["severity"] for finding in findings([film(), other])} == {"passed"}


def test_only_the_suites_asked_for_are_applied() -> None:
    found = findings([film(attributes={"PatientID": "P2", "Rows": 0})], validate={"suites": ["object"]})
    assert {finding["suite"] for finding in found} == {"object"}
