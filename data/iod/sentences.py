"""What the standard says in words, as data: conditions of presence and enumerated values.

A condition is a list: `["present", tag]`, `["filled", tag]`, `["absent", tag]`, `["is", tag, position, values]`,
`["not", tag, position, values]`, `["more", tag, position, number]`, `["less", tag, position, number]`, `["and", ...]`,
`["or", ...]`. A rule on presence is `[required, allowed]`: the condition under which an attribute is required, and the one
under which it may be present too: `true` for always. What the grammar does not understand has no rule, and is never reported.
"""

import html
import re
from typing import Any

from dicom_validator.spec_reader.condition import Condition
from dicom_validator.spec_reader.condition_parser import ConditionParser

OPERATORS = {"+": "present", "++": "filled", "-": "absent", "=": "is", "=>": "is", "!=": "not", ">": "more", "<": "less"}
LISTS = re.compile(r"<strong>\s*([^<]*?)\s*</strong>\s*</p>\s*<dl>(.*?)</dl>", re.DOTALL)
TERMS = re.compile(r"<dt>\s*(?:<span[^>]*>)?\s*(.*?)\s*(?:</span>)?\s*</dt>", re.DOTALL)
TITLE = re.compile(
    r"(?:Value (?P<first>\d) )?Enumerated [Vv]alues?(?: for Value (?P<place>\d))?(?: (?:if|when) (?P<condition>.*?))?:?$"
)
NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
BOUNDS = (
    (re.compile(r"Only a single Item shall be"), (1, 1)),
    (re.compile(r"Only a single Item is permitted"), (1, 1)),
    (re.compile(r"Zero or one Item"), (0, 1)),
    (re.compile(r"One or more Items (?:shall be included|are permitted) (?:in|for) this Sequence\."), (1, None)),
)


def plain(markup: str) -> str:
    """Text without tags, white space folded."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).strip()


class Sentences:
    """Reads conditions with the data dictionary of PS3.6 (name and VR by tag)."""

    def __init__(self, names: dict[str, dict[str, str]]):
        self._parser = ConditionParser(names)

    def rule(self, sentence: str, forbids: bool) -> list[Any] | None:
        """The rule on presence; `forbids`: whether what is not required is forbidden where nothing else is said."""
        found = self._parser.parse(sentence)
        if found.type == "NU":
            return [False, ["none", condition(found)]]
        if found.type not in ("MU", "MN", "MC"):
            return None
        required = condition(found)
        if found.type == "MC" and found.other_condition is not None:
            return [required, condition(found.other_condition)]
        says = sentence.lower()
        strict = found.type == "MN" or (forbids and "may be present" not in says and "may also" not in says)
        return [required, not strict]


def condition(found: Condition) -> list[Any]:
    """A condition of `dicom-validator` as a list."""
    if found.and_conditions:
        return ["and", *(condition(part) for part in found.and_conditions)]
    if found.or_conditions:
        return ["or", *(condition(part) for part in found.or_conditions)]
    assert found.tag is not None and found.operator is not None
    tag, operator = number(found.tag), OPERATORS[found.operator.value]
    if operator in ("present", "filled", "absent"):
        return [operator, tag]
    values = [str(number(value) if isinstance(value, str) and value.startswith("(") else value) for value in found.values]
    return [operator, tag, found.index, float(values[0]) if operator in ("more", "less") else values]


def number(tag: str) -> int:
    """`(0028,0010)` as an integer."""
    return int(tag.strip("()").replace(",", ""), 16)


def enumerated(markup: str, vr: str, sentences: Sentences) -> list[Any] | None:
    """Enumerated values of a description: `[[position, values], ...]`, with a condition behind where they have one.

    Position -1 is every position.
    """
    found = []
    for title, terms in LISTS.findall(markup):
        match = TITLE.match(plain(title))
        values = [value_of(plain(term), vr) for term in TERMS.findall(terms)]
        if match is None or not values or None in values:
            continue
        place, asked = match["first"] or match["place"], match["condition"]
        rule = sentences.rule(f"Required if {asked}.", False) if asked else None
        if not asked:
            found.append([int(place) - 1 if place else -1, values])
        elif rule is not None:
            found.append([int(place) - 1 if place else -1, values, rule[0]])
    return found or None


def value_of(term: str, vr: str) -> str | None:
    """A term as values are compared: a number in decimal; none where a number is asked for and the term is none."""
    match = re.fullmatch(r"([0-9A-F]{2,4})H", term)
    if vr not in NUMBERS:
        return term
    try:
        return f"{int(match[1], 16) if match else float(term):g}"
    except ValueError:
        return None


def item_bounds(text: str) -> list[int | None] | None:
    """How many items a sequence has, at least and at most, where its description says so."""
    for pattern, bounds in BOUNDS:
        if pattern.search(text):
            return list(bounds)
    return None
