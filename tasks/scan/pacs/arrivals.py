"""What of a study is listed by the PACS and what has come of it, by the path of its item."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tasks import network
from tasks.errors import QuarantineError
from tasks.header_scan import BLOCK, scan_head, wanted
from tasks.network.retrieval import Wanted
from tasks.received import KeptObject, file_head, keep, kept, object_path

_SERIES = wanted(["SeriesInstanceUID"])


@dataclass
class Arrivals:
    """See the module's text; `study` is the Study Instance UID."""

    study: str
    source: str
    workspace: Path
    listed: dict[str, Wanted] = field(default_factory=dict)
    here: dict[str, KeptObject] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)

    def note(self, instances: Iterable[Wanted]) -> None:
        """Takes up what the PACS lists."""
        self.listed = {object_path(one.study, one.series, one.instance): one for one in instances}
        self._paths = {wanted.instance: path for path, wanted in self.listed.items()}

    def receive(self, came: network.Received) -> None:
        """Keeps what the PACS sends, under the series in which it is listed or, if it is not, the one it says."""
        path = self._paths.get(came.sop_instance_uid) or object_path(self.study, _series(came), came.sop_instance_uid)
        self.here[path] = keep(self.workspace, self.source, path, came)

    def missing(self, classes: list[str]) -> list[Wanted]:
        """What is listed as of these SOP classes and not here, after a look at what came otherwise (C-MOVE)."""
        self.here |= kept(self.workspace, self.source, [path for path in self.listed if path not in self.here])
        return [wanted for path, wanted in self.listed.items() if path not in self.here and wanted.sop_class in classes]

    def counts(self) -> dict[str, int]:
        """Series and instances that are here."""
        return {"instances": len(self.here), "series": len({path.rpartition("/")[0] for path in self.here})}


def _series(came: network.Received) -> str:
    head = file_head(came)
    try:
        found = scan_head(head + came.data[:BLOCK], _SERIES) or scan_head(head + came.data, _SERIES)
    except QuarantineError:  # wrap will say what is wrong
        return ""
    return found.get("SeriesInstanceUID", "")
