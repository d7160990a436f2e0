"""A snapshot: the files that count after the newest commit of an unbroken run of numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.workspace.manifest import (
    CHECKPOINT_EVERY,
    NO_PREVIOUS,
    DataFile,
    Manifest,
    decode,
    manifest_path,
    sha256_of,
)


@dataclass(frozen=True)
class Snapshot:
    """What a reader sees: live files by path in order of commit, the newest manifest's number and SHA-256, the next `seq`."""

    number: int = 0
    head: str = NO_PREVIOUS
    next_seq: int = 1
    files: dict[str, DataFile] = field(default_factory=dict)

    def of_table(self, table: str) -> list[DataFile]:
        """The live files of a table, oldest first."""
        return [file for file in self.files.values() if file.table == table]

    def after(self, manifest: Manifest, head: str) -> "Snapshot":
        """The snapshot once `manifest`, whose SHA-256 is `head`, is counted as well."""
        files = {path: file for path, file in self.files.items() if path not in manifest.remove}
        files.update({file.path: file for file in manifest.add})
        return Snapshot(manifest.number, head, manifest.next_seq, files)


def _read(log: Path, number: int) -> tuple[Manifest, str] | None:
    try:
        data = manifest_path(log, number).read_bytes()
    except FileNotFoundError:
        return None
    return decode(data, f"log/{number:010d}.parquet"), sha256_of(data)


def _newest_checkpoint(log: Path) -> int:
    numbers = [int(path.stem) for path in log.glob("[0-9]*.parquet")]
    checkpoints = [number for number in numbers if number % CHECKPOINT_EVERY == 0]
    return max(checkpoints, default=0)


def manifests_after(log: Path, number: int) -> Iterator[tuple[Manifest, str]]:
    """The unbroken run of manifests after `number`, each with its SHA-256."""
    while found := _read(log, number + 1):
        yield found
        number += 1


def read_snapshot(log: Path, known: Snapshot | None = None) -> Snapshot:
    """The newest snapshot; reads on from `known` where one is given, else from the newest checkpoint."""
    snapshot = known
    if snapshot is None:
        snapshot = Snapshot()
        start = _newest_checkpoint(log)
        if start and (found := _read(log, start)):
            manifest, head = found
            live = {file.path: file for file in manifest.live or ()}
            snapshot = Snapshot(manifest.number, head, manifest.next_seq, live)
    for manifest, head in manifests_after(log, snapshot.number):
        snapshot = snapshot.after(manifest, head)
    return snapshot
