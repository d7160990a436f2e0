"""Where things lie in a workspace, and that it is the workspace of this migration.

```
workspace.json     which migration this is
log/N.parquet      manifests, the commits; log/HEAD the newest one's number and SHA-256
TABLE/*.parquet    data files; one counts only if a manifest names it
staging/           pixels on their way from wrap to load
received/          objects of a legacy PACS until wrap has taken them over, and the lists of its studies
pacs/              the embedded PACS, where the target is that
report/            Data Docs and reports
derived/           what makes reading quick and can be deleted
spill/             input of batches under way; emptied by every run
prefect/           Prefect's own home and database
run.lock           held by the run that is active
```
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import WorkspaceError


@dataclass(frozen=True)
class Workspace:
    """The folders of a workspace; see the module's text."""

    root: Path

    @property
    def log(self) -> Path:
        """Folder of the manifests."""
        return self.root / "log"

    @property
    def staging(self) -> Path:
        """Folder of the staged pixels."""
        return self.root / "staging"

    @property
    def spill(self) -> Path:
        """Folder of what a run needs while it runs."""
        return self.root / "spill"

    @property
    def derived(self) -> Path:
        """Folder of what is derived from the tables and can be deleted."""
        return self.root / "derived"

    @property
    def report(self) -> Path:
        """Folder of Data Docs and reports."""
        return self.root / "report"

    def table(self, name: str) -> Path:
        """Folder of a table's data files."""
        return self.root / name


def sync_folder(folder: Path) -> None:
    """Makes a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ours(path: Path, folders: tuple[Path, ...], temporary: Path) -> bool:
    """Whether this is left of a workspace that could not be made, such as on a full disk."""
    return path == temporary or (path in folders and not any(path.iterdir()))


def open_workspace(root: Path, project: str, *, create: bool = False) -> Workspace:
    """The workspace of a project; makes it where `create` says so and nothing is there.

    Raises `WorkspaceError` where there is none, where it belongs to another migration, or where the folder holds other things.
    """
    identity = root / "workspace.json"
    workspace = Workspace(root)
    if not identity.exists():
        if not create:
            raise WorkspaceError(f"{root}: no workspace there yet: start a migration with `filmroom run`")
        folders = (workspace.log, workspace.staging, workspace.spill, workspace.report)
        temporary = root / "workspace.json.new"
        if root.exists() and any(not _ours(path, folders, temporary) for path in root.iterdir()):
            raise WorkspaceError(f"{root}: holds other files and is no workspace: choose an empty folder")
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o750)
        for folder in folders:
            folder.mkdir(exist_ok=True)
        temporary.write_text(json.dumps({"project": project, "format": 1}) + "\n")
        temporary.rename(identity)
        sync_folder(root)
    found = json.loads(identity.read_text()).get("project")
    if found != project:
        raise WorkspaceError(
            f"{root}: is the workspace of migration {found!r}, not of {project!r}: correct [project] workspace"
        )
    return workspace
