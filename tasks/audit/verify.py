"""Verifying a workspace: anything changed, removed or added by hand is found, and its place is named.

Four things are held against each other: the manifests' chain (and `log/HEAD`, or a hash kept elsewhere), each live file
against its SHA-256, each row against the hash in its event, each commit's events against its Merkle root. Files are read one
at a time.
"""

import hashlib
import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.canonical import merkle_root, table_hashes
from tasks.errors import WorkspaceError
from tasks.schemas import AUDIT, TABLES
from tasks.workspace.layout import Workspace
from tasks.workspace.manifest import NO_PREVIOUS, DataFile, Manifest, decode, manifest_path, read_head, sha256_of


@dataclass
class Verification:
    """What was found: faults by place, files that do not count, and how much was looked at."""

    faults: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    number: int = 0
    head: str = NO_PREVIOUS
    rows: int = 0
    events: int = 0


@dataclass
class _Ledger:
    """Events read so far: (seq, hash) by commit, and how often each row hash of a table is expected and found."""

    leaves: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    balance: dict[str, int] = field(default_factory=dict)


def verify(workspace: Workspace, head: str | None = None) -> Verification:
    """Verifies everything; `head` is the SHA-256 of a manifest that was kept outside, which must be one of the chain."""
    report = Verification()
    manifests = _chain(workspace, report, head)
    live = _live(manifests)
    ledger = _Ledger()
    for file in sorted(live.values(), key=lambda file: (file.table != AUDIT.name, file.path)):
        _file(workspace, file, report, ledger)
    _roots(manifests, ledger, report)
    _unanswered(ledger, report)
    _unnamed(workspace, live, manifests, report)
    return report


def _chain(workspace: Workspace, report: Verification, head: str | None) -> list[Manifest]:
    manifests: list[Manifest] = []
    hashes: dict[str, int] = {}
    last = max((int(path.stem) for path in workspace.log.glob("[0-9]*.parquet")), default=0)
    noted = _noted(workspace, report)
    for number in range(1, max(last, noted[0]) + 1):
        name = f"log/{number:010d}.parquet"
        try:
            data = manifest_path(workspace.log, number).read_bytes()
            manifest = decode(data, name)
        except FileNotFoundError:
            report.faults.append(f"{name}: is missing")
            report.head = "?"
            continue
        except WorkspaceError:
            report.faults.append(f"{name}: is damaged")
            report.head = "?"
            continue
        if manifest.number != number or (report.head != "?" and manifest.previous != report.head):
            report.faults.append(f"{name}: does not follow the manifest before it, which was changed or replaced")
        report.number, report.head = number, sha256_of(data)
        hashes[report.head] = number
        manifests.append(manifest)
    if noted[0] and hashes.get(noted[1]) != noted[0]:
        report.faults.append(f"log/HEAD: names manifest {noted[0]}, which is not the one in the log")
    if head is not None and head not in hashes:
        report.faults.append(f"--head {head}: no manifest of the log has this hash: the log was cut off or rewritten")
    return manifests


def _noted(workspace: Workspace, report: Verification) -> tuple[int, str]:
    try:
        noted = read_head(workspace.log)
    except (WorkspaceError, UnicodeDecodeError):
        report.faults.append("log/HEAD: is damaged")
        return 0, ""
    if noted is None and any(workspace.log.glob("[0-9]*.parquet")):
        report.faults.append("log/HEAD: is missing")
    return noted or (0, "")


def _live(manifests: list[Manifest]) -> dict[str, DataFile]:
    live: dict[str, DataFile] = {}
    for manifest in manifests:
        for path in manifest.remove:
            live.pop(path, None)
        live.update({file.path: file for file in manifest.add})
    return live


def _file(workspace: Workspace, file: DataFile, report: Verification, ledger: _Ledger) -> None:
    try:
        data = (workspace.root / file.path).read_bytes()
    except OSError:
        report.faults.append(f"{file.path}: is missing")
        return
    if hashlib.sha256(data).hexdigest() != file.sha256:
        report.faults.append(f"{file.path}: was changed since it was committed")
        return
    table = pq.ParquetFile(io.BytesIO(data)).read()
    if table.num_rows != file.rows:
        report.faults.append(f"{file.path}: has {table.num_rows} rows, its manifest says {file.rows}")
    hashes = table_hashes(table)
    if file.table == AUDIT.name:
        report.events += table.num_rows
        _events(file, table, hashes, ledger)
        return
    report.rows += table.num_rows
    for digest in hashes:
        key = f"{file.table} {digest}"
        ledger.balance[key] = ledger.balance.get(key, 0) - 1
    missing = sum(ledger.balance[f"{file.table} {digest}"] < 0 for digest in set(hashes))
    if missing:
        report.faults.append(f"{file.path}: {missing} rows without an event in the ledger")


def _events(file: DataFile, table: pa.Table, hashes: list[str], ledger: _Ledger) -> None:
    if file.commit is None:
        commits: list[Any] = table["commit"].to_pylist()
        seqs: list[Any] = table["seq"].to_pylist()
    else:
        first = file.first_seq or 0
        commits, seqs = [file.commit] * table.num_rows, list(range(first, first + table.num_rows))
    for commit, seq, digest in zip(commits, seqs, hashes, strict=True):
        ledger.leaves.setdefault(commit, []).append((seq, bytes.fromhex(digest)))
    for name, row_sha256 in zip(table["table"].to_pylist(), table["row_sha256"].to_pylist(), strict=True):
        key = f"{name} {row_sha256}"
        ledger.balance[key] = ledger.balance.get(key, 0) + 1


def _roots(manifests: list[Manifest], ledger: _Ledger, report: Verification) -> None:
    for manifest in manifests:
        if manifest.kind != "rows":
            continue
        leaves = [leaf for _, leaf in sorted(ledger.leaves.get(manifest.number, []))]
        if len(leaves) != manifest.events or merkle_root(leaves) != manifest.merkle_root:
            report.faults.append(
                f"log/{manifest.number:010d}.parquet: its events in the ledger are not those it was committed with"
            )


def _unanswered(ledger: _Ledger, report: Verification) -> None:
    missing = Counter(key.split(" ")[0] for key, count in ledger.balance.items() if count > 0)
    for name, count in sorted(missing.items()):
        report.faults.append(f"{name}: {count} events whose row is gone")


def _unnamed(workspace: Workspace, live: dict[str, DataFile], manifests: list[Manifest], report: Verification) -> None:
    replaced = {path for manifest in manifests for path in manifest.remove}
    for table in TABLES:
        for path in sorted(Path(workspace.root / table).glob("*")):
            name = f"{table}/{path.name}"
            if name not in live and name not in replaced:
                report.unnamed.append(name)
