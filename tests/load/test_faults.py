"""Targets that misbehave: each a pynetdicom archive in memory with one thing wrong, or a bare socket that is none."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from tasks.errors import RetryLaterError, StageBlockedError
from tasks.load.send import judge_status
from tasks.load.stage import load_batch
from tasks.network import echo, negotiation, upper_layer
from tasks.network.negotiation import Peer
from tests.load import rows
from tests.load.rows import Place

Spoil = Callable[[Dataset], None]


class Archive:
    """Keeps data sets in memory and gives them back; each fault is an argument."""

    def __init__(
        self,
        status: int = 0x0000,
        spoil: Spoil | None = None,
        get: bool = True,
        find: bool = True,
        keeps: bool = True,
        lose_after: int = 10**9,
    ) -> None:
        self.held: dict[str, Dataset] = {}
        self.status, self.spoil, self.keeps, self.lose_after = status, spoil, keeps, lose_after
        entity = AE("ORTHANC")
        for context in AllStoragePresentationContexts:
            syntaxes = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.80"]
            entity.add_supported_context(context.abstract_syntax, syntaxes, scu_role=True, scp_role=True)
        entity.add_supported_context(Verification)
        if find:
            entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        if get:
            entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get)]
        self.server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = int(self.server.server_address[1])

    def _store(self, event: Any) -> int:
        if len(self.held) >= self.lose_after:
            event.assoc.abort()
            return 0xC000
        if self.status in (0x0000, 0xB000) and self.keeps:
            dataset = event.dataset
            dataset.file_meta = event.file_meta
            self.held[str(dataset.SOPInstanceUID)] = dataset
        return self.status

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for uid in event.identifier.get("SOPInstanceUID") or []:
            if str(uid) in self.held:
                yield 0xFF00, _answer(self.held[str(uid)])

    def _get(self, event: Any) -> Iterator[Any]:
        asked = event.identifier.SOPInstanceUID
        uids = [asked] if isinstance(asked, str) else list(asked)
        found = [self.held[str(uid)] for uid in uids if str(uid) in self.held]
        yield len(found)
        for dataset in found:
            if self.spoil:
                self.spoil(dataset)
            yield 0xFF00, dataset

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()


def _answer(held: Dataset) -> Dataset:
    answer = Dataset()
    answer.SOPInstanceUID, answer.StudyInstanceUID = held.SOPInstanceUID, held.StudyInstanceUID
    answer.SeriesInstanceUID = held.SeriesInstanceUID
    return answer


def load(tmp_path: Path, archive: Archive, numbers: tuple[int, ...] = (1, 2)) -> list[tuple[str, str]]:
    place = Place(tmp_path / "w", archive.port)
    outcomes = load_batch([rows.native(place, number) for number in numbers], place.context)
    return [(outcome.outcome, outcome.reason) for outcome in outcomes]


def test_a_sound_one_is_taken(tmp_path: Path) -> None:
    with Archive() as archive:
        assert load(tmp_path, archive) == [("done", ""), ("done", "")]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0xA900, "review"), (0xC123, "review"), (0x0122, "review"), (0x0111, "review"), (0x0110, "waiting"), (0xB000, "done")],
)
def test_a_status_becomes_what_it_demands(tmp_path: Path, status: int, outcome: str) -> None:
    with Archive(status=status) as archive:
        outcomes = load(tmp_path, archive)
    assert [kind for kind, _ in outcomes] == [outcome] * 2
    if outcome != "done":
        assert f"0x{status:04X}" in outcomes[0][1]


def test_every_status_is_judged() -> None:
    # PS3.4 table B.2-1 and PS3.7 annex C: warnings and success are stored, all else raises.
    passed = set()
    for status in range(0x10000):
        try:
            judge_status(status)
        except Exception:
            continue
        passed.add(status)
    assert passed == {0x0000, 0x0001, 0x0107, 0x0116, *range(0xB000, 0xC000)}


def test_a_full_one_stops_the_stage(tmp_path: Path) -> None:
    with Archive(status=0xA700) as archive, pytest.raises(StageBlockedError, match="out of resources"):
        load(tmp_path, archive)


def test_a_changed_header_is_on_record(tmp_path: Path) -> None:
    def spoil(dataset: Dataset) -> None:
        dataset.StudyID = "COERCED"
        dataset.PatientName = str(dataset.PatientName).upper()

    with Archive(spoil=spoil) as archive:
        place = Place(tmp_path / "w", archive.port)
        [outcome] = load_batch([rows.native(place, 1)], place.context)
    assert outcome.outcome == "done"
    coerced = outcome.rows["receipts"][0]["coerced"]
    assert '{"from": "", "keyword": "StudyID", "to": "COERCED"}' in coerced
    assert "PatientName" in coerced


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID"])
def test_a_changed_identity_is_for_a_person(tmp_path: Path, keyword: str) -> None:
    def spoil(dataset: Dataset) -> None:
        setattr(dataset, keyword, {"StudyInstanceUID": "1.2.3", "PatientBirthDate": "19010101"}.get(keyword, "SECRET"))

    with Archive(spoil=spoil) as archive:
        [(outcome, reason)] = load(tmp_path, archive, (1,))
    assert outcome == "review"
    assert keyword in reason
    assert "SECRET" not in reason


def test_one_changed_bit_is_for_a_person(tmp_path: Path) -> None:
    def spoil(dataset: Dataset) -> None:
        pixels = bytearray(dataset.PixelData)
        pixels[1000] ^= 1
        dataset.PixelData = bytes(pixels)

    with Archive(spoil=spoil) as archive:
        assert load(tmp_path, archive, (1,)) == [("review", "what came back is not what was sent: its pixels are others")]


def test_lost_pixels_and_a_changed_description_are_for_a_person(tmp_path: Path) -> None:
    def lose(dataset: Dataset) -> None:
        dataset.pop("PixelData", None)

    def redescribe(dataset: Dataset) -> None:
        dataset.PhotometricInterpretation = "MONOCHROME1"

    for spoil in (lose, redescribe):
        with Archive(spoil=spoil) as archive:
            assert load(tmp_path / spoil.__name__, archive, (1,))[0][0] == "review"


def test_what_was_taken_and_is_not_there_waits(tmp_path: Path) -> None:
    with Archive(keeps=False) as archive:
        assert {kind for kind, _ in load(tmp_path, archive)} == {"waiting"}


def test_a_lost_association_keeps_what_was_proved(tmp_path: Path) -> None:
    with Archive(lose_after=2) as archive:
        outcomes = load(tmp_path, archive, (1, 2, 3, 4))
        assert [kind for kind, _ in outcomes] == ["done", "done", "waiting", "waiting"]
        archive.lose_after = 10**9
        assert [kind for kind, _ in load(tmp_path, archive, (1, 2, 3, 4))] == ["done"] * 4


def test_without_c_get_or_c_find_nothing_is_sent(tmp_path: Path) -> None:
    for services, missing in (({"get": False}, "C-GET"), ({"find": False}, "C-FIND")):
        with Archive(**services) as archive:
            with pytest.raises(StageBlockedError, match=missing):
                load(tmp_path, archive)
            assert not archive.held


@pytest.fixture
def bare() -> Iterator[Callable[[bytes], Peer]]:
    """A listener that answers any connection with the given bytes, and then is silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def answer_with(answer: bytes) -> Peer:
        def serve() -> None:
            connection, _ = listener.accept()
            kept.append(connection)
            connection.recv(65536)
            connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return Peer("127.0.0.1", int(listener.getsockname()[1]), "X", "FILMROOM")

    yield answer_with
    for connection in kept:
        connection.close()
    listener.close()


