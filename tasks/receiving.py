"""How objects come from a legacy PACS: by C-GET, or by C-MOVE to our own receiver.

There is one receiver a process, from the first C-MOVE to the end of the process. Whichever worker is sent an object puts it
where the one that asked looks for it (`tasks.received`): under the PACS whose AE title sent it or, if there is only one, under
that, and under the UIDs that the object says.
"""

import threading
from functools import lru_cache, partial
from pathlib import Path

from tasks.configuration import Configuration, PacsSource
from tasks.errors import NextRunError, RetryLaterError
from tasks.header_scan import BLOCK, scan_head
from tasks.header_scan import wanted as asked_for
from tasks.network import Peer, Received
from tasks.network.asking import listed_instances
from tasks.network.receiver import Receiver
from tasks.network.retrieval import Retriever
from tasks.received import file_head, keep, kept, object_path, uids_of

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID")
_PLACE = asked_for(_UIDS)
_LOCK = threading.Lock()


def retriever_of(source: PacsSource, configuration: Configuration) -> Retriever:
    """What asks a legacy PACS and retrieves from it."""
    peer = Peer(source.host, source.port, source.ae_title, configuration.network.ae_title, "source")
    return Retriever(peer, partial(_be_receiving, configuration), source.retrieve == "move")


def receive_again(configuration: Configuration, source: str, path: str) -> bytes:
    """The file of an object that is asked for once more.

    Raises `NextRunError` where the PACS does not give it out, `StageBlockedError` or `RetryLaterError` where it cannot be
    asked.
    """
    place = configuration.sources[source]
    assert isinstance(place, PacsSource)
    study, series, instance = uids_of(path)
    came: list[Received] = []
    with retriever_of(place, configuration) as retriever:
        listed = listed_instances(retriever, study, series).instances
        wanted = [one for one in listed if one.instance == instance and one.sop_class]
        retriever.objects(wanted, [one.sop_class for one in wanted], came.append)
    for received in came:
        if received.sop_instance_uid == instance:
            return file_head(received) + received.data
    for kept_object in kept(configuration.project.workspace, source, [path]).values():
        return kept_object.file.read_bytes()
    raise NextRunError("the PACS does not give it out any more")


def _be_receiving(configuration: Configuration) -> None:
    """Makes sure that this process listens on `[network] port`. Raises `StageBlockedError` where it cannot."""
    names = {s.ae_title: name for name, s in configuration.sources.items() if isinstance(s, PacsSource)}
    with _LOCK:
        _listening(
            configuration.network.port,
            configuration.network.ae_title,
            configuration.project.workspace,
            tuple(sorted(names.items())),
        )


@lru_cache(maxsize=4)
def _listening(port: int, our_ae_title: str, workspace: Path, names: tuple[tuple[str, str], ...]) -> Receiver:
    def receive(calling: str, came: Received) -> None:
        source = dict(names).get(calling) or (names[0][1] if len(names) == 1 else None)
        if source is None:
            raise RetryLaterError("sent by a PACS that is no source")
        head = file_head(came)
        found = scan_head(head + came.data[:BLOCK], _PLACE)
        if len(found) < len(_UIDS):
            found = scan_head(head + came.data, _PLACE)
        uids = (found.get(keyword, "") for keyword in _UIDS)
        keep(workspace, source, object_path(*uids, came.sop_instance_uid), came)

    return Receiver(port, our_ae_title, receive)
