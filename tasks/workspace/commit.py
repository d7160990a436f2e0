"""The one function through which the engine and the review desk commit: data files become part of the tables, all or none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from tasks.canonical import merkle_root
from tasks.schemas import AUDIT
from tasks.workspace.layout import Workspace, sync_folder
from tasks.workspace.manifest import CHECKPOINT_EVERY, DataFile, Manifest, encode, manifest_path, place, sha256_of, write_head
from tasks.workspace.snapshot import Snapshot, read_snapshot
from tasks.workspace.writer import Uncommitted, merge_root_input


class ReplacedMeanwhileError(Exception):
    """A merge's input was replaced by another commit: the merge is given up."""


def commit(
    workspace: Workspace,
    pieces: Sequence[Uncommitted],
    *,
    known: Snapshot | None = None,
    remove: Sequence[str] = (),
    kind: Literal["rows", "merge"] = "rows",
) -> Snapshot:
    """Commits all pieces under one number and gives back the snapshot after it.

    Of two writers one gets the number, the other the next. Raises `ReplacedMeanwhileError` where a file to be removed is gone.
    """
    for table in sorted({file.table for piece in pieces for file in piece.files}):
        sync_folder(workspace.table(table))
    leaves = b"".join(piece.leaves for piece in pieces)
    root = merkle_root(merge_root_input(leaves))
    snapshot = read_snapshot(workspace.log, known)
    while True:
        if any(path not in snapshot.files for path in remove):
            raise ReplacedMeanwhileError
        manifest = Manifest(
            number=snapshot.number + 1,
            previous=snapshot.head,
            kind=kind,
            committed_at=datetime.now(UTC),
            merkle_root=root,
            first_seq=snapshot.next_seq,
            events=len(leaves) // 32,
            add=_numbered(pieces, snapshot) if kind == "rows" else tuple(f for piece in pieces for f in piece.files),
            remove=tuple(remove),
        )
        if manifest.number % CHECKPOINT_EVERY == 0:
            manifest = replace(manifest, live=tuple(snapshot.after(manifest, "").files.values()))
        data = encode(manifest)
        if place(manifest_path(workspace.log, manifest.number), data):
            head = sha256_of(data)
            write_head(workspace.log, manifest.number, head)
            return snapshot.after(manifest, head)
        snapshot = read_snapshot(workspace.log, snapshot)


def _numbered(pieces: Sequence[Uncommitted], snapshot: Snapshot) -> tuple[DataFile, ...]:
    """The pieces' files with the commit's number and, for the audit files, their first sequence number."""
    numbered, seq = [], snapshot.next_seq
    for piece in pieces:
        for file in piece.files:
            is_audit = file.table == AUDIT.name
            numbered.append(replace(file, commit=snapshot.number + 1, first_seq=seq if is_audit else None))
            seq += file.rows if is_audit else 0
    return tuple(numbered)