def test_what_is_no_archive(bare: Callable[[bytes], Peer]) -> None:
    with pytest.raises(StageBlockedError, match="does not speak DICOM"):
        echo(bare(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def test_silence_ends(bare: Callable[[bytes], Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiation, "ANSWER_SECONDS", 0.2)
    with pytest.raises(RetryLaterError, match="in time"):
        echo(bare(b""))


def test_a_steady_trickle_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(upper_layer, "_QUICKACK", socket.SO_KEEPALIVE)
    monkeypatch.setattr(upper_layer.socket, "IPPROTO_TCP", socket.SOL_SOCKET)
    theirs.sendall(b"\x04")
    with ours, theirs, pytest.raises(TimeoutError):
        upper_layer.read_pdu(ours, 0.0)


@pytest.mark.parametrize(
    ("refusal", "error", "text"),
    [
        ((1, 1, 3), StageBlockedError, "does not know our AE title"),
        ((1, 1, 7), StageBlockedError, "is not called so"),
        ((2, 3, 2), RetryLaterError, "busy"),  # transient, local limit exceeded (PS3.8 table 9-21)
    ],
)
def test_refusals(bare: Callable[[bytes], Peer], refusal: tuple[int, int, int], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        echo(bare(struct.pack(">BBLBBBB", 3, 0, 4, 0, *refusal)))


@pytest.mark.parametrize("body", [b"", b"\x00" * 10, b"\x00\x01" + b"\xff" * 200])
def test_an_acceptance_that_cannot_be_read(bare: Callable[[bytes], Peer], body: bytes) -> None:
    with pytest.raises((RetryLaterError, StageBlockedError)):
        echo(bare(struct.pack(">BBL", 2, 0, len(body)) + body))


def test_an_abort(bare: Callable[[bytes], Peer]) -> None:
    with pytest.raises(RetryLaterError, match="aborted"):
        echo(bare(struct.pack(">BBLBBBB", 7, 0, 4, 0, 0, 2, 1)))


def test_implicit_only_targets_are_sent_proved_renditions(tmp_path: Path) -> None:
    from tasks.load.rendition import rendition_for

    place = Place(tmp_path, 1)
    row = rows.jpeg_ls(place, 1)
    element = (place.context.staging / row["path"]).read_bytes()
    rendition = rendition_for(row, element, {(rows.GRAY_WORD, "1.2.840.10008.1.2"): 7})
    assert (rendition.context_id, UID(rendition.syntax).is_implicit_VR) == (7, True)
    sent = read_dataset(BytesIO(rendition.data), is_implicit_VR=True, is_little_endian=True)
    assert sent.PixelData == rows.picture(1).tobytes()
