"""What a message says: that a person is so known, or that what was held for two persons, or one, has to change.

An event is of one of five kinds. `known`: `identifiers` are of a person whose `facts` hold from now on. `merge`: the person who
had `prior` is the one with `identifiers`. `link` and `unlink`: both are, or are not, one person, without being merged. `move`:
`moved` belong to the person with `identifiers`, not to the one with `prior`. Events take effect in the order of `at`.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["known", "merge", "link", "unlink", "move"]

# Identifier as spelled, and its issuer (empty where unknown).
Identifier = tuple[str, str]
# An identifier of this issuer is only the name by which other resources of the same source refer to a person.
RESOURCE = "\0resource"
# Family and given names, as spelled.
Name = tuple[str, str]


@dataclass(frozen=True, order=True)
class Facts:
    """What is known of a person, as spelled, the name used now first; empty where not known; dates year first."""

    names: tuple[Name, ...] = ()
    birth_date: str = ""
    sex: str = ""
    death_date: str = ""
    street: str = ""
    city: str = ""
    postcode: str = ""
    phone: str = ""


@dataclass(frozen=True, order=True)
class Event:
    """What a message says; `at` orders events (event time, message time, control identifier), `accession` is of an order."""

    at: tuple[str, str, str]
    kind: Kind
    identifiers: tuple[Identifier, ...]
    facts: Facts = Facts()
    prior: tuple[Identifier, ...] = ()
    moved: tuple[Identifier, ...] = ()
    accession: str = ""


class UnreadableError(Exception):
    """A message cannot be read; the text says why, without anything that the message says of a patient."""
