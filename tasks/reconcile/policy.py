"""Who may decide: the rules by which the pipeline links a study by itself, apart from the model that scores.

| what | must hold for a link without a person |
| --- | --- |
| identifier | read (label, barcode or header; never the manifest) on an object, and that of exactly one line of the index |
| the same object | shows name and birth date too, both equal to the index's (`normalise`), not merely alike |
| match probability | of that line at least `auto_link`, and of no other line |
| every other object | says nothing of the patient that differs from the index |
| sex, issuer | not read, or equal |
| manifest | names no other identifier and no other name |
| birth | not after the examination |
| assembly | no conflict in any object (two patients, mis-filed, a picture in two jackets, two contents) |

What then is linked: the objects that show the identifier, or name and birth date, themselves. A film that joined for its
jacket's sake waits for a person, though its study is linked. All else goes to a person, whose decision always wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tasks.reconcile.candidates import Candidate
from tasks.reconcile.index import Person
from tasks.reconcile.normalise import normal_identifier
from tasks.reconcile.readings import Reading

Decision = Literal["auto", "person", "review", "none"]

UNPROVED = "no patient could be read on this object: its study is linked, a person has to say whether it belongs"


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


def judge(members: Sequence[Member], candidates: Sequence[Candidate], auto_link: float, issuer: str) -> Verdict:
    """Applies the table to a study's objects and candidates (the most probable first); `issuer` is the project's."""
    conflicts = sorted({member.conflict for member in members if member.conflict})
    if conflicts:
        return _review("; ".join(conflicts))
    if not any(member.reading.names_somebody for member in members):
        return _review("no patient could be read")
    if not candidates:
        return _review("nobody in the index matches")
    identifiers = {member.reading.patient_id for member in members if member.reading.patient_id}
    if len(identifiers) != 1:
        return _review("no identifier could be read" if not identifiers else "two identifiers were read in one study")
    with_identifier = [c for c in candidates if normal_identifier(c.person.patient_id) in identifiers]
    if len(with_identifier) != 1:
        return _review(
            "the index has the identifier read more than once" if with_identifier else "the identifier read is not in the index"
        )
    candidate = with_identifier[0]
    if reason := _objection(members, candidate, issuer):
        return _review(reason)
    if candidate.probability < auto_link:
        return _review("the match probability is below auto_link")
    if any(other.probability >= auto_link for other in candidates if other is not candidate):
        return _review("another line of the index fits as well")
    unproved = frozenset(member.object_key for member in members if not _proved(member.reading))
    return Verdict("auto", "identifier, name and birth date read agree with the index", candidate.person, unproved)


def _review(reason: str) -> Verdict:
    return Verdict("review", reason)


def _proved(reading: Reading) -> bool:
    return bool(reading.patient_id or (reading.name and reading.birth_date))


def _objection(members: Sequence[Member], candidate: Candidate, issuer: str) -> str | None:
    """The first thing that speaks against a link without a person; `None` if nothing does."""
    person = candidate.person
    agreements = [candidate.agreement(member.reading) for member in members]
    differing = sorted({name for fields in agreements for name, agreement in fields.items() if agreement == "differs"})
    if differing:
        return f"what was read differs from the index in {', '.join(_NAMES[name] for name in differing)}"
    needed = ("patient_id", "name", "birth_date")
    if not any(all(fields[name] == "agrees" for name in needed) for fields in agreements):
        missing = [_NAMES[name] for name in needed if not any(fields[name] == "agrees" for fields in agreements)]
        return (
            f"not read, or not in the index: {', '.join(missing)}"
            if missing
            else "no object shows identifier, name and birth date"
        )
    hinted = [candidate.agreement(hint) for member in members for hint in member.hints]
    if any(fields["patient_id"] == "differs" or fields["name"] == "differs" for fields in hinted):
        return "label and jacket disagree: possibly mis-filed"
    local = (person.issuer or issuer).strip().upper()
    if any(member.issuer and local and member.issuer.strip().upper() != local for member in members):
        return "the identifier read was issued elsewhere"
    if any(member.reading.study_date and member.reading.study_date < person.birth_date for member in members):
        return "born after the examination"
    return None


_NAMES = {"patient_id": "identifier", "name": "name", "birth_date": "birth date", "sex": "sex"}
