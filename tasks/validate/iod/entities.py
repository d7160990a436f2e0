"""Attributes that differ between objects of one patient, study or series, where all should say the same.

Only values count: what one object says and another leaves out is no contradiction.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.validate.iod.conditions import is_empty, value_at
from tasks.validate.iod.elements import Elements
from tasks.validate.iod.tables import entity_tags

ENTITIES = ("Patient", "Study", "Series")
_SOP_CLASS, _SERIES, _CHARACTER_SET = 0x00080016, 0x0020000E, 0x00080005


@dataclass(frozen=True, order=True)
class Difference:
    """An attribute of an entity that objects of it contradict each other in."""

    entity: str
    tag: int


def differences(objects: Iterable[tuple[str, str, Elements]]) -> Iterator[tuple[Difference, tuple[str, ...]]]:
    """The contradictions within studies, each with the keys of the objects that are in the minority.

    `objects`: key, study and elements of each. Of equally frequent values the one last in order counts as the common one.
    """
    said: dict[tuple[Difference, str], dict[bytes, list[str]]] = {}
    for key, study, elements in objects:
        sop_class, series = str(value_at(elements.get(_SOP_CLASS), 0)), str(value_at(elements.get(_SERIES), 0))
        for entity in ENTITIES:
            group = f"{study} {series}" if entity == "Series" else study
            for tag in entity_tags(sop_class, entity) & elements.keys():
                if (value := _value(elements, tag)) is not None:
                    said.setdefault((Difference(entity, tag), group), {}).setdefault(value, []).append(key)
    found: dict[Difference, list[str]] = {}
    for (difference, _), by_value in said.items():
        if len(by_value) > 1:
            common = max(by_value, key=lambda value: (len(by_value[value]), value))
            found.setdefault(difference, []).extend(key for value, keys in by_value.items() if value != common for key in keys)
    for difference in sorted(found):
        yield difference, tuple(found[difference])


def _value(elements: Elements, tag: int) -> bytes | None:
    """What an attribute says, in UTF-8 or ASCII: texts in other character sets are not compared. Nothing of a sequence."""
    vr, content = elements[tag]
    if not isinstance(content, bytes) or is_empty((vr, content)):
        return None
    if not content.isascii() and value_at(elements.get(_CHARACTER_SET), 0) != "ISO_IR 192":
        return None
    return content.strip(b" \0")
