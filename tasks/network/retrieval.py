"""Retrieving objects, in the transfer syntax in which the peer holds them: by C-GET, or by C-MOVE where that is wanted or all
there is.

A presentation context is proposed for each SOP class and transfer syntax, so that no peer has to choose between them: first
those that images come in; what does not come so is asked for again by itself, in every syntax there is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import TracebackType

from pydicom.dataset import Dataset
from pynetdicom import AllStoragePresentationContexts

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.network.negotiation import MOST_CONTEXTS, Context, Peer, associate
from tasks.network.services import FIND_CONTEXT, GET_CONTEXT, MOVE_CONTEXT, Found, GetResult, Received, find_some, get, move
from tasks.network.upper_layer import Association

MOST_UIDS = 100  # in one identifier: some 6,500 characters, which every peer takes
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
_JPEG = "1.2.840.10008.1.2.4."
_IMAGES = (
    *_UNCOMPRESSED,
    *(_JPEG + number for number in ("50", "51", "57", "70", "80", "81", "90", "91", "201", "202", "203")),
    "1.2.840.10008.1.2.5",
)
_VIDEO = (*(f"{number}{fragmentable}" for number in range(100, 107) for fragmentable in ("", ".1")), "107", "108")
_EVERY = (*_IMAGES, _JPEG + "92", _JPEG + "93", *(_JPEG + number for number in _VIDEO))
MOST_CLASSES = (MOST_CONTEXTS - 3) // len(_IMAGES)  # that one association may be about
_FREQUENT = (  # CT, MR, CR, ultrasound, ultrasound in frames, secondary capture, X-ray
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.1.1",
)
# Every Storage SOP class, those of most images first: for objects of which the peer does not say what they are.
STORAGE_CLASSES = tuple(
    dict.fromkeys([*_FREQUENT, *sorted(str(context.abstract_syntax) for context in AllStoragePresentationContexts)])
)
_NOT_ALLOWED = frozenset({0x0122, 0x0124, 0xA801})
_OUT_OF_RESOURCES = frozenset({0xA701, 0xA702})


@dataclass(frozen=True)
class Wanted:
    """An object of a study that the peer lists; its SOP class is empty where the peer does not say it."""

    study: str
    series: str
    instance: str
    sop_class: str


class Retriever:
    """One association after another to a peer, each kept for as long as it fits what is asked for; a context manager.

    What comes by C-GET is given to `receive`; what comes by C-MOVE comes to whom `be_receiving` has made sure to listen.
    All of it raises `StageBlockedError` where the peer refuses us, and `RetryLaterError` where it is lost, busy or silent.
    """

    def __init__(self, peer: Peer, be_receiving: Callable[[], None] = lambda: None, by_move: bool = False):
        self.peer = peer
        self._always = (FIND_CONTEXT, MOVE_CONTEXT) if by_move else (FIND_CONTEXT, GET_CONTEXT, MOVE_CONTEXT)
        self._be_receiving = be_receiving
        self._association: Association | None = None
        self._classes = STORAGE_CLASSES[:MOST_CLASSES]

    def association(self, classes: Iterable[str] = ()) -> Association:
        """An association by which objects of these SOP classes may come, and queries go."""
        wanted = tuple(dict.fromkeys(classes))
        if self._association is None or not set(wanted) <= set(self._classes):
            self.close()
            self._classes = tuple(dict.fromkeys([*wanted, *self._classes]))[:MOST_CLASSES]
            self._association = associate(self.peer, self._contexts(self._classes, _IMAGES))
        return self._association

    def require_services(self) -> None:
        """Raises `StageBlockedError` where the peer can be asked nothing, or gives nothing out."""
        self._require(self.association(), FIND_CONTEXT, "C-FIND")
        if not self.association().takes(MOVE_CONTEXT.abstract_syntax):
            self._require(self.association(), GET_CONTEXT, "C-GET")

    def study(self, uid: str, receive: Callable[[Received], None]) -> None:
        """Asks for a whole study; objects of other SOP classes than those asked for last do not come."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", uid
        self._get(self.association(), identifier, receive)

    def objects(self, objects: Sequence[Wanted], classes: Sequence[str], receive: Callable[[Received], None]) -> None:
        """Asks for objects by their UIDs, series by series; of which of these SOP classes they are, is the peer's to say."""
        for place in sorted({(wanted.study, wanted.series) for wanted in objects}):
            instances = [wanted.instance for wanted in objects if (wanted.study, wanted.series) == place]
            for some in in_chunks(instances, MOST_UIDS):
                self._get(self.association(classes), _identifier(*place, some), receive)

    def one_by_one(self, objects: Sequence[Wanted], receive: Callable[[Received], None]) -> None:
        """Asks for each object by itself, in every transfer syntax there is."""
        for sop_class in sorted({wanted.sop_class for wanted in objects}):
            self.close()
            self._association = associate(self.peer, self._contexts([sop_class], _EVERY))
            for wanted in objects:
                if wanted.sop_class == sop_class:
                    self._get(self._association, _identifier(wanted.study, wanted.series, [wanted.instance]), receive)
        if objects:
            self.close()

    def find(self, identifier: Dataset, most: int | None = None) -> Found:
        """Asks a query, see `find_some`; raises `StageBlockedError` where the peer takes none."""
        association = self.association()
        self._require(association, FIND_CONTEXT, "C-FIND")
        with self._lost_with_its_errors():
            return find_some(association, identifier, most)

    def close(self) -> None:
        """Releases the association."""
        if self._association is not None:
            self._association.__exit__(None, None, None)
            self._association = None

    def __enter__(self) -> "Retriever":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._association is not None:
            self._association.__exit__(kind, error, trace)
            self._association = None

    def _contexts(self, classes: Iterable[str], syntaxes: Sequence[str]) -> list[Context]:
        receiving = (Context(sop_class, syntax, receiving=True) for sop_class in classes for syntax in syntaxes)
        return [*self._always, *(receiving if GET_CONTEXT in self._always else ())]

    @contextmanager
    def _lost_with_its_errors(self) -> Iterator[None]:
        """An association on which something went wrong is not used again."""
        try:
            yield
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def _require(self, association: Association, context: Context, service: str) -> None:
        if not association.takes(context.abstract_syntax):
            raise StageBlockedError(f"{self.peer.section} {self.peer.name} offers us no {service}: allow it there")

    def _get(self, association: Association, identifier: Dataset, receive: Callable[[Received], None]) -> GetResult:
        with self._lost_with_its_errors():
            if association.takes(GET_CONTEXT.abstract_syntax) or not association.takes(MOVE_CONTEXT.abstract_syntax):
                self._require(association, GET_CONTEXT, "C-GET")
                result = get(association, identifier, receive)
            else:
                self._be_receiving()
                result = move(association, identifier, self.peer.our_ae_title)
        if result.status in _NOT_ALLOWED:
            name = f"{self.peer.section} {self.peer.name}"
            raise StageBlockedError(f"{name} refuses C-GET (status 0x{result.status:04X}): allow our AE title there")
        if result.status in _OUT_OF_RESOURCES:
            raise RetryLaterError(f"the PACS had not the means to give objects out (status 0x{result.status:04X})")
        return result


def _identifier(study: str, series: str, instances: Sequence[str]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study, series
    identifier.SOPInstanceUID = list(instances) if len(instances) > 1 else instances[0]
    return identifier


def in_chunks(values: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of at most `size` values."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
