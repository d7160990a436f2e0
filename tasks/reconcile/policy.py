"""Who may decide: the rules by which the pipeline links by itself, apart from the model that scores.

| what | must be |
| --- | --- |
| match probability of the best candidate | at least `auto_link` |
| identifier | read on the object (label, barcode or legacy header, never the manifest) and equal to the candidate's |
| name and birth date | read on the object and equal to the candidate's |
| sex | not read, or equal |
| birth | not after the examination |
| any other candidate | does not have that identifier and is not nearly as probable |
| the study's objects | say the same of the patient, as far as they say anything |
| the assembly | has no conflict (two patients, mis-filed, picture in two jackets) |

All else goes to a person. A person's decision always wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.reconcile.candidates import Candidate


@dataclass(frozen=True)
class Verdict:
    """`auto` or `review`, with the reason in words (no PHI)."""

    decision: str
    reason: str
    candidate: Candidate | None = None


def judge(
    candidates: Sequence[Candidate],
    *,
    auto_link: float,
    conflict: str | None,
    contradictions: Sequence[str],
    study_date: str,
) -> Verdict:
    """Applies the module's table to a study's candidates, the best first."""
    if conflict:
        return Verdict("review", conflict)
    if contradictions:
        return Verdict("review", f"the study's objects contradict each other on {', '.join(contradictions)}")
    if not candidates:
        return Verdict("review", "nobody in the index matches what was read")
    best, others = candidates[0], candidates[1:]
    missing = [field for field in ("patient_id", "name", "birth_date") if best.fields[field] == "missing"]
    differing = [field for field, agreement in best.fields.items() if agreement == "differs"]
    if differing:
        return Verdict("review", f"the best candidate differs in {', '.join(differing)}")
    if missing:
        return Verdict("review", f"not read on the object: {', '.join(missing)}")
    if best.probability < auto_link:
        return Verdict("review", "the match probability is below auto_link")
    if any(other.fields["patient_id"] == "agrees" or other.probability > 0.5 * best.probability for other in others):
        return Verdict("review", "another candidate explains what was read nearly as well")
    if study_date and best.person.birth_date and study_date < best.person.birth_date.replace("-", ""):
        return Verdict("review", "the candidate was born after the examination")
    return Verdict("auto", "identifier, name and birth date read on the object agree with the index", best)
