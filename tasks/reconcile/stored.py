"""The index made ready for questions: a folder of files that processes map into memory, so that each starts at once.

`records.arrow` (columns `COMPARED` and `person`), `spelled.arrow` (`SPELLED`, the same rows), `first.npy` (each person's first
record), `keys.npy` and `numbers.npy` (the records' `keys`) in `records`, those of orders in `orders`, `unread.json`.
It is derived: whoever deletes it loses nothing.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.reconcile.compared import compared
from tasks.reconcile.keys import Keys, keys_of_values, make_keys
from tasks.reconcile.registry.spelled import SPELLED

_ORDER: Any = [("accession", pa.string()), ("person", pa.int64())]
ORDERS = pa.schema(_ORDER)  # the number in normal form
logger = logging.getLogger("filmroom")

_FORM = "3"  # of these files; another number makes them anew


@dataclass(frozen=True)
class Gathered:
    """All that the sources know: records (`SPELLED`), orders (`ORDERS`), and why what could not be read was not, by key."""

    records: pa.Table
    orders: pa.Table
    unread: Mapping[str, str]


@dataclass(frozen=True)
class Stored:
    """The files of a folder, mapped into memory."""

    records: pa.Table
    spelled: pa.Table
    first: NDArray[np.int64]
    keys: Keys
    orders: Keys
    unread: Mapping[str, str]


def stored_index(folder: Path, stamp: str, gather: Callable[[], Gathered]) -> Stored:
    """The index of a stamp below `folder`; made by the first process that asks, the others wait for it.

    `stamp` names what the sources hold. Indexes of other stamps are removed.
    """
    # DuckDB's hash, of which the keys are made, may change between versions.
    name = hashlib.sha256(f"{_FORM} {duckdb.__version__} {stamp}".encode()).hexdigest()[:32]
    final = folder / name
    if not final.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not final.is_dir():
                _make(folder, final, _told(gather()))
    return _open(final)


def _told(gathered: Gathered) -> Gathered:
    """The same, after the log has been told what could not be read: reasons and counts, nothing else."""
    if gathered.unread:
        reasons = Counter(gathered.unread.values()).most_common()
        said = "; ".join(f"{why} ({count})" for why, count in reasons)
        logger.warning("patient index: %d parts of its sources are not in it: %s", len(gathered.unread), said)
    return gathered


def _make(folder: Path, final: Path, gathered: Gathered) -> None:
    for former in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(former)
    new = folder / "new"
    new.mkdir()
    persons = gathered.records["person"].combine_chunks()
    records = compared(gathered.records)
    _write(new / "records.arrow", records.append_column("person", persons))
    _write(new / "spelled.arrow", gathered.records)
    np.save(new / "first.npy", np.flatnonzero(np.diff(np.asarray(persons), prepend=-1)))
    _write_keys(new / "records", make_keys(records))
    persons_of_orders = np.asarray(gathered.orders["person"].combine_chunks())
    _write_keys(new / "orders", keys_of_values(gathered.orders["accession"].to_pylist(), persons_of_orders))
    (new / "unread.json").write_text(json.dumps(dict(gathered.unread), sort_keys=True, indent=1), "utf-8")
    os.rename(new, final)  # noqa: PTH104


def _write(path: Path, table: pa.Table) -> None:
    whole = table.combine_chunks()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, whole.schema) as writer:
        writer.write_table(whole)


def _write_keys(folder: Path, keys: Keys) -> None:
    folder.mkdir()
    np.save(folder / "keys.npy", keys.keys)
    np.save(folder / "numbers.npy", keys.numbers)


def _open(folder: Path) -> Stored:
    def table(name: str) -> pa.Table:
        return pa.ipc.open_file(pa.memory_map(str(folder / name))).read_all()

    def keys(name: str) -> Keys:
        return Keys(*(np.load(folder / name / f"{part}.npy", mmap_mode="r") for part in ("keys", "numbers")))

    return Stored(
        records=table("records.arrow"),
        spelled=table("spelled.arrow"),
        first=np.load(folder / "first.npy", mmap_mode="r"),
        keys=keys("records"),
        orders=keys("orders"),
        unread=json.loads((folder / "unread.json").read_text("utf-8")),
    )


def no_records() -> pa.Table:
    """Records of nobody."""
    return SPELLED.empty_table()


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of records one after the other, persons numbered on; whom a person is linked with follows."""
    shifted, start = [], 0
    for table in tables:
        person, linked = (np.asarray(table[name].combine_chunks()) for name in ("person", "linked"))
        columns = {
            "person": pa.array(person + start),
            "linked": pa.array(np.where(linked < 0, -1, linked + start)),
        }
        for name, values in columns.items():
            table = table.set_column(table.schema.get_field_index(name), name, values)
        shifted.append(table)
        start += int(person.max(initial=-1)) + 1
    return pa.concat_tables(shifted) if shifted else no_records()
