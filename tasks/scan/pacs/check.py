"""What `filmroom doctor` asks of a legacy PACS."""

from tasks import network
from tasks.configuration import Configuration, PacsSource
from tasks.network.retrieval import Retriever
from tasks.received import peer_of


def check_pacs(source: PacsSource, configuration: Configuration) -> None:
    """Raises `StageBlockedError` with the mend where it does not answer, or lets us neither list nor retrieve."""
    peer = peer_of(source, configuration)
    network.echo(peer)
    with Retriever(peer) as retriever:
        retriever.require_services()
