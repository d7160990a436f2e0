"""The embedded PACS for as long as a command needs it, where the target is that; the port it took is noted for `load`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.configuration import Configuration, EmbeddedTarget
from tasks.workspace.layout import Workspace

if TYPE_CHECKING:
    from tasks.pacs.server import EmbeddedPacs


@contextmanager
def embedded_pacs(configuration: Configuration, workspace: Workspace) -> Iterator["EmbeddedPacs | None"]:
    """The running PACS; `None` where the target is another. Raises `StageBlockedError` where another process has it open."""
    target = configuration.target
    if not isinstance(target, EmbeddedTarget):
        yield None
        return
    from tasks.pacs.server import EmbeddedPacs  # pynetdicom takes its time to load

    folder = workspace.root / "pacs"
    with EmbeddedPacs(folder, target.ae_title, target.port, target.destinations) as pacs:
        (folder / "port").write_text(str(pacs.port))
        yield pacs
