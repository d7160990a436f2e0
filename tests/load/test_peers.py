"""Other archives: DCMTK's, and the embedded one with several associations at a time."""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.load.stage import load_batch
from tasks.network import Peer, echo
from tasks.pacs.server import EmbeddedPacs
from tests.load import rows
from tests.load.rows import Place
from tests.orthanc import free_port

TABLE = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ORTHANC {folder} RW (200, 1024mb) ANY
AETable END
"""


@contextmanager
def running(port: int, *command: str | Path) -> Iterator[None]:
    """A server, once it answers a C-ECHO of ours."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                echo(Peer("127.0.0.1", port, "ORTHANC", "FILMROOM"))
                break
            except (StageBlockedError, RetryLaterError):
                time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def outcomes(place: Place, batch: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(outcome.outcome, outcome.reason) for outcome in load_batch(batch, place.context)]


def test_dcmqrscp(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    port, folder = free_port(), tmp_path / "archive"
    folder.mkdir()
    (tmp_path / "dcmqrscp.cfg").write_text(TABLE.format(port=port, folder=folder))
    with running(port, debian_tool("dcmqrscp"), "-c", tmp_path / "dcmqrscp.cfg", "+xe"):
        place = Place(tmp_path / "w", port)
        batch = [rows.native(place, 1), rows.native(place, 2), rows.native(place, 3, "b"), rows.document(place, 4, "b")]
        first, second = list(load_batch(batch, place.context)), list(load_batch(batch, place.context))
    assert [(one.outcome, one.reason) for one in first] == [("done", "")] * 4
    first_rows, second_rows = ([{**one.rows["receipts"][0], "sent_at": None} for one in run] for run in (first, second))
    assert first_rows == second_rows  # how it ended up there makes no difference
    assert len(list(folder.glob("*/*.dcm")) or list(folder.glob("*"))) >= 4


def test_storescp_cannot_prove_and_gets_nothing(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    port, folder = free_port(), tmp_path / "archive"
    folder.mkdir()
    with running(port, debian_tool("storescp"), "-od", folder, str(port)):
        place = Place(tmp_path / "w", port)
        with pytest.raises(StageBlockedError, match=r"C-FIND|C-GET"):
            outcomes(place, [rows.native(place, 1)])
    assert not list(folder.iterdir())


def test_the_embedded_pacs_at_four_associations(tmp_path: Path) -> None:
    with EmbeddedPacs(tmp_path / "pacs", "ORTHANC", 0) as pacs:
        place = Place(tmp_path / "w", pacs.port)
        makers = (rows.native, rows.jpeg_ls, rows.jpeg, rows.document)
        batch = [makers[number % 4](place, number, f"s{number // 4}") for number in range(1, 41)]
        with ThreadPoolExecutor(4) as pool:
            parts = list(pool.map(lambda part: outcomes(place, part), [batch[first::4] for first in range(4)]))
        assert [outcome for part in parts for outcome in part] == [("done", "")] * 40
        again = [one.outcome for one in load_batch(batch, place.context)]
    assert again == ["done"] * 40
    assert len(list((tmp_path / "pacs").rglob("*.dcm"))) == 40
