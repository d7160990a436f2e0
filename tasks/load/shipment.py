"""One object on its way into the target, and a batch cut so that what it needs fits one association."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.load.compare import Returned
from tasks.network import Context
from tasks.network.negotiation import MOST_CONTEXTS
from tasks.pixel_data import is_lossy, read_data_set
from tasks.stage import Row

UNCOMPRESSED = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
_QUERY_CONTEXTS = 2


@dataclass
class Shipment:
    """A row of `LOAD_VIEW`, its final data set without pixels, and what became of it so far.

    `there`: the target had it before; `sent_syntax`: it was sent in that; `returned`: what came back; `error`: what stops it.
    """

    row: Row
    dataset: Dataset
    there: bool = False
    sent_syntax: str | None = None
    returned: Returned | None = None
    error: Exception | None = field(default=None, repr=False)

    @property
    def uid(self) -> str:
        """SOP Instance UID (0008,0018)."""
        return str(self.row["sop_instance_uid"])

    @property
    def sop_class(self) -> str:
        """SOP Class UID (0008,0016)."""
        return str(self.row["sop_class_uid"])

    @property
    def staged_syntax(self) -> str:
        """Transfer syntax of the staged element."""
        return str(self.row["transfer_syntax_uid"])

    @property
    def series(self) -> tuple[str, str]:
        """(Study Instance UID, Series Instance UID)."""
        return str(self.dataset.get("StudyInstanceUID", "")), str(self.dataset.get("SeriesInstanceUID", ""))


def shipment_of(row: Row) -> Shipment:
    """A row about to go; its header and trailer are read once, for the look and the comparison."""
    dataset = read_data_set(row["header"])
    if row["trailer"]:
        dataset.update(read_data_set(row["trailer"]))
    return Shipment(row, dataset)


def syntaxes_for(shipment: Shipment, first: str) -> tuple[str, ...]:
    """Transfer syntaxes to propose: `first` and the uncompressed ones, but for lossy pixels, which those could not prove."""
    return (first,) if is_lossy(shipment.staged_syntax) else tuple(dict.fromkeys((first, *UNCOMPRESSED)))


def storage_contexts(shipments: Iterable[Shipment], receiving: bool = False) -> list[Context]:
    """A presentation context for each (SOP class, transfer syntax) that the shipments may go, or come back, by."""
    pairs = {
        (shipment.sop_class, syntax)
        for shipment in shipments
        for syntax in syntaxes_for(shipment, shipment.sent_syntax or shipment.staged_syntax)
    }
    return [Context(sop_class, syntax, receiving) for sop_class, syntax in sorted(pairs)]


def parts(shipments: Sequence[Shipment]) -> Iterator[list[Shipment]]:
    """Cuts a batch so that each part fits the presentation contexts of one association and holds no UID twice."""
    part: list[Shipment] = []
    pairs: set[tuple[str, str]] = set()
    uids: set[str] = set()
    for shipment in shipments:
        more = {(shipment.sop_class, syntax) for syntax in syntaxes_for(shipment, shipment.staged_syntax)}
        if part and (shipment.uid in uids or len(pairs | more) > MOST_CONTEXTS - _QUERY_CONTEXTS):
            yield part
            part, pairs, uids = [], set(), set()
        part.append(shipment)
        pairs |= more
        uids.add(shipment.uid)
    if part:
        yield part
