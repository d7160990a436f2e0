"""Who may decide: the rules by which the pipeline links a study by itself, apart from the model that scores.

| rule | what must hold for a link without a person |
| --- | --- |
| match probability | at least `auto_link`, and the odds of everybody else a thousand times lower |
| identifier | read (label, barcode, header; never the manifest), this person's and nobody else's who could be meant |
| beside it | on the same object, the name or the birth date |
| no identifier | where none was read: one object shows full name and full birth date as the index has them, and a third fact |
| third fact | an order with the accession number read; the address; the identifier in the manifest (one line is one fact); |
| | or that at most `strangers` others are expected to share name and birth date |
| every object | says nothing of the patient that differs from the index; name or birth date may be one slip away, not both |
| check digit | of the identifier read is right, where the index's numbers have such |
| family name | may be another where number, birth date and given name are hers: married, or not yet |
| number | the one that goes into the header is nobody else's, now or formerly |
| somebody else | nobody explains what was read with fewer than two slips more (twins, namesakes, father and son) |
| manifest | names no other identifier, name or birth date |
| issuer | of the identifier in a header is the index's |
| dates | examined neither before birth nor after death |
| assembly | no conflict in any object (two patients, mis-filed, a picture in two jackets, two contents) |

What then is linked: the objects that show the identifier, or name and birth date, themselves. A film that joined for its
jacket's sake waits for a person, though its study is linked. All else goes to a person, whose decision always wins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.reconcile.agreement import Agreement
from tasks.reconcile.candidates import Candidate
from tasks.reconcile.check_digits import follows
from tasks.reconcile.normalise import normal_identifier
from tasks.reconcile.person import Person
from tasks.reconcile.readings import Reading

Decision = Literal["auto", "person", "review", "none"]

UNPROVED = "no patient could be read on this object: its study is linked, a person has to say whether it belongs"

# How many slips it takes to explain a field: a field that differs takes two, a name that differs takes three, for a slip in
# both of its parts is rarer than a wrong number.
_SLIPS = {"agrees": 0, "missing": 0, "nearly": 1, "partly": 2, "differs": 2}
_SLIPS_OF_A_NAME = _SLIPS | {"differs": 3}
_AHEAD = 2  # slips
_BEHIND = 10  # bits: the runner-up is a thousand times less probable


@dataclass(frozen=True)
class Member:
    """What the policy looks at in one object of a study; `issuer` of the identifier, as the object says."""

    object_key: str
    reading: Reading
    hints: tuple[Reading, ...] = ()
    conflict: str | None = None
    issuer: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whose the study is, or why nobody may say so yet; `reason` without PHI. `unproved` names objects that are not linked."""

    decision: Decision
    reason: str
    person: Person | None = None
    unproved: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Limits:
    """What the configuration says of links without a person, the project's issuer, and the index's scheme of check digits."""

    auto_link: float
    strangers: float
    issuer: str
    scheme: str | None = None


def judge(members: Sequence[Member], candidates: Sequence[Candidate], limits: Limits) -> Verdict:
    """Applies the table to a study's objects and candidates (the most probable first)."""
    conflicts = sorted({member.conflict for member in members if member.conflict})
    if conflicts:
        return _review("; ".join(conflicts))
    if not any(member.reading.names_somebody for member in members):
        return _review("no patient could be read")
    if not candidates:
        return _review("nobody in the index matches")
    identifiers = {member.reading.patient_id for member in members if member.reading.patient_id}
    if len(identifiers) > 1:
        return _review("two identifiers were read in one study")
    if not all(follows(limits.scheme, identifier) for identifier in identifiers):
        return _review("the identifier read has a wrong check digit: misread, or another hospital's")
    candidate = _chosen(members, identifiers, candidates)
    if isinstance(candidate, str):
        return _review(candidate)
    others = [other for other in candidates if other is not candidate]
    if reason := _objection(members, candidate, others, limits):
        return _review(reason)
    because = _by_identifier(members, candidate) if identifiers else _without_identifier(members, candidate, limits)
    if isinstance(because, Verdict):
        return because
    unproved = frozenset(member.object_key for member in members if not _proved(member.reading))
    return Verdict("auto", because, candidate.person, unproved)


def _review(reason: str) -> Verdict:
    return Verdict("review", reason)


def _proved(reading: Reading) -> bool:
    return bool(reading.patient_id or (reading.name and reading.birth_date))


def _chosen(members: Sequence[Member], identifiers: set[str], candidates: Sequence[Candidate]) -> Candidate | str:
    """The candidate that what was read points to, or why there is none."""
    if not identifiers:
        return candidates[0]
    having = [candidate for candidate in candidates if identifiers & _numbers(candidate.person)]
    if not having:
        return "the identifier read is not in the index"
    # A number that was given out twice still tells people apart whom nothing else could mistake for each other.
    meant = [one for one in having if not any(_differs(one.agreement(member.reading)) for member in members)]
    if len(having) == 1 or len(meant) == 1:
        return (meant or having)[0]
    return "the index has the identifier read more than once"


