"""The target of the configuration as a DICOM peer, and the check of it that `filmroom doctor` makes."""

from pathlib import Path

from tasks import network
from tasks.configuration import Configuration, EmbeddedTarget
from tasks.errors import StageBlockedError
from tasks.stage import StageContext


def peer_of(context: StageContext) -> network.Peer:
    """The peer that `load` sends to; the embedded PACS is found by the port the run noted."""
    return peer_in(context.configuration, context.workspace)


def peer_in(configuration: Configuration, workspace: Path) -> network.Peer:
    """The target as a peer; raises `StageBlockedError` where the embedded PACS does not run."""
    ours, target = configuration.network.ae_title, configuration.target
    if not isinstance(target, EmbeddedTarget):
        return network.Peer(target.host, target.port, target.ae_title, ours)
    try:
        port = int((workspace / "pacs" / "port").read_text())
    except (FileNotFoundError, ValueError) as error:
        raise StageBlockedError("the embedded PACS does not run: start it with `filmroom pacs serve`") from error
    return network.Peer("127.0.0.1", port, target.ae_title, ours)


def target_name(configuration: Configuration) -> str:
    """How the target is called in messages."""
    target = configuration.target
    return "embedded" if isinstance(target, EmbeddedTarget) else f"{target.ae_title}@{target.host}:{target.port}"
