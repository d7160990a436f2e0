"""All sources of the index, joined: one table of records, whatever they came from.

A source is a file (a table, messages, resources, a worklist entry) or a folder of such. Messages tell of persons who may
stand in a table too: what the table says of a number is then what was known before the messages. What cannot be read is named
by the key of its file and its place in it, never by its path, which may carry a name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from tasks.errors import ConfigurationError
from tasks.keys import key_of
from tasks.reconcile.normalise import normal_identifier
from tasks.reconcile.registry.event import RESOURCE, Event, Facts, Identifier, Name, UnreadableError
from tasks.reconcile.registry.fhir import read_resource, split_resources
from tasks.reconcile.registry.history import Life, another, lives
from tasks.reconcile.registry.hl7 import read_message, split_messages
from tasks.reconcile.registry.spelled import SPELLED
from tasks.reconcile.registry.tables import heading, mapped_columns, read_table
from tasks.reconcile.registry.worklist import read_entry
from tasks.reconcile.stored import ORDERS, Gathered, joined

_WORKLISTS = frozenset({".dump", ".wl"})
_TABLES = frozenset({".csv", ".tsv", ".parquet"})
_PLAIN = ("sex", "death_date", "street", "city", "postcode", "phone")
Record = Mapping[str, str]
_MOST_RECORDS = 64  # of a person; who has more has them one by one, not in all combinations


@dataclass(frozen=True)
class _Read:
    events: list[Event]
    unread: dict[str, str]


@dataclass(frozen=True)
class _Said:
    """What one kind of source says of a person, what holds now first."""

    numbers: list[Identifier]
    names: list[Name]
    births: list[str]
    facts: dict[str, str]


def files_of(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Every file of the sources, and its source's number and path below it, in a fixed order."""
    for number, path in enumerate(paths, 1):
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.is_file())
            yield from ((file, f"{number}/{file.relative_to(path).as_posix()}") for file in found)
        else:
            yield path, str(number)


def gather(paths: Sequence[Path], columns: Mapping[str, str]) -> Gathered:
    """What the sources know; raises `ConfigurationError` where a table cannot be read."""
    tables, read = [], _Read([], {})
    for file, name in files_of(paths):
        if file.suffix.lower() in _TABLES:
            tables.append(read_table(file, columns))
        else:
            _read_file(file, name, read)
    table = joined(tables)
    people = lives(read.events)
    stands_in_table, rest = _met(table, people)
    records = joined([rest, *([_records(people, stands_in_table)] if people else [])])
    start = len(np.unique(np.asarray(rest["person"])))
    orders = [(normal_identifier(number), start + at) for at, life in enumerate(people) for number in life.accessions]
    known = pa.table({"accession": [number for number, _ in orders], "person": [at for _, at in orders]}, schema=ORDERS)
    return Gathered(records, known, read.unread)


def check_sources(paths: Sequence[Path], columns: Mapping[str, str]) -> None:
    """Raises `ConfigurationError` where a table lacks a needed column, or a source holds nothing; reads first lines only."""
    for path in paths:
        files = [file for file, _ in files_of([path])]
        if not files:
            raise ConfigurationError(f"{path}: the patient index has no file: name another folder in [patients] index")
        for file in files:
            if file.suffix.lower() in _TABLES:
                mapped_columns(file, heading(file)[0], columns)


def _read_file(file: Path, name: str, read: _Read) -> None:
    """Adds a file's events, or why it has none; raises `ConfigurationError` where the file system does not give it out."""
    try:
        content = file.read_bytes()
    except OSError as error:
        said = f"a file of the patient index ({key_of(name)}) cannot be read ({error.strerror})"
        raise ConfigurationError(f"{said}: correct its permissions") from None
    place = 0
    try:
        for place, events in enumerate(_parts(content, file.suffix.lower()), 1):
            try:
                read.events.extend(events())
            except UnreadableError as error:
                read.unread[key_of(name, place)] = str(error)
    except UnreadableError as error:  # of the file as a whole, or of what comes behind its last part
        read.unread[key_of(name, place + 1)] = str(error)


def _parts(content: bytes, suffix: str) -> Iterator[Callable[[], list[Event]]]:
    """What reads the events of each part of a file."""
    if content[128:132] == b"DICM" or suffix in _WORKLISTS:
        yield lambda: [read_entry(content)]
    elif content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        for resource in split_resources(content):
            yield partial(read_resource, resource)
    else:
        for message in split_messages(content):
            yield partial(read_message, message)


