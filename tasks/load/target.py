"""The target of the configuration as a DICOM peer, and the check of it that `filmroom doctor` makes."""

from pathlib import Path

from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from tasks import network
from tasks.configuration import Configuration, EmbeddedTarget
from tasks.errors import StageBlockedError
from tasks.network.services import FIND_CONTEXT, GET_CONTEXT
from tasks.stage import StageContext

# What a film becomes (see wrap), and the syntaxes it may have.
_FILM_CLASSES = ("1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.3", "1.2.840.10008.5.1.4.1.1.7")
_SYNTAXES = (
    JPEGLSLossless,
    JPEG2000Lossless,
    RLELossless,
    JPEGBaseline8Bit,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)


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
    """How receipts name the target: `embedded`, whose port may change, or `AE@host:port`."""
    target = configuration.target
    return "embedded" if isinstance(target, EmbeddedTarget) else f"{target.ae_title}@{target.host}:{target.port}"


def check_target(configuration: Configuration) -> str:
    """Asks the target for a C-ECHO and what it would take of us; one line for a person.

    Raises `StageBlockedError` with the mend where it is down, refuses us, or offers no way to look and to read back.
    """
    peer = peer_in(configuration, configuration.project.workspace)
    network.echo(peer)
    contexts = [FIND_CONTEXT, GET_CONTEXT]
    contexts += [network.Context(sop_class, syntax) for sop_class in _FILM_CLASSES for syntax in _SYNTAXES]
    with network.associate(peer, contexts) as association:
        require_services(peer, association)
        for sop_class in _FILM_CLASSES:
            taken = [UID(syntax).name for syntax in _SYNTAXES if (sop_class, syntax) in association.accepted]
            if taken:
                return f"{peer.name} takes {UID(sop_class).name} in {', '.join(taken)}"
    raise StageBlockedError(
        f"target {peer.name} takes no Secondary Capture objects of us: allow AE title {peer.our_ae_title!r}"
    )


def require_services(peer: network.Peer, association: network.Association) -> None:
    """Raises `StageBlockedError`, before anything is sent, where the target cannot be asked what it holds or give it back."""
    if not association.takes(FIND_CONTEXT.abstract_syntax):
        raise StageBlockedError(f"target {peer.name} offers us no C-FIND, to look before sending: allow it there")
    require_get(peer, association)


def require_get(peer: network.Peer, association: network.Association) -> None:
    """Raises `StageBlockedError` where the target does not give back what it holds."""
    if not association.takes(GET_CONTEXT.abstract_syntax):
        raise StageBlockedError(f"target {peer.name} offers us no C-GET, without which nothing can be proved: allow it there")
