"""The tables of the standard, as compiled by `data.iod`, in the form a check uses: one `Level` a data set or kind of item.

Levels are made when first asked for, and kept for the process: a migration has a handful of SOP Classes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tasks.validate.iod.conditions import Condition, compiled

SHARED, PER_FRAME = 0x52009229, 0x52009230
_ANY_NUMBER = 2**32


@dataclass(frozen=True)
class Conditional:
    """An attribute of type 1C or 2C. `allowed` is none where it may always be there."""

    tag: int
    may_be_empty: bool
    required: Condition
    allowed: Condition | None


@dataclass(frozen=True)
class Values:
    """Enumerated values of a position (-1: of all), none: any value; `applies`: when they are asked for."""

    position: int
    terms: frozenset[str]
    applies: Condition | None


@dataclass(frozen=True)
class Level:
    """What the tables say of a data set, or of the items of a sequence.

    `filled`: tags of type 1; `present`: of type 2; `never_empty`: of type 1C and nothing weaker; `values`: by tag; `below`: by
    tag of a sequence, the groups its items are made by (`level`); `bounds`: by tag, how many items it has at least and at most.
    """

    filled: frozenset[int]
    present: frozenset[int]
    never_empty: frozenset[int]
    conditional: tuple[Conditional, ...]
    values: Mapping[int, tuple[Values, ...]]
    below: Mapping[int, tuple[int, ...]]
    bounds: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class Module:
    """A module of an IOD.

    `tags`: those it requires and no other module of the IOD has; `required`: its condition, if known.
    """

    group: int
    mandatory: bool
    tags: frozenset[int]
    required: Condition | None


@lru_cache(maxsize=1)
def tables() -> dict[str, Any]:
    """The compiled tables (`data/iod` tells their form)."""
    found: dict[str, Any] = json.loads(files("tasks.validate.iod").joinpath("tables.json").read_bytes())
    return found


@lru_cache(maxsize=256)
def modules(sop_class_uid: str) -> tuple[Module, ...]:
    """The modules of a SOP Class's IOD (PS3.3 annex A); none: it has no table."""
    found = tables()
    iod = found["sop_classes"].get(sop_class_uid)
    listed = [(row, found["modules"][row[0]]) for row in found["iods"].get(iod, ()) if row[0] in found["modules"]]
    tops = [frozenset(row[0] for row in found["groups"][group]) for _, group in listed]
    required = [frozenset(row[0] for row in found["groups"][group] if row[1] != "3") for _, group in listed]
    return tuple(
        Module(
            group,
            usage == "M",
            required[place].difference(*(top for other, top in enumerate(tops) if other != place)),
            compiled(condition, frozenset()) if condition else None,
        )
        for place, ((_, usage, condition, _), group) in enumerate(listed)
    )


@lru_cache(maxsize=256)
def entity_tags(sop_class_uid: str, entity: str) -> frozenset[int]:
    """Attributes at the top of an object that describe its `Patient`, `Study` or `Series` (PS3.3 A.1.2)."""
    found = tables()
    iod = found["sop_classes"].get(sop_class_uid)
    groups = [found["modules"][module] for module, _, _, of in found["iods"].get(iod, ()) if of == entity]
    return frozenset(row[0] for group in groups for row in found["groups"][group])


@lru_cache(maxsize=256)
def frame_groups(sop_class_uid: str) -> tuple[int, ...]:
    """Groups of the functional group macros of a SOP Class's IOD."""
    found = tables()
    iod = found["sop_classes"].get(sop_class_uid)
    return tuple(found["macros"][macro] for macro, _ in found["frames"].get(iod, ()))


@lru_cache(maxsize=256)
def mandatory_groups(sop_class_uid: str) -> frozenset[int]:
    """Sequences of the functional groups that have to be in the shared ones or in those of each frame (PS3.3 C.7.6.16)."""
    found = tables()
    iod = found["sop_classes"].get(sop_class_uid)
    macros = [found["groups"][found["macros"][macro]] for macro, usage in found["frames"].get(iod, ()) if usage == "M"]
    return frozenset(rows[0][0] for rows in macros if len(rows) == 1)


@lru_cache(maxsize=8192)
def level(groups: tuple[int, ...], frames: tuple[int, ...] = ()) -> Level:
    """What several groups of attributes say together; `frames` are those of the items of the functional groups sequences."""
    rows = [row for group in groups for row in tables()["groups"][group]]
    known = frozenset(row[0] for row in rows)
    below: dict[int, tuple[int, ...]] = {}
    values: dict[int, tuple[Values, ...]] = {}
    bounds: dict[int, tuple[int, int]] = {}
    for tag, _, _, listed, group, counted in rows:
        if group is not None:
            below[tag] = (*below.get(tag, ()), group)
        if counted is not None:
            bounds[tag] = counted[0], counted[1] or _ANY_NUMBER
        if listed is not None:
            values[tag] = (*values.get(tag, ()), *_values(tables()["values"][listed], known))
    if frames:
        below |= {tag: frames for tag in (SHARED, PER_FRAME) if tag in known}
    filled = _tags(rows, "1")
    return Level(
        filled=filled,
        present=_tags(rows, "2") - filled,
        never_empty=_tags(rows, "1C") - _tags(rows, "2") - _tags(rows, "2C") - _tags(rows, "3") - filled,
        conditional=tuple(_conditionals(rows, known)),
        values=values,
        below=below,
        bounds=bounds,
    )


def _values(listed: Sequence[Sequence[Any]], known: frozenset[int]) -> Iterable[Values]:
    for position, terms, *condition in listed:
        yield Values(position, frozenset(terms), compiled(condition[0], known) if condition else None)


def _tags(rows: Iterable[Sequence[Any]], kind: str) -> frozenset[int]:
    return frozenset(row[0] for row in rows if row[1] == kind)


def _conditionals(rows: Sequence[Sequence[Any]], known: frozenset[int]) -> Iterable[Conditional]:
    times: dict[int, int] = {}
    for row in rows:
        times[row[0]] = times.get(row[0], 0) + 1
    for tag, kind, rule, *_ in rows:
        if rule is None:
            continue
        required, allowed = tables()["rules"][rule]
        # What two modules have is forbidden by neither: one may allow what the other does not speak of.
        forbids = allowed is not True and times[tag] == 1
        either = compiled(["or", required, allowed], known) if forbids else None
        yield Conditional(tag, kind == "2C", compiled(required, known), either)