def _differs(fields: dict[str, Agreement]) -> bool:
    return "differs" in (fields["name"], fields["birth_date"])


def _same_number_and_date(fields: dict[str, Agreement]) -> bool:
    return fields["patient_id"] == fields["birth_date"] == "agrees"


def _numbers(person: Person) -> set[str]:
    """The identifiers of a person, now and formerly, in normal form."""
    return {normal_identifier(text) or "" for text in (person.patient_id, *(text for text, _ in person.former_ids))}


def _objection(members: Sequence[Member], candidate: Candidate, others: Sequence[Candidate], limits: Limits) -> str | None:
    """The first thing that speaks against a link without a person; `None` if nothing does."""
    person = candidate.person
    agreements = [candidate.agreement(member.reading) for member in members]
    if any(fields["name"] == "partly" and not _same_number_and_date(fields) for fields in agreements):
        return "another family name was read"
    if differing := _fields(agreements, "differs"):
        return f"what was read differs from the index in {', '.join(differing)}"
    if len(slips := _fields(agreements, "nearly")) > 1:
        return f"what was read is not quite the index's in {', '.join(slips)}"
    hinted = [candidate.agreement(hint) for member in members for hint in member.hints]
    if any(
        _differs(fields) or fields["name"] == "partly" or fields["patient_id"] in ("nearly", "differs") for fields in hinted
    ):
        return "label and jacket disagree: possibly mis-filed"
    local = (person.issuer or limits.issuer).strip().upper()
    if any(member.issuer and local and member.issuer.strip().upper() != local for member in members):
        return "the identifier read was issued elsewhere"
    examined = [member.reading.study_date for member in members if member.reading.study_date]
    if person.birth_date and any(date < person.birth_date for date in examined):
        return "born after the examination"
    if person.death_date and any(date > person.death_date for date in examined):
        return "died before the examination"
    return _rivalry(members, candidate, others, limits)


def _rivalry(members: Sequence[Member], candidate: Candidate, others: Sequence[Candidate], limits: Limits) -> str | None:
    """Why somebody else might be meant as well, or the model is not sure; `None` if neither."""
    if candidate.shared:
        return "the person's number is, or was, somebody else's too"
    apart = [other for other in others if not _linked(candidate.person, other.person)]
    if any(_explained(members, other) < _explained(members, candidate) + _AHEAD for other in apart):
        return "another person of the index fits almost as well"
    if candidate.probability < limits.auto_link:
        return "the match probability is below auto_link"
    if any(other.weight > candidate.weight - _BEHIND for other in apart):
        return "another person of the index is almost as probable"
    return None


def _linked(one: Person, other: Person) -> bool:
    """Whether registration says that two persons of the index are one."""
    return other.line >= 0 and (one.linked == other.line or other.linked == one.line)


def _explained(members: Sequence[Member], candidate: Candidate) -> int:
    """The slips it takes for what was read to be of a candidate; what several objects say alike counts once."""
    readings = {member.reading.identity() for member in members}
    return max(
        sum((_SLIPS_OF_A_NAME if name == "name" else _SLIPS)[found] for name, found in candidate.agreement(reading).items())
        for reading in readings
    )


def _by_identifier(members: Sequence[Member], candidate: Candidate) -> str | Verdict:
    """Why the identifier read may link, or that it may not."""
    agreements = [candidate.agreement(member.reading) for member in members if member.reading.patient_id]
    if any(fields["name"] != "missing" or fields["birth_date"] == "agrees" for fields in agreements):
        return "identifier read, with a name or birth date that agrees"
    return _review("not read beside the identifier, or not in the index: name and birth date")


def _without_identifier(members: Sequence[Member], candidate: Candidate, limits: Limits) -> str | Verdict:
    """Why full name and birth date may link together with a third fact, or what is missing."""
    full = [
        member
        for member in members
        if (fields := candidate.agreement(member.reading))["name"] == fields["birth_date"] == "agrees"
        and len(member.reading.name) > 1
        and all(len(word) > 1 for word in member.reading.name)
    ]
    if not full:
        return _review("no identifier could be read, and no object shows full name and birth date as the index has them")
    if candidate.ordered:
        return "full name and birth date read, and the number of an order for this person"
    if candidate.address:
        return "full name, birth date and address read"
    if any(candidate.agreement(hint)["patient_id"] == "agrees" for member in members for hint in member.hints):
        return "full name and birth date read, and the manifest names the identifier"
    if candidate.strangers <= limits.strangers:
        return "full name and birth date read, which nobody is expected to share"
    return _review("no identifier could be read, and nothing else that confirms name and birth date")


def _fields(agreements: Iterable[dict[str, Agreement]], wanted: Agreement) -> list[str]:
    """The fields, in words and order of `_NAMES`, that any object has so."""
    found = {name for fields in agreements for name, agreement in fields.items() if agreement == wanted}
    return [word for name, word in _NAMES.items() if name in found]


_NAMES = {"patient_id": "identifier", "name": "name", "birth_date": "birth date", "sex": "sex"}
