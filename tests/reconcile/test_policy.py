"""Who may decide: each row of the policy's table, alone; without that row, the label would be linked to somebody wrong."""

from dataclasses import replace

import pytest

from tasks.reconcile.candidates import Candidate
from tasks.reconcile.person import Person
from tasks.reconcile.policy import Limits, Member, Verdict, judge
from tasks.reconcile.readings import Reading

PERSON = Person("1001", "O'NEIL", "MARY ANN", "19310312", "F", "STE", line=0)
READ = Reading("1001", ("ANN", "MARY", "ONEIL"), "19310312", "F", "19600101")
MEMBER = Member("a", READ)
FIRST = Candidate(PERSON, 17.0)  # bits: a probability of 0.99999
LIMITS = Limits(0.9999, 1e-6, "STE")
UNNUMBERED = replace(READ, patient_id="")


def verdict(*members: Member, candidates: tuple[Candidate, ...] = (FIRST,)) -> Verdict:
    return judge(members, candidates, LIMITS)


def decide(*members: Member, candidates: tuple[Candidate, ...] = (FIRST,)) -> str:
    return verdict(*members, candidates=candidates).decision


def other(weight: float = -1.0, **changes: object) -> Candidate:
    return Candidate(replace(PERSON, **{"patient_id": "2002", "line": 1, **changes}), weight)  # type: ignore[arg-type]


def test_what_agrees_in_all_is_linked() -> None:
    found = verdict(MEMBER, candidates=(FIRST, other(given_name="PAUL")))
    assert (found.decision, found.person, found.unproved) == ("auto", PERSON, frozenset())


@pytest.mark.parametrize(
    "reading",
    [
        replace(READ, name=()),
        replace(READ, birth_date=""),
        replace(READ, name=("ANN", "MARY", "ONEILL")),
        replace(READ, name=("M", "ONEIL")),
        replace(READ, name=("MOLLY", "ONEIL")),  # short for Mary
        replace(READ, birth_date="19311203"),
        replace(READ, birth_date="19310313"),
        replace(READ, sex=""),
    ],
)
def test_beside_the_identifier_one_fact_may_be_missing_or_a_slip_away(reading: Reading) -> None:
    assert decide(Member("a", reading)) == "auto"


@pytest.mark.parametrize(
    "reading",
    [
        replace(READ, patient_id="1002"),
        replace(READ, patient_id="9"),
        replace(READ, name=("JONES", "PAULA")),
        replace(READ, name=("PAUL", "ONEIL")),
        replace(READ, name=("ANN", "MARY", "ONEILL"), birth_date="19310313"),
        replace(READ, name=(), birth_date=""),
        replace(READ, birth_date="19460725"),
        replace(READ, sex="M"),
        replace(READ, study_date="19310311"),
        Reading(),
    ],
)
def test_what_is_missing_or_differs_is_not(reading: Reading) -> None:
    assert decide(Member("a", reading)) == "review"
    # Nor is it when another object of the study is without fault, but where it only says less.
    less = not any(theirs and theirs != ours for theirs, ours in zip(vars(reading).values(), vars(READ).values(), strict=True))
    assert decide(MEMBER, Member("b", reading)) == ("auto" if less else "review")


@pytest.mark.parametrize(
    "member",
    [
        replace(MEMBER, conflict="two patients read in one jacket"),
        replace(MEMBER, hints=(Reading(patient_id="1002"),)),
        replace(MEMBER, hints=(Reading(patient_id="9"),)),
        replace(MEMBER, hints=(Reading(name=("JONES", "MARY")),)),
        replace(MEMBER, hints=(Reading(birth_date="19460725"),)),
        replace(MEMBER, issuer="ELSEWHERE"),
    ],
)
def test_conflict_manifest_and_issuer_can_forbid(member: Member) -> None:
    assert decide(member) == "review"
    assert decide(MEMBER, replace(member, object_key="b")) == "review"


def test_nobody_is_examined_after_death() -> None:
    buried = replace(FIRST, person=replace(PERSON, death_date="19591231"))
    assert decide(MEMBER, candidates=(buried,)) == "review"
    assert decide(Member("a", replace(READ, study_date="19591231")), candidates=(buried,)) == "auto"


def test_another_family_name_needs_number_birth_date_and_given_name() -> None:
    maiden = replace(READ, name=("ANN", "JONES", "MARY"))
    assert decide(Member("a", maiden)) == "auto"
    assert decide(Member("a", replace(maiden, birth_date=""))) == "review"
    assert decide(Member("a", replace(maiden, birth_date="19310313"))) == "review"
    assert decide(Member("a", replace(maiden, patient_id="")), candidates=(replace(FIRST, ordered=True),)) == "review"
    assert decide(Member("a", replace(READ, name=("ONEIL", "PAULA")))) == "review"  # her sister
    man = replace(FIRST, person=replace(PERSON, sex="M"))
    assert decide(Member("a", replace(maiden, sex="")), candidates=(man,)) == "review"
    assert decide(MEMBER, Member("b", Reading(), hints=(Reading(name=maiden.name),))) == "review"


def test_a_number_with_a_wrong_check_digit_was_misread() -> None:
    checked = replace(FIRST, person=replace(PERSON, patient_id="1008", former_ids=(("1001", "STE"),)))
    assert judge([MEMBER], [checked], LIMITS).decision == "auto"
    # By Luhn's scheme 1008 is a number and 1001 none: a slip in the index, or of whoever read the label.
    assert judge([MEMBER], [checked], replace(LIMITS, scheme="M10")).decision == "review"


