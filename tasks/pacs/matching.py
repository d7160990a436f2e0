"""Attribute matching of C-FIND (PS3.4 C.2.2.2): does a stored value match a wanted one.

Stored and wanted values are text as in the data set, several values joined by a backslash. Where a list is wanted, any value
of it may match; where several are stored, any of them. An empty wanted value matches everything (universal matching).
"""

import re
from functools import lru_cache

# Only these may be matched with wild cards (PS3.4 C.2.2.2.4).
_WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_LOWEST, _HIGHEST = "00000101000000.000000", "99991231235959.999999"


def matches(vr: str, stored: str, wanted: str) -> bool:
    """Whether a stored value matches; `vr` is the attribute's value representation."""
    if wanted == "":
        return True
    return any(_one_matches(vr, have, want) for want in wanted.split("\\") for have in stored.split("\\"))


def _one_matches(vr: str, stored: str, wanted: str) -> bool:
    if wanted == "*" and vr in _WILD:
        return True
    if vr in ("DA", "TM"):
        return _moment_matches(vr, stored.strip(), wanted.strip())
    if vr == "PN":
        return _name_matches(stored, wanted)
    if vr in ("IS", "US"):
        return stored.strip().lstrip("+0").rjust(1, "0") == wanted.strip().lstrip("+0").rjust(1, "0") and stored.strip() != ""
    if vr in _WILD and re.search(r"[*?]", wanted):
        return _pattern(wanted).fullmatch(stored.strip()) is not None
    return stored.strip() == wanted.strip()


def _name_matches(stored: str, wanted: str) -> bool:
    """Without regard to case, trailing delimiters and padding; a wanted name of one group is looked for in all three."""
    wanted_groups, stored_groups = _groups(wanted), _groups(stored)
    if len(wanted_groups) == 1:
        return any(_pattern(wanted_groups[0]).fullmatch(group) for group in stored_groups)
    stored_groups += [""] * (len(wanted_groups) - len(stored_groups))
    return all(
        want == "" or _pattern(want).fullmatch(have) for want, have in zip(wanted_groups, stored_groups, strict=False)
    )  # fmt: skip


def _groups(name: str) -> list[str]:
    return ["^".join(part.strip() for part in group.split("^")).rstrip("^").casefold() for group in name.split("=")]


def _moment_matches(vr: str, stored: str, wanted: str) -> bool:
    if stored == "":
        return False
    have = _moment(vr, stored, _LOWEST)
    low, dash, high = wanted.partition("-")
    if not dash:
        return _moment(vr, low, _LOWEST) <= have <= _moment(vr, low, _HIGHEST)
    return _moment(vr, low, _LOWEST) <= have <= _moment(vr, high or "", _HIGHEST)


def _moment(vr: str, value: str, filling: str) -> str:
    """A date or time filled up to full precision from `filling`; the old forms with periods and colons are taken too."""
    if vr == "DA":
        digits = value.replace(".", "")
        return digits + filling[len(digits) : 8]
    digits = value.replace(":", "")
    return digits + filling[8 + len(digits) :]


@lru_cache(maxsize=256)
def _pattern(wanted: str) -> re.Pattern[str]:
    """`*` stands for any sequence of characters, none included; `?` for one (PS3.4 C.2.2.2.4)."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in re.sub(r"\*+", "*", wanted.strip()))
    return re.compile("".join(parts), re.DOTALL)
