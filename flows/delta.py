"""`filmroom run --delta`: what has changed in the legacy PACSs since their studies were listed."""

from pathlib import Path

from tasks.configuration import PacsSource, read_configuration
from tasks.scan.pacs.delta import Delta, list_anew
from tasks.workspace.layout import open_workspace
from tasks.workspace.lock import run_lock


def ask_again(configuration_file: Path) -> list[Delta]:
    """Lists every PACS that was listed before anew. Raises `StageBlockedError` where one cannot be asked."""
    configuration = read_configuration(configuration_file.resolve())
    workspace = open_workspace(configuration.project.workspace, configuration.project.name, create=True)
    with run_lock(workspace):
        pacs = {name: source for name, source in configuration.sources.items() if isinstance(source, PacsSource)}
        deltas = [list_anew(name, source, configuration) for name, source in pacs.items()]
    return [delta for delta in deltas if delta]


def printed(delta: Delta) -> str:
    """A line for a person: counts, and the file that names the studies."""
    counts = ", ".join(f"{count} {what}" for what, count in delta.counts.items())
    return f"source {delta.source}: studies {counts}: {delta.file}"
