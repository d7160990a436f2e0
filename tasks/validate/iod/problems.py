"""What a check finds: what is wrong, and where in the data set, without a value of it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydicom.datadict import keyword_for_tag

Kind = Literal["class", "missing", "empty", "forbidden", "value", "count", "format"]
"""SOP Class without a table; attribute absent, empty, or there against its condition (PS3.5 section 7.4); no enumerated value;
number of values or items; a value against its VR (PS3.5 section 6.2)."""

_WHY: dict[Kind, str] = {
    "class": "{} names a SOP Class that has no table here: its attributes were not checked, their values were.",
    "missing": "{} is missing: the IOD requires it (PS3.3).",
    "empty": "{} has no value: the IOD requires one (PS3.3).",
    "forbidden": "{} is there although the IOD's condition for it is not met (PS3.3).",
    "value": "{} has a value that the IOD does not enumerate (PS3.3).",
    "count": "{} has too many or too few values or items (PS3.3, PS3.6).",
    "format": "{} has a value that its VR does not allow (PS3.5 6.2).",
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with an attribute; `path` has the tags of the sequences around it, then its own."""

    kind: Kind
    path: tuple[int, ...]

    @property
    def keyword(self) -> str:
        """Keyword of the attribute."""
        return keyword(self.path[-1])

    @property
    def name(self) -> str:
        """The problem in short, one for each kind and place: `missing ReferencedImageSequence.ReferencedSOPClassUID`."""
        return f"{self.kind} {self._place}"

    @property
    def why(self) -> str:
        """The problem in a sentence."""
        return _WHY[self.kind].format(self._place)

    @property
    def _place(self) -> str:
        return ".".join(keyword(tag) for tag in self.path)


@lru_cache(maxsize=16384)
def keyword(tag: int) -> str:
    """Keyword of a public attribute; the number of any other may be four bytes of a damaged text, and is not told."""
    return keyword_for_tag(tag) or ("PrivateAttribute" if tag >> 16 & 1 else "UnknownAttribute")