def _met(table: pa.Table, people: Sequence[Life]) -> tuple[dict[int, list[Record]], pa.Table]:
    """Records of the table by the place of the person in `people` whose they are, and the records of nobody among them.

    A number that several lines of the table, or several of the people, have is nobody's for certain: all stay apart.
    """
    keys = [
        (at, normal_identifier(text), issuer.upper())
        for at, life in enumerate(people)
        for text, issuer in life.identifiers
        if issuer != RESOURCE
    ]
    if not keys or not table.num_rows:
        return {}, table
    asked = pa.table({"place": [key[0] for key in keys], "id": [key[1] for key in keys], "issuer": [key[2] for key in keys]})
    with duckdb.connect() as connection:
        connection.register("table_records", table)
        connection.register("asked", asked)
        sql = """
            WITH met AS (
                SELECT DISTINCT a.place, t.person, a.id FROM asked a JOIN table_records t
                ON upper(regexp_replace(t.patient_id, '\\s', '', 'g')) = a.id
                AND (t.issuer = '' OR a.issuer = '' OR upper(t.issuer) = a.issuer)
            )
            SELECT place, person FROM met
            GROUP BY ALL HAVING person NOT IN (SELECT person FROM met GROUP BY person HAVING count(DISTINCT place) > 1)
                AND place NOT IN (SELECT place FROM met GROUP BY place, id HAVING count(DISTINCT person) > 1)
            ORDER BY place, person"""
        pairs = connection.execute(sql).fetchall()
    persons = np.asarray(table["person"])
    inside = np.zeros(len(persons), np.bool_)
    found: dict[int, list[Record]] = {}
    for place, person in pairs:
        first, last = np.searchsorted(persons, (person, person + 1)).tolist()
        records = table.slice(first, last - first).to_pylist()
        if not any(another(people[place], Facts(((r["family_name"], r["given_name"]),), r["birth_date"])) for r in records):
            found.setdefault(place, []).extend(records)
            inside[first:last] = True
    rest = table.filter(pa.array(~inside))
    _, numbered = np.unique(np.asarray(rest["person"]), return_inverse=True)
    return found, rest.set_column(0, "person", pa.array(numbered.astype(np.int64)))


def _records(people: Sequence[Life], before: Mapping[int, Sequence[Record]]) -> pa.Table:
    """The records of persons, those that tables have of them among what was before; columns `SPELLED`."""
    place_of = {id(life): at for at, life in enumerate(people)}
    rows = [
        {"person": at, "linked": place_of.get(id(life.linked), -1), **record}
        for at, life in enumerate(people)
        for record in _variants(life, before.get(at, ()))
    ]
    return pa.Table.from_pylist(rows, schema=SPELLED)


def _variants(life: Life, known: Sequence[Record]) -> list[dict[str, str]]:
    """Records of a person in all combinations of numbers, names and birth dates; what is true now is the first."""
    said = _Said(
        numbers=[pair for pair in (life.number, *life.identifiers) if pair and pair[1] != RESOURCE],
        names=[life.name, *life.names],
        births=[life.now.birth_date, *life.births],
        facts={name: getattr(life.now, name) for name in _PLAIN},
    )
    listed = _Said(
        numbers=[(record["patient_id"], record["issuer"]) for record in known],
        names=[(record["family_name"], record["given_name"]) for record in known],
        births=[record["birth_date"] for record in known],
        facts={name: known[0][name] for name in _PLAIN} if known else dict.fromkeys(_PLAIN, ""),
    )
    # What has no time, an order say, does not unsay a table.
    first, then = (said, listed) if life.since else (listed, said)
    numbers = dict.fromkeys([*first.numbers, *then.numbers])
    names = dict.fromkeys(name for name in [*first.names, *then.names] if any(name)) or [("", "")]
    births = dict.fromkeys(date for date in [*first.births, *then.births] if date) or [""]
    plain = {name: first.facts[name] or then.facts[name] for name in _PLAIN}
    combined = list(product(names, numbers, births))
    if len(combined) > _MOST_RECORDS:
        name, number, birth = combined[0]
        combined = [combined[0], *((other, number, birth) for other in names), *((name, other, birth) for other in numbers)]
    return [
        {
            "patient_id": number,
            "issuer": issuer,
            "family_name": family,
            "given_name": given,
            "birth_date": birth,
            **plain,
        }
        for (family, given), (number, issuer), birth in combined
    ]
