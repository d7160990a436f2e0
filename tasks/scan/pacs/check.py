"""What `filmroom doctor` asks of a legacy PACS."""

from tasks import network
from tasks.configuration import Configuration, PacsSource
from tasks.receiving import retriever_of


def check_pacs(source: PacsSource, configuration: Configuration) -> None:
    """Raises `StageBlockedError` with the mend where it does not answer, or lets us neither list nor retrieve."""
    with retriever_of(source, configuration) as retriever:
        network.echo(retriever.peer)
        retriever.require_services()
