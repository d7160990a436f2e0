"""Reading back what the target holds by C-GET: the only proof there is, since a status or a storage commitment is none.

Each object is compared as it arrives and not kept. It is asked for in the syntax it was sent in; what does not come that way is
asked for again by itself, in every syntax we can prove.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tasks import network
from tasks.errors import RetryLaterError, ReviewError, StageBlockedError
from tasks.load.compare import judge_returned
from tasks.load.look import image_identifier, series_identifiers
from tasks.load.shipment import UNCOMPRESSED, Shipment, storage_contexts
from tasks.load.target import require_get
from tasks.network.services import GET_CONTEXT, GetResult

_PROVABLE = (
    *UNCOMPRESSED,
    *map(str, (JPEGLSLossless, JPEG2000Lossless, JPEGLosslessSV1, JPEGLossless, RLELossless, HTJ2KLossless, HTJ2KLosslessRPCL)),
)
_NOT_ALLOWED = frozenset({0x0122, 0x0124, 0xA801})
_OUT_OF_RESOURCES = frozenset({0xA701, 0xA702})


def read_back(peer: network.Peer, shipments: Sequence[Shipment]) -> None:
    """Sets `returned` of what came back and `error` of what did not; shipments with an error already are passed over."""
    wanted = {shipment.uid: shipment for shipment in shipments if shipment.error is None}
    try:
        if wanted:
            _together(peer, wanted)
        missing = [shipment for shipment in wanted.values() if shipment.returned is None]
        for sop_class, alike in groupby(sorted(missing, key=lambda s: (s.sop_class, s.uid)), key=lambda s: s.sop_class):
            _one_by_one(peer, sop_class, list(alike))
    except RetryLaterError as lost:
        for shipment in wanted.values():
            if shipment.returned is None:
                shipment.error = shipment.error or lost


def _together(peer: network.Peer, wanted: dict[str, Shipment]) -> None:
    contexts = [GET_CONTEXT, *storage_contexts(wanted.values(), receiving=True)]
    with network.associate(peer, contexts) as association:
        require_get(peer, association)
        for identifier in series_identifiers(wanted.values()):
            _get(peer, association, identifier, wanted)


def _one_by_one(peer: network.Peer, sop_class: str, shipments: list[Shipment]) -> None:
    contexts = [GET_CONTEXT, *_every_syntax(sop_class, shipments)]
    with network.associate(peer, contexts) as association:
        require_get(peer, association)
        for shipment in shipments:
            identifier = image_identifier(shipment.series, [shipment.uid])
            result = _get(peer, association, identifier, {shipment.uid: shipment})
            if shipment.returned is None:
                shipment.error = _not_returned(shipment, result)


def _every_syntax(sop_class: str, shipments: Iterable[Shipment]) -> Iterator[network.Context]:
    for syntax in sorted({*_PROVABLE, *(shipment.staged_syntax for shipment in shipments)}):
        yield network.Context(sop_class, syntax, receiving=True)


def _get(peer: network.Peer, association: network.Association, identifier: Dataset, wanted: dict[str, Shipment]) -> GetResult:
    def receive(came: network.Received) -> None:
        if shipment := wanted.get(came.sop_instance_uid):
            shipment.returned = judge_returned(came.data, came.transfer_syntax_uid, shipment.dataset, shipment.row)

    result = network.get(association, identifier, receive)
    if result.status in _NOT_ALLOWED:
        raise StageBlockedError(f"target {peer.name} refuses C-GET (status 0x{result.status:04X}): allow our AE title there")
    if result.status in _OUT_OF_RESOURCES:
        raise RetryLaterError(f"the target had not the means to give objects back (status 0x{result.status:04X})")
    return result


def _not_returned(shipment: Shipment, result: GetResult) -> Exception:
    if shipment.uid in result.failed or result.status != 0x0000:
        return ReviewError(f"the target holds this object but does not give it back (status 0x{result.status:04X})")
    return RetryLaterError("the target took this object but does not have it yet")
