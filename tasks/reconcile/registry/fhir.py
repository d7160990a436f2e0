"""FHIR R4 Patient resources: Bundles, single resources and NDJSON. `link` of type `replaced-by` or `replaces` is a merge,
`seealso` and `refer` are links.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tasks.reconcile.registry.event import RESOURCE, Event, Facts, Identifier, Kind, UnreadableError

_FORMERLY = frozenset({"old", "maiden", "nickname", "anonymous", "temp"})
_NO_PERSONS = frozenset({"SS", "DL", "PPN", "AN", "VN", "SB", "TAX"})
_LINKS: dict[str, Kind] = {"replaced-by": "merge", "replaces": "merge", "seealso": "link", "refer": "link"}


def split_resources(content: bytes) -> Iterator[dict[str, Any]]:
    """The Patient resources of a file; raises `UnreadableError` where it is no JSON or has none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("no JSON in UTF-8") from error
    found = 0
    for resource in _documents(text):
        entries = [resource, *(entry.get("resource") or {} for entry in resource.get("entry") or ())]
        for name, entry in zip(("", *(e.get("fullUrl") or "" for e in resource.get("entry") or ())), entries, strict=True):
            if entry.get("resourceType") == "Patient":
                found += 1
                yield {**entry, "fullUrl": name}
    if not found:
        raise UnreadableError("no FHIR Patient")


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one after the other."""
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            document, at = decoder.raw_decode(text, at)
        except ValueError as error:
            raise UnreadableError("no JSON, or cut off") from error
        if not isinstance(document, dict):
            raise UnreadableError("no FHIR resource")
        yield document


def read_resource(patient: dict[str, Any]) -> list[Event]:
    """What a Patient resource says; raises `UnreadableError` where it has no identifier or is not built as R4 says."""
    try:
        return list(_events(patient))
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise UnreadableError("a Patient that is not built as FHIR R4 says") from error


def _events(patient: dict[str, Any]) -> Iterator[Event]:
    own = tuple(dict.fromkeys(name for name in (patient.get("id") or "", patient["fullUrl"]) if name))
    identifiers = (*_identifiers(patient), *((name, RESOURCE) for name in own))
    if len(identifiers) == len(own):
        raise UnreadableError("a Patient without an identifier")
    updated = (patient.get("meta") or {}).get("lastUpdated") or ""
    moment = datetime.fromisoformat(updated).astimezone(UTC).strftime("%Y%m%d%H%M%S") if updated else ""
    yield Event((moment, "", own[0] if own else ""), "known", identifiers, _facts(patient))
    for link in patient.get("link") or ():
        others = _other(link["other"])
        kind = _LINKS.get(link["type"])
        if kind is None or not others:
            raise UnreadableError("a Patient with a link to nobody")
        # After all that is known at the same time.
        at = (moment or "9", "~", own[0] if own else "")
        replaced = link["type"] == "replaced-by"
        survivor, prior = (others, identifiers) if replaced else (identifiers, others)
        yield Event(at, kind, survivor, Facts(), prior)


def _other(other: dict[str, Any]) -> tuple[Identifier, ...]:
    """Whom a link refers to: the name of a resource, or an identifier."""
    reference = (other.get("reference") or "").removeprefix("Patient/")
    named = other.get("identifier") or {}
    found = [(reference, RESOURCE)] if reference else []
    if named.get("value"):
        found.append((named["value"], named.get("system") or ""))
    return tuple(found)


def _identifiers(patient: dict[str, Any]) -> tuple[Identifier, ...]:
    found = []
    for identifier in patient.get("identifier") or ():
        codes = {coding.get("code") for coding in (identifier.get("type") or {}).get("coding") or ()}
        if identifier.get("value") and not codes & _NO_PERSONS:
            former = identifier.get("use") in ("old", "temp")
            found.append((former, "MR" not in codes, (identifier["value"].strip(), identifier.get("system") or "")))
    return tuple(dict.fromkeys(pair for _, _, pair in sorted(found, key=lambda each: each[:2])))


def _facts(patient: dict[str, Any]) -> Facts:
    names = [
        (
            name.get("use") in _FORMERLY or bool((name.get("period") or {}).get("end")),
            (name.get("family") or "", " ".join(name.get("given") or ())),
        )
        for name in patient.get("name") or ()
    ]
    address: dict[str, Any] = next(iter(patient.get("address") or ()), {})
    phones = [each.get("value") or "" for each in patient.get("telecom") or () if each.get("system") == "phone"]
    return Facts(
        names=tuple(dict.fromkeys(name for _, name in sorted(names, key=lambda each: each[0]) if any(name))),
        birth_date=patient.get("birthDate") or "",
        sex=patient.get("gender") or "",
        death_date=(patient.get("deceasedDateTime") or "")[:10],
        street=" ".join(address.get("line") or ()),
        city=address.get("city") or "",
        postcode=address.get("postalCode") or "",
        phone=next(iter(phones), ""),
    )
