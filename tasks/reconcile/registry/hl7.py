"""HL7 v2 ADT messages (chapter 3), one or several a file, MLLP-framed or not, in the encoding they declare.

Only the segments MSH, EVN, PID and MRG are taken apart, for a registration system's history is millions of messages: a library
that takes whole messages apart needs a thousand times as long.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from tasks.reconcile.registry.event import Event, Facts, Identifier, Kind, Name, UnreadableError

# HL7 table 0003. What else there is (transfers, discharges, cancellations) says nothing new of who somebody is.
EVENTS: dict[str, Kind] = {
    **dict.fromkeys(("A01", "A04", "A05", "A08", "A28", "A31"), "known"),
    **dict.fromkeys(("A18", "A34", "A39", "A40", "A47"), "merge"),
    "A24": "link",
    "A37": "unlink",
    "A43": "move",
    "A44": "known",  # an account moves, and whose numbers are whose stays
}

# HL7 table 0211 and what senders write for it, as Python names codecs.
_CODECS = {
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-8",  # `split_messages` has made it so
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_2",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
}
_BREAKS = re.compile("[\r\n\x0b\x1c]+")
_START = re.compile(b"(?:^|(?<=[\r\n\x0b\x1c]))MSH")
_TRIGGER = re.compile(r"[A-Z]\d\d", re.ASCII)
_TIME = re.compile(r"(\d{4,14})(?:\.\d+)?([+-]\d{4})?", re.ASCII)
# Types of identifier (HL7 table 0203) that are no person's number in a hospital: accounts, visits, documents.
_NO_PERSONS = frozenset({"AN", "VN", "ANON", "ANC", "ANT", "BC", "DL", "PPN", "SS", "SB", "CC", "MA", "MC", "PC", "TAX"})
_HOSPITALS = frozenset({"MR", "PI", "PT", "PE", "MRN", "EI", ""})


def split_messages(content: bytes) -> list[bytes]:
    """The messages of a file, in order; raises `UnreadableError` where there is none."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", "replace").encode()
    starts = [match.start() for match in _START.finditer(content.removeprefix(b"\xef\xbb\xbf"))]
    if not starts:
        raise UnreadableError("no HL7 message: no segment MSH")
    plain = content.removeprefix(b"\xef\xbb\xbf")
    return [plain[start:end] for start, end in zip(starts, [*starts[1:], len(plain)], strict=True)]


def read_message(content: bytes) -> list[Event]:
    """The events of a message; raises `UnreadableError` where it is none that an index is made of."""
    segments = _Segments.of(content)
    kind, trigger = segments.component("MSH", 9, 1), segments.component("MSH", 9, 2) or segments.component("EVN", 1, 1)
    if kind != "ADT":
        raise UnreadableError("no ADT message")
    if trigger not in EVENTS:
        named = f" {trigger}" if _TRIGGER.fullmatch(trigger) else ""
        raise UnreadableError(f"ADT event{named}: none that tells who somebody is")
    sent = _moment(segments.component("MSH", 7, 1))
    at = (_moment(segments.component("EVN", 2, 1)) or sent, sent, segments.component("MSH", 10, 1))
    return _events(segments, EVENTS[trigger], trigger, at)


def _events(segments: "_Segments", kind: Kind, trigger: str, at: tuple[str, str, str]) -> list[Event]:
    persons = segments.all("PID")
    if not persons:
        raise UnreadableError("no segment PID")
    identifiers = _identifiers(persons[0])
    if not identifiers:
        raise UnreadableError("no identifier in PID-3")
    facts = _facts(persons[0])
    merged = segments.all("MRG")
    match kind:
        case "known":
            return [Event(at, kind, identifiers, facts)]
        case "link" | "unlink":
            prior = _identifiers(persons[1]) if len(persons) > 1 else ()
            if not prior:
                raise UnreadableError("no second person")
            return [Event(at, "known", prior, _facts(persons[1])), Event(at, kind, identifiers, facts, prior)]
    prior = _listed(merged[0], 1) if merged else ()
    if kind == "move":
        source, target = _listed(merged[0], 4) if merged else (), _listed(persons[0], 2)
        if not (prior and source and target):
            raise UnreadableError("does not say what is moved from whom to whom (MRG-1, MRG-4, PID-2)")
        return [Event(at, kind, target, facts, source, prior)]
    if trigger == "A39" and merged:
        prior = _listed(merged[0], 4) or prior
    if not prior:
        raise UnreadableError("does not say what is merged (MRG-1)")
    return [Event(at, kind, identifiers, facts, prior)]


@dataclass(frozen=True)
class _Segment:
    """A segment's fields; counted from 0, its name the first."""

    fields: list[str]
    signs: str  # component, repetition, escape and subcomponent separators of MSH-2

    def repetitions(self, number: int) -> list[list[str]]:
        """The components of each repetition of a field, as text."""
        text = self.fields[number] if number < len(self.fields) else ""
        return [
            [self.plain(component.split(self.signs[3])[0]) for component in repetition.split(self.signs[0])]
            for repetition in text.split(self.signs[1])
            if repetition
        ]

    def subcomponents(self, number: int, component: int) -> list[list[str]]:
        """The subcomponents of a component (from 1) in each repetition of a field."""
        text = self.fields[number] if number < len(self.fields) else ""
        parts = [repetition.split(self.signs[0]) for repetition in text.split(self.signs[1]) if repetition]
        return [
            [self.plain(part) for part in at[component - 1].split(self.signs[3])] if len(at) >= component else []
            for at in parts
        ]

    def plain(self, text: str) -> str:
        """Text without escapes (chapter 2, section 2.7); `""` deletes a value."""
        escape = self.signs[2]
        if escape in text:
            letters = {"F": "|", "S": self.signs[0], "T": self.signs[3], "R": self.signs[1], "E": escape}
            sign = re.escape(escape)
            text = re.sub(f"{sign}([^{sign}]*){sign}", lambda match: letters.get(match[1], " "), text)
        return "" if text == '""' else text.strip()


