"""How what was read compares with what the index has of a person, field by field: what the policy and a reviewer look at.

`agrees` is the same in normal form, of a name in any order of its words; `nearly` is one slip away: a letter or digit read,
typed or swapped wrongly, an initial or a nickname for a name, a name left out; `partly` is another family name with the given
name of somebody who may have married; `missing` says nothing.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from jellyfish import damerau_levenshtein_distance

from tasks.reconcile.compared import formal_names
from tasks.reconcile.normalise import name_words, normal_identifier
from tasks.reconcile.person import Person
from tasks.reconcile.readings import Reading

Agreement = Literal["agrees", "nearly", "partly", "differs", "missing"]

_SHORT = 3  # letters; of so short a word one letter makes another name


def agreement(person: Person, reading: Reading) -> dict[str, Agreement]:
    """How each field of a reading compares with the person's, now or formerly; the best of what the person had counts."""
    names = [person.words, *(name_words(*name) for name in person.former_names)]
    births = [person.birth_date, *person.former_birth_dates]
    identifiers = [normal_identifier(text) or "" for text in (person.patient_id, *(text for text, _ in person.former_ids))]
    return {
        "patient_id": _best(slip(ours, reading.patient_id, dates=False) for ours in identifiers),
        "name": _best((*(_names(ours, reading.name) for ours in names), _married(person, reading.name))),
        "birth_date": _best(slip(ours, reading.birth_date, dates=True) for ours in births),
        "sex": "missing" if not person.sex or not reading.sex else "agrees" if person.sex == reading.sex else "differs",
    }


def _best(found: Iterable[Agreement]) -> Agreement:
    order: tuple[Agreement, ...] = ("agrees", "nearly", "partly", "differs", "missing")
    return min(found, key=order.index)


def slip(ours: str, theirs: str, *, dates: bool) -> Agreement:
    """How two identifiers, or two dates (YYYYMMDD), compare."""
    if not ours or not theirs:
        return "missing"
    if ours == theirs:
        return "agrees"
    swapped = dates and ours == theirs[:4] + theirs[6:] + theirs[4:6]
    return "nearly" if swapped or damerau_levenshtein_distance(ours, theirs) == 1 else "differs"


def _names(ours: tuple[str, ...], theirs: tuple[str, ...]) -> Agreement:
    if not ours or not theirs:
        return "missing"
    if ours == theirs:
        return "agrees"
    return "nearly" if names_alike(ours, theirs) else "differs"


def _married(person: Person, name: tuple[str, ...]) -> Agreement:
    """`partly` where the given name is the person's and the family name is not, and the person is not known to be a man."""
    if not name or not person.words:
        return "missing"
    given = [word for word in name_words(person.given_name) if len(word) > _SHORT - 1]
    same = set(given) & set(name) and not set(name_words(person.family_name)) & set(name)
    return "partly" if same and person.sex != "M" else "differs"


@lru_cache(maxsize=1 << 14)
def names_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one name is the other, written shorter or with one slip a word; at least one whole word must be the same.

    A hyphen or blank more or less does not count.
    """
    shorter, longer = sorted((one, other), key=lambda words: (len(words), sum(map(len, words)), words))
    left = list(longer)
    rest = []
    for word in shorter:
        if word in left:
            left.remove(word)
        else:
            rest.append(word)
    same = len(shorter) - len(rest)
    return same > 0 and (_joined(rest, left) or _all_alike(rest, left))


def _joined(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether a word is two of the other name's, written as one."""
    return len(words) == 1 and len(others) == 2 and words[0] in {others[0] + others[1], others[1] + others[0]}


def _all_alike(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each word is like another one of `others`."""
    if not words:
        return True
    word, *rest = words
    return any(_alike(word, other) and _all_alike(rest, [*others[:at], *others[at + 1 :]]) for at, other in enumerate(others))


def _alike(one: str, other: str) -> bool:
    if min(len(one), len(other)) == 1:
        return one[0] == other[0]
    if set(formal_names(one) or ()) & set(formal_names(other) or ()):
        return True
    return min(len(one), len(other)) > _SHORT and damerau_levenshtein_distance(one, other) == 1