def test_the_manifest_alone_links_nothing() -> None:
    assert decide(Member("a", Reading(), hints=(READ,))) == "review"
    assert decide(Member("a", Reading(study_date="19600101"), hints=(READ, replace(READ, sex="")))) == "review"


@pytest.mark.parametrize(
    ("member", "candidate", "decision"),
    [
        (Member("a", UNNUMBERED), FIRST, "review"),
        (Member("a", UNNUMBERED), replace(FIRST, ordered=True), "auto"),
        (Member("a", UNNUMBERED), replace(FIRST, address=True), "auto"),
        (Member("a", UNNUMBERED), replace(FIRST, strangers=1e-6), "auto"),
        (Member("a", UNNUMBERED), replace(FIRST, strangers=2e-6), "review"),
        (Member("a", UNNUMBERED, hints=(Reading(patient_id="1001"),)), FIRST, "auto"),
        (Member("a", UNNUMBERED, hints=(Reading(name=READ.name, birth_date=READ.birth_date),)), FIRST, "review"),
        (Member("a", replace(UNNUMBERED, name=("M", "ONEIL"))), replace(FIRST, ordered=True), "review"),
        (Member("a", replace(UNNUMBERED, name=("ONEIL",))), replace(FIRST, ordered=True), "review"),
        (Member("a", replace(UNNUMBERED, birth_date="19311203")), replace(FIRST, ordered=True), "review"),
        (Member("a", replace(UNNUMBERED, birth_date="")), replace(FIRST, ordered=True), "review"),
    ],
)
def test_without_an_identifier_name_and_birth_date_need_a_third_fact(
    member: Member, candidate: Candidate, decision: str
) -> None:
    assert decide(member, candidates=(candidate,)) == decision


def test_fields_read_on_different_objects_do_not_add_up_without_an_identifier() -> None:
    apart = (Member("a", replace(UNNUMBERED, name=())), Member("b", replace(UNNUMBERED, birth_date="")))
    assert decide(*apart, candidates=(replace(FIRST, ordered=True),)) == "review"


def test_a_birth_date_that_is_a_slip_away_proves_nothing_alone() -> None:
    slip = replace(READ, name=(), birth_date="19310313")
    assert decide(Member("a", slip)) == "review"
    assert decide(MEMBER, Member("b", slip)) == "auto"


def test_candidates_can_forbid() -> None:
    assert decide(MEMBER, candidates=()) == "review"
    assert decide(MEMBER, candidates=(replace(FIRST, weight=12.0),)) == "review"
    assert decide(MEMBER, candidates=(FIRST, other(8.0, given_name="PAUL"))) == "review"


def test_a_number_that_was_given_out_twice_links_whom_nothing_else_could_mean() -> None:
    namesake = other(patient_id="1001", birth_date="")
    assert decide(MEMBER, candidates=(FIRST, namesake)) == "review"
    stranger = other(patient_id="1001", family_name="JONES", given_name="BOB", birth_date="19600606")
    assert decide(MEMBER, candidates=(FIRST, stranger)) == "auto"
    # In the archive both would be one patient under that number.
    assert decide(MEMBER, candidates=(replace(FIRST, shared=True), stranger)) == "review"


def test_twins_are_told_apart_by_more_than_one_letter() -> None:
    joan = replace(PERSON, given_name="JOAN", family_name="WHITE")
    john = other(3.0, patient_id="1002", given_name="JOHN", family_name="WHITE")
    read = replace(READ, name=("JOAN", "WHITE"), sex="")
    candidates = (replace(FIRST, person=joan), john)
    assert decide(Member("a", read), candidates=candidates) == "auto"  # two slips would be needed for John
    assert decide(Member("a", replace(read, name=())), candidates=candidates) == "review"
    assert decide(Member("a", replace(read, name=("JOAHN", "WHITE"))), candidates=candidates) == "review"


def test_father_and_son_are_told_apart_by_the_birth_date() -> None:
    son = other(3.0, birth_date="19610312")
    assert decide(MEMBER, candidates=(FIRST, son)) == "auto"
    assert decide(Member("a", replace(READ, birth_date="19610312")), candidates=(FIRST, son)) == "review"
    assert (
        decide(Member("a", UNNUMBERED), candidates=(replace(FIRST, ordered=True), other(3.0, birth_date="19310313")))
        == "review"
    )


def test_whom_registration_links_is_no_rival() -> None:
    same = other(3.0, patient_id="1002", line=7)
    linked = replace(FIRST, person=replace(PERSON, linked=7))
    assert decide(MEMBER, candidates=(FIRST, same)) == "review"
    assert decide(MEMBER, candidates=(linked, same)) == "auto"


def test_a_former_name_and_number_find_the_person() -> None:
    married = replace(
        PERSON, patient_id="7", family_name="SMITH", former_ids=(("1001", "STE"),), former_names=(("O'NEIL", "MARY ANN"),)
    )
    found = verdict(MEMBER, candidates=(replace(FIRST, person=married),))
    assert (found.decision, found.person) == ("auto", married)


def test_a_film_that_says_nothing_waits_though_its_study_is_linked() -> None:
    found = verdict(MEMBER, Member("b", Reading()), Member("c", Reading(name=READ.name)))
    assert (found.decision, found.unproved) == ("auto", frozenset({"b", "c"}))


def test_reasons_carry_no_patient() -> None:
    for member in (MEMBER, replace(MEMBER, reading=replace(READ, patient_id="999")), replace(MEMBER, issuer="X")):
        reason = verdict(member).reason
        assert not any(secret in reason for secret in ("1001", "999", "NEIL", "1931"))