@dataclass(frozen=True)
class _Segments:
    found: list[_Segment]

    @classmethod
    def of(cls, content: bytes) -> "_Segments":
        lines = _BREAKS.split(_decoded(content))
        heading = lines[0]
        if len(heading) < 8:
            raise UnreadableError("the segment MSH is cut off")
        field, signs = heading[3], heading[4 : heading.find(heading[3], 4)]
        if len(signs) < 2 or field.isalnum():
            raise UnreadableError("the segment MSH does not name its separators")
        signs = (signs + "^~\\&"[len(signs) :])[:4]
        wanted = [line for line in lines if line.startswith(("MSH", "EVN", "PID", "MRG"))]
        split = [line.split(field) for line in wanted]
        # MSH-1 is the separator itself.
        return cls([_Segment([parts[0], field, *parts[1:]] if parts[0] == "MSH" else parts, signs) for parts in split])

    def all(self, name: str) -> list[_Segment]:
        return [segment for segment in self.found if segment.fields[0] == name]

    def component(self, name: str, number: int, component: int) -> str:
        for segment in self.all(name):
            for components in segment.repetitions(number):
                return components[component - 1] if len(components) >= component else ""
        return ""


def _decoded(content: bytes) -> str:
    """The message as text, by the character set of MSH-18."""
    heading = _BREAKS.split(content.split(b"\r")[0].decode("latin-1"))[0]
    fields = heading.split(heading[3]) if len(heading) > 3 else []
    declared = fields[17].split("~")[0].strip().upper() if len(fields) > 17 else ""
    if declared and declared not in _CODECS:
        raise UnreadableError("the character set that MSH-18 names is not known")
    try:
        return content.decode(_CODECS.get(declared, "utf-8"))
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(
            "texts are not in the character set that MSH-18 names"
            if declared
            else "texts beyond ASCII, and MSH-18 names no character set"
        ) from None


def _moment(text: str) -> str:
    """A time (HL7 TS, DTM) as digits that sort, in UTC where an offset is given; empty where there is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return ""
    digits, offset = match.groups()
    if offset and len(digits) >= 10:
        minutes = (int(offset[1:3]) * 60 + int(offset[3:])) * (-1 if offset[0] == "-" else 1)
        try:
            local = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")
            zone = timezone(timedelta(minutes=minutes))
            return local.replace(tzinfo=zone).astimezone(UTC).strftime("%Y%m%d%H%M%S")
        except (ValueError, OverflowError):
            return ""
    return digits.ljust(14, "0")


def _identifiers(person: _Segment) -> tuple[Identifier, ...]:
    """A person's numbers, the hospital's first; PID-2 and PID-4 of old versions where PID-3 has none."""
    return _listed(person, 3) or _listed(person, 2) or _listed(person, 4)


def _listed(segment: _Segment, number: int) -> tuple[Identifier, ...]:
    """The persons' numbers of a field (CX), with their issuers, those of a hospital first."""
    issuers = segment.subcomponents(number, 4)
    found = []
    for components, issuer in zip(segment.repetitions(number), issuers, strict=True):
        kind = components[4].upper() if len(components) > 4 else ""
        named = next((part for part in issuer if part), "")
        if components[0] and kind not in _NO_PERSONS:
            found.append((kind not in _HOSPITALS, (components[0], named)))
    return tuple(dict.fromkeys(identifier for _, identifier in sorted(found, key=lambda pair: pair[0])))


def _facts(person: _Segment) -> Facts:
    def first(number: int, component: int = 1) -> str:
        for components in person.repetitions(number):
            return components[component - 1] if len(components) >= component else ""
        return ""

    return Facts(
        names=tuple(dict.fromkeys(_names(person))),
        birth_date=first(7)[:8],
        sex=first(8),
        death_date=first(29)[:8],
        street=" ".join(filter(None, (first(11, 1), first(11, 2)))),
        city=first(11, 3),
        postcode=first(11, 5),
        phone=first(13, 1) or first(13, 12) or first(13, 6) + first(13, 7),
    )


def _names(person: _Segment) -> Iterator[Name]:
    """Names of PID-5 and, formerly, PID-9: a maiden or an alias name never first (XPN.7, HL7 table 0200)."""
    names = []
    for number in (5, 9):
        for components in person.repetitions(number):
            family, given, further, *rest = [*components, "", "", ""][: max(7, len(components))]
            kind = rest[3] if len(rest) > 3 else ""
            name = (family, " ".join(filter(None, (given, further))))
            if any(name):
                names.append((number == 9 or kind in ("M", "A", "N", "S", "B", "P"), name))
    yield from (name for _, name in sorted(names, key=lambda pair: pair[0]))
