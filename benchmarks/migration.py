"""A migration of one empty film source, for benchmarks that fill its workspace themselves."""

from pathlib import Path

from tasks.workspace.layout import Workspace, open_workspace


def empty_migration(folder: Path, run: str = "") -> tuple[Path, Workspace]:
    """Its configuration, with `run` as the `[run]` section, and its workspace."""
    file = folder / "filmroom.toml"
    (folder / "scans").mkdir()
    file.write_text(f'[project]\nname="bench"\nworkspace="ws"\n[[source]]\nkind="film"\npath="scans"\n{run}')
    return file, open_workspace(folder / "ws", "bench", create=True)
