"""Elements that stand twice in a data set (PS3.5 section 7.1 allows each once): which one counts.

The first that is not empty does, as for DCMTK and GDCM. Where two say different things of the patient, of what the object is or
belongs to, or of its pixels, nobody can tell which is right, and a person has to look.
"""

from collections.abc import Iterable

from tasks.errors import ReviewError
from tasks.wrap.dicom.elements import Element

_WHAT_IT_IS = frozenset({0x00080005, 0x00080016, 0x00080018, 0x00080050, 0x0020000D, 0x0020000E})
_DECISIVE_GROUPS = frozenset({0x0010, 0x0028, 0x7FE0})


def distinct(data: memoryview, found: Iterable[Element]) -> tuple[list[Element], list[Element]]:
    """The elements that count, in the order of their tags, and those that do not; raises `ReviewError` on decisive ones."""
    kept: dict[int, Element] = {}
    left: list[Element] = []
    for element in found:
        first = kept.setdefault(element.tag, element)
        if first is element:
            continue
        one, other = _value(data, first), _value(data, element)
        if one and other and one != other and (element.tag in _WHAT_IT_IS or element.tag >> 16 in _DECISIVE_GROUPS):
            raise ReviewError(f"element {element.name} stands twice in the data set and says different things")
        if other and not one:
            kept[element.tag], element = element, first
        left.append(element)
    return [kept[tag] for tag in sorted(kept)], left


def _value(data: memoryview, element: Element) -> bytes:
    return bytes(data[element.value : element.stop]).strip(b"\0 ")
