"""The check itself: what an object lacks, or has against its tables."""

from collections.abc import Iterator

from tasks.validate.iod.conditions import Levels, comparable, is_empty, value_at, values_of
from tasks.validate.iod.elements import Element, Elements
from tasks.validate.iod.problems import Problem
from tasks.validate.iod.tables import PER_FRAME, SHARED, Level, Module, Values, frame_groups, level, mandatory_groups, modules
from tasks.validate.iod.values import value_problems

_SOP_CLASS = 0x00080016


def check(elements: Elements) -> list[Problem]:
    """All problems of an object, in the order of kind and place; none: nothing is wrong that can be told.

    An object whose SOP Class has no table is checked for the values of its attributes alone.
    """
    sop_class = value_at(elements.get(_SOP_CLASS), 0)
    listed = modules(str(sop_class))
    found = list(value_problems(elements, ()))
    if listed:
        groups = tuple(module.group for module in listed if _applies(module, elements))
        frames = frame_groups(str(sop_class))
        found += _level_problems(level(groups, frames), (elements,), ())
        found += _missing_groups(elements, mandatory_groups(str(sop_class)))
    else:
        found.append(Problem("class", (_SOP_CLASS,)))
    return sorted(set(found), key=lambda problem: (problem.kind, problem.path))


def _applies(module: Module, elements: Elements) -> bool:
    """Whether a module is in the object: it has to be, or an attribute of its own is there."""
    if module.mandatory or not module.tags.isdisjoint(elements):
        return True
    return module.required is not None and module.required((elements,))


def _missing_groups(elements: Elements, mandatory: frozenset[int]) -> Iterator[Problem]:
    """Functional groups that are neither shared nor in the first frame's; nothing where one of the two is missing."""
    firsts = [
        content[0] for tag in (SHARED, PER_FRAME) if isinstance(content := elements.get(tag, ("", b""))[1], list) and content
    ]
    if len(firsts) == 2:
        for missing in mandatory.difference(*firsts):
            yield from (Problem("missing", (tag, missing)) for tag in (SHARED, PER_FRAME))


def _level_problems(table: Level, levels: Levels, path: tuple[int, ...]) -> Iterator[Problem]:
    item = levels[0]
    for tag in (table.filled | table.present) - item.keys():
        yield Problem("missing", (*path, tag))
    for tag in (table.filled | table.never_empty) & item.keys():
        if is_empty(item[tag]):
            yield Problem("empty", (*path, tag))
    for rule in table.conditional:
        if rule.tag not in item:
            if rule.required(levels):
                yield Problem("missing", (*path, rule.tag))
        elif rule.allowed is not None and not rule.allowed(levels):
            yield Problem("forbidden", (*path, rule.tag))
    for tag in table.values.keys() & item.keys():
        if any(_is_other(item[tag], values, levels) for values in table.values[tag]):
            yield Problem("value", (*path, tag))
    yield from _item_problems(table, levels, path)


def _item_problems(table: Level, levels: Levels, path: tuple[int, ...]) -> Iterator[Problem]:
    for tag in table.below.keys() & levels[0].keys():
        items = levels[0][tag][1]
        if not isinstance(items, list):
            continue
        fewest, most = table.bounds.get(tag, (0, len(items)))
        if len(items) > most or (len(items) < fewest and tag not in table.filled | table.never_empty):
            yield Problem("count", (*path, tag))
        below = level(table.below[tag])
        for item in items:
            yield from _level_problems(below, (item, *levels), (*path, tag))


def _is_other(element: Element, values: Values, levels: Levels) -> bool:
    """Whether an element has another value than those enumerated, or none in the position asked for."""
    vr, content = element
    if not isinstance(content, bytes) or is_empty(element) or (values.applies is not None and not values.applies(levels)):
        return False
    found = values_of(vr, content)
    asked = found if values.position < 0 else found[values.position : values.position + 1] or [""]
    if not values.terms:
        return not all(asked)
    return not all(comparable(value, vr) in values.terms for value in asked if value or values.position >= 0)
