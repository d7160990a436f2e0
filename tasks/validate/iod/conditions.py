"""Conditions of the tables (see `data.iod.sentences` for their form) as functions of a data set.

An attribute that a condition names is looked for in the item that is checked, and in the data sets around it unless the item's
own table has that attribute. A condition on the value of an attribute that is not there does not hold.
"""

from collections.abc import Callable, Sequence
from struct import iter_unpack
from typing import Any

from tasks.validate.iod.elements import Element, Elements

Levels = tuple[Elements, ...]
"""The item that is checked, then the data sets around it, the object itself last."""
Condition = Callable[[Levels], bool]

PACKED = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "FL": "<f", "FD": "<d", "SV": "<q", "UV": "<Q"}
NUMBERS = frozenset(PACKED) | {"DS", "IS"}
_PADDED = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})


def compiled(condition: Sequence[Any] | bool, own: frozenset[int]) -> Condition:
    """The condition as a function; `own`: tags of the table of the item that is checked."""
    if isinstance(condition, bool):
        return _always if condition else _never
    operator, *rest = condition
    if operator in ("and", "or", "none"):
        parts = tuple(compiled(part, own) for part in rest)
        if operator == "and":
            return lambda levels: all(part(levels) for part in parts)
        some: Condition = lambda levels: any(part(levels) for part in parts)  # noqa: E731
        return some if operator == "or" else lambda levels: not some(levels)
    if operator == "nowhere":
        return lambda levels: not _is_anywhere(rest[0], levels[-1])
    return _of_attribute(operator, rest[0], rest[1:], rest[0] in own)


def _is_anywhere(tag: int, elements: Elements) -> bool:
    """Whether an attribute is in a data set or in any item of it."""
    if tag in elements:
        return True
    lists = (content for _, content in elements.values() if isinstance(content, list))
    return any(_is_anywhere(tag, item) for items in lists for item in items)


def _always(levels: Levels) -> bool:
    return True


def _never(levels: Levels) -> bool:
    return False


def _of_attribute(operator: str, tag: int, rest: Sequence[Any], is_own: bool) -> Condition:
    def element(levels: Levels) -> Element | None:
        for level in levels[:1] if is_own else levels:
            if tag in level:
                return level[tag]
        return None

    if operator == "present":
        return lambda levels: element(levels) is not None
    if operator == "absent":
        return lambda levels: element(levels) is None
    if operator == "filled":
        return lambda levels: (found := element(levels)) is not None and not is_empty(found)
    position, operand = rest
    if position < 0:
        return lambda levels: _any_holds(operator, element(levels), operand)
    return lambda levels: _holds(operator, value_at(element(levels), position), operand)


def _any_holds(operator: str, element: Element | None, terms: Sequence[str]) -> bool:
    """Whether one of the values is, or none is, among the terms."""
    if element is None or not isinstance(element[1], bytes):
        return False
    return (operator == "is") != set(values_of(element[0], element[1])).isdisjoint(terms)


def _holds(operator: str, value: str | float | None, operand: Any) -> bool:
    if value is None:
        return False
    if operator in ("more", "less"):
        return isinstance(value, float) and (value > operand if operator == "more" else value < operand)
    is_one = value in (_numbers(operand) if isinstance(value, float) else operand)
    return is_one if operator == "is" else not is_one


def _numbers(operand: Sequence[str]) -> list[float]:
    return [number for text in operand if (number := as_number(text)) is not None]


def is_empty(element: Element) -> bool:
    """Whether an element has no value (PS3.5 section 7.4): no item, or nothing but padding."""
    vr, content = element
    return not content or (vr in _PADDED and isinstance(content, bytes) and not content.strip(b" \0"))


def value_at(element: Element | None, position: int) -> str | float | None:
    """A value of an element, a number where its VR is one; none where it has no such value."""
    if element is None or not isinstance(element[1], bytes):
        return None
    values = values_of(element[0], element[1])
    if position >= len(values):
        return None
    return as_number(values[position]) if element[0] in NUMBERS else values[position] or None


def values_of(vr: str, content: bytes) -> list[str]:
    """All values as text without padding, numbers in decimal, attribute tags as the number of eight hexadecimal digits."""
    if vr in PACKED:
        width = {"H": 2, "h": 2, "L": 4, "l": 4, "f": 4, "d": 8, "q": 8, "Q": 8}[PACKED[vr][1]]
        return [str(number) for (number,) in iter_unpack(PACKED[vr], content[: len(content) // width * width])]
    if vr == "AT":
        return [str(group << 16 | number) for group, number in iter_unpack("<HH", content[: len(content) // 4 * 4])]
    return [value.strip(" \0") for value in content.decode("latin-1").split("\\")]


def as_number(text: str) -> float | None:
    """A decimal number; none where it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def comparable(value: str, vr: str) -> str:
    """A value as the tables write it: a number without needless zeros."""
    number = as_number(value) if vr in NUMBERS else None
    return value if number is None else f"{number:g}"
