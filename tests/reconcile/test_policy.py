"""Who may decide: each row of the policy's table, alone."""

from dataclasses import replace

import pytest

from tasks.reconcile.candidates import Candidate
from tasks.reconcile.index import Person
from tasks.reconcile.policy import Member, judge
from tasks.reconcile.readings import Reading

PERSON = Person("1001", "O'NEIL", "MARY ANN", "19310312", "F", "STE")
READ = Reading("1001", ("ANN", "MARY", "ONEIL"), "19310312", "F", "19600101")
MEMBER = Member("a", READ)
FIRST = Candidate(PERSON, 0.99999)


def decide(*members: Member, candidates: tuple[Candidate, ...] = (FIRST,)) -> str:
    return judge(members, candidates, 0.9999, "STE").decision


def test_what_agrees_in_all_is_linked() -> None:
    verdict = judge([MEMBER], [FIRST, Candidate(replace(PERSON, patient_id="2"), 0.4)], 0.9999, "STE")
    assert (verdict.decision, verdict.person, verdict.unproved) == ("auto", PERSON, frozenset())


@pytest.mark.parametrize(
    "reading",
    [
        replace(READ, patient_id=""),
        replace(READ, patient_id="1002"),
        replace(READ, name=()),
        replace(READ, name=("ANNA", "MARY", "ONEIL")),
        replace(READ, name=("M", "ONEIL")),
        replace(READ, birth_date=""),
        replace(READ, birth_date="19311203"),
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
        replace(MEMBER, hints=(Reading(name=("JONES", "MARY")),)),
        replace(MEMBER, issuer="ELSEWHERE"),
    ],
)
def test_conflict_manifest_and_issuer_can_forbid(member: Member) -> None:
    assert decide(member) == "review"
    assert decide(MEMBER, replace(member, object_key="b")) == "review"


def test_the_manifest_alone_links_nothing() -> None:
    assert decide(Member("a", Reading(), hints=(READ,))) == "review"
    assert decide(Member("a", replace(READ, patient_id=""), hints=(READ,))) == "review"


def test_fields_read_on_different_objects_do_not_add_up() -> None:
    assert decide(Member("a", replace(READ, name=())), Member("b", replace(READ, patient_id=""))) == "review"


def test_candidates_can_forbid() -> None:
    assert decide(MEMBER, candidates=()) == "review"
    assert decide(MEMBER, candidates=(Candidate(PERSON, 0.9998),)) == "review"
    assert decide(MEMBER, candidates=(FIRST, FIRST)) == "review"
    assert decide(MEMBER, candidates=(FIRST, Candidate(replace(PERSON, patient_id="2"), 0.99995))) == "review"


def test_a_film_that_says_nothing_waits_though_its_study_is_linked() -> None:
    verdict = judge([MEMBER, Member("b", Reading()), Member("c", Reading(name=READ.name))], [FIRST], 0.9999, "STE")
    assert (verdict.decision, verdict.unproved) == ("auto", frozenset({"b", "c"}))


def test_reasons_carry_no_patient() -> None:
    for member in (MEMBER, replace(MEMBER, reading=replace(READ, patient_id="999")), replace(MEMBER, issuer="X")):
        reason = judge([member], [FIRST], 0.9999, "STE").reason
        assert not any(secret in reason for secret in ("1001", "999", "NEIL", "1931"))
