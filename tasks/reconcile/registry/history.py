"""Persons, of events: what is true now and what was before, whatever order the files came in.

Events are taken in the order of their times. A number belongs to one person until a merge or a move says otherwise; what a
merge brings in is kept as what the survivor was called and numbered before. A message that says of a number another name and
another birth date is of somebody else who was given the number anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.reconcile.agreement import slip
from tasks.reconcile.normalise import name_words, names_compatible, normal_date, normal_identifier
from tasks.reconcile.registry.event import RESOURCE, Event, Facts, Identifier, Name


@dataclass
class Life:
    """A person while events are taken: everything in the order in which it was first said, what is true now named apart."""

    identifiers: list[Identifier] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    births: list[str] = field(default_factory=list)
    number: Identifier | None = None
    name: Name = ("", "")
    now: Facts = field(default_factory=Facts)
    linked: "Life | None" = None
    accessions: list[str] = field(default_factory=list)
    since: str = ""  # the time of what was said last; empty where nothing that was said has a time


def lives(events: Iterable[Event]) -> list[Life]:
    """The persons that a set of events tells of; the same for any order of the events."""
    registry = _Registry()
    for event in sorted(set(events)):
        registry.take(event)
    people = [life for life in registry.people() if any(issuer != RESOURCE for _, issuer in life.identifiers)]
    return sorted(people, key=lambda life: (life.number or ("", ""), life.names, life.births, life.identifiers))


class _Registry:
    def __init__(self) -> None:
        self.owner: dict[Identifier, Life] = {}
        self.retired: set[Identifier] = set()  # numbers that a merge took out of use
        self.alive: dict[int, Life] = {}

    def people(self) -> Iterable[Life]:
        return self.alive.values()

    def take(self, event: Event) -> None:
        life = self._owner_of(event.identifiers, event.facts)
        # A number out of use says nothing of how its owner is called now.
        current = any(_key(identifier) not in self.retired for identifier in event.identifiers)
        self._add(life, event, current)
        match event.kind:
            case "merge":
                self._merge(life, event)
            case "link" | "unlink":
                other = self._owner_of(event.prior, Facts())
                for one, two in ((life, other), (other, life)):
                    one.linked = two if event.kind == "link" and one is not two else None
            case "move":
                for identifier in event.moved:
                    self._move(life, identifier)

    def _owner_of(self, identifiers: Iterable[Identifier], facts: Facts) -> Life:
        """Whose the identifiers are: the first that is somebody's who is not plainly another person; else a new person."""
        for identifier in identifiers:
            life = self.owner.get(_key(identifier))
            if life is not None and not another(life, facts):
                return life
        life = Life()
        self.alive[id(life)] = life
        return life

    def _add(self, life: Life, event: Event, current: bool) -> None:
        life.since = max(life.since, event.at[0])
        for identifier in event.identifiers:
            if identifier not in life.identifiers:
                life.identifiers.append(identifier)
            self.owner[_key(identifier)] = life
        life.names += [name for name in event.facts.names if name not in life.names]
        if event.facts.birth_date and event.facts.birth_date not in life.births:
            life.births.append(event.facts.birth_date)
        if event.accession:
            life.accessions.append(event.accession)
        if current or life.number is None:
            life.number = self._in_use(event.identifiers) or life.number
            life.name = next(iter(event.facts.names), life.name)
            life.now = _newer(life.now, event.facts)

    def _merge(self, survivor: Life, event: Event) -> None:
        for identifier in event.prior:
            absorbed = self.owner.get(_key(identifier))
            self.retired.add(_key(identifier))
            if absorbed is not None and absorbed is not survivor:
                self._absorb(survivor, absorbed)
            if identifier not in survivor.identifiers:
                survivor.identifiers.append(identifier)
            self.owner[_key(identifier)] = survivor
        if survivor.number is not None and _key(survivor.number) in self.retired:
            survivor.number = self._in_use(event.identifiers) or survivor.number

    def _absorb(self, survivor: Life, absorbed: Life) -> None:
        for identifier in absorbed.identifiers:
            self.owner[_key(identifier)] = survivor
            self.retired.add(_key(identifier))
        survivor.identifiers += [each for each in absorbed.identifiers if each not in survivor.identifiers]
        survivor.names += [each for each in absorbed.names if each not in survivor.names]
        survivor.births += [each for each in absorbed.births if each not in survivor.births]
        survivor.accessions += absorbed.accessions
        survivor.since = max(survivor.since, absorbed.since)
        if not any(survivor.name):
            survivor.name = absorbed.name
        survivor.now = _newer(absorbed.now, survivor.now)
        del self.alive[id(absorbed)]
        if (other := absorbed.linked) is not None:
            other.linked = None if other is survivor else survivor
            survivor.linked = survivor.linked or (other if other is not survivor else None)

    def _in_use(self, identifiers: Iterable[Identifier]) -> Identifier | None:
        return next((one for one in identifiers if one[1] != RESOURCE and _key(one) not in self.retired), None)

    def _move(self, target: Life, identifier: Identifier) -> None:
        source = self.owner.get(_key(identifier))
        if source is not None and source is not target:
            source.identifiers = [each for each in source.identifiers if _key(each) != _key(identifier)]
            if source.number is not None and _key(source.number) == _key(identifier):
                source.number = self._in_use(source.identifiers)
        if identifier not in target.identifiers:
            target.identifiers.append(identifier)
        self.owner[_key(identifier)] = target


def _key(identifier: Identifier) -> Identifier:
    return normal_identifier(identifier[0]) or "", identifier[1].upper()


def _newer(before: Facts, after: Facts) -> Facts:
    """Facts of which the later ones hold, and the earlier ones where the later do not say."""
    return Facts(**{name: value or getattr(before, name) for name, value in vars(after).items()})


def another(life: Life, facts: Facts) -> bool:
    """Whether facts are plainly not of a person: no name is compatible with, and no birth date the same as, any we know.

    A birth date one slip away from one we know, with a part of the name, is a correction.
    """
    known = [name_words(*name) for name in life.names]
    said = [name_words(*name) for name in facts.names]
    births = [normal_date(text) or "" for text in life.births]
    born = normal_date(facts.birth_date) or ""
    if not (any(known) and any(said) and any(births) and born):
        return False
    if any(names_compatible(one, other) for one in known for other in said) or born in births:
        return False
    in_part = any(set(one) & set(other) for one in known for other in said)
    return not (in_part and any(slip(birth, born, dates=True) == "nearly" for birth in births))
