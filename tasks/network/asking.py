"""What a PACS says it holds of a study (C-FIND, PS3.4 C.4.1)."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from tasks.errors import RetryLaterError
from tasks.network.retrieval import Retriever, Wanted
from tasks.network.services import CANCELLED, SUCCESS


@dataclass(frozen=True)
class Listed:
    """The instances that are listed, and how many are counted: (0020,1209) of each series, or those listed, if more are."""

    instances: tuple[Wanted, ...]
    counted: int


def listed_instances(retriever: Retriever, study: str, series: str = "") -> Listed:
    """The instances of a study, or of one series of it."""
    instances: list[Wanted] = []
    counted = 0
    for answer in _find(retriever, "SERIES", study, SeriesInstanceUID=series, NumberOfSeriesRelatedInstances=""):
        its_uid, before = str(answer.get("SeriesInstanceUID", "")), len(instances)
        for image in _find(retriever, "IMAGE", study, SeriesInstanceUID=its_uid, SOPInstanceUID="", SOPClassUID=""):
            uids = str(image.get("SOPInstanceUID", "")), str(image.get("SOPClassUID", ""))
            instances.append(Wanted(study, its_uid, *uids))
        counted += max(number_of(answer, "NumberOfSeriesRelatedInstances") or 0, len(instances) - before)
    return Listed(tuple(instances), counted)


def number_of(answer: Dataset, keyword: str) -> int | None:
    """A count of an answer; `None` where there is none that can be read."""
    try:
        return int(answer[keyword].value)
    except (KeyError, TypeError, ValueError):
        return None


def _find(retriever: Retriever, level: str, study: str, **keys: str) -> list[Dataset]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = level, study
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    found = retriever.find(identifier)
    if found.status not in (SUCCESS, CANCELLED):  # cut short by the peer's limit: the counts say what it left out
        raise RetryLaterError(f"the PACS answered a query with status 0x{found.status:04X}")
    return found.answers
