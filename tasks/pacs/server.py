"""The embedded PACS as a DICOM server: C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE and storage commitment, on 127.0.0.1.

An object is stored byte for byte as it was sent, durable before it is acknowledged. The same content again is accepted and changes
nothing; other content under a known SOP Instance UID is refused with 0x0111 (PS3.7 C.5.6, duplicate SOP Instance).
"""

import hashlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import AllTransferSyntaxes, KeyObjectSelectionDocumentStorage
from pynetdicom import AE, AllStoragePresentationContexts, build_context, build_role, evt
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tasks.errors import StageBlockedError
from tasks.pacs.index import FINAL_TITLES, Index
from tasks.pacs.query import find, instances

_QUERY_RETRIEVE = (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
SUCCESS, PENDING, CANCEL = 0x0000, 0xFF00, 0xFE00
DUPLICATE, CANNOT_UNDERSTAND, OUT_OF_RESOURCES = 0x0111, 0xC000, 0xA700
UNKNOWN_DESTINATION, WRONG_IDENTIFIER = 0xA801, 0xA900


class EmbeddedPacs:
    """A PACS over a folder; a context manager that listens while it is open. `port` 0 takes any that is free."""

    def __init__(self, folder: Path, ae_title: str, port: int, destinations: Mapping[str, tuple[str, int]] | None = None):
        self.folder, self.ae_title, self.port = folder, ae_title, port
        self.destinations = dict(destinations or {})
        self._storing = threading.Lock()
        self._server: Any = None

    def start(self) -> None:
        """Opens the index and listens; raises `StageBlockedError` where the port is taken."""
        (self.folder / "objects").mkdir(parents=True, exist_ok=True)
        self.index = Index(self.folder)
        self.index.check_against_files()

        handlers = [
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_CONN_OPEN, _no_delay),
        ]
        try:
            self._server = self._entity().start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise StageBlockedError(f"port {self.port} is taken: choose another in [target] port (0 takes any)") from error
        self.port = self._server.server_address[1]

    def stop(self) -> None:
        """Ends all associations and closes the index."""
        self._server.shutdown()
        self.index.close()

    def __enter__(self) -> "EmbeddedPacs":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _entity(self) -> Any:
        entity = AE(self.ae_title)
        entity.maximum_pdu_size = 0
        entity.maximum_associations = 64
        entity.add_supported_context(Verification)
        entity.add_supported_context(StorageCommitmentPushModel)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, list(AllTransferSyntaxes), scu_role=True, scp_role=True)
        for model in _QUERY_RETRIEVE:
            entity.add_supported_context(model)
        return entity

    def _store(self, event: Any) -> int:
        request = event.request
        data = request.DataSet.getvalue()
        uid, syntax = str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax)
        digest = hashlib.sha256(syntax.encode() + data).hexdigest()
        with self._storing:
            if self.index.rejection_of(uid) in FINAL_TITLES:
                return DUPLICATE
            known = self.index.find(uid)
            if known is not None:
                same = (known["sha256"] or self._digest(known["path"])) == digest
                return SUCCESS if same else DUPLICATE
            path = f"objects/{hashlib.sha256(uid.encode()).hexdigest()[:2]}/{uid}.dcm"
            try:
                self._put(self.folder / path, event.file_meta, data)
                dataset = pydicom.dcmread(self.folder / path, stop_before_pixels=True, force=True)
                self.index.add(dataset, path, digest, syntax)
                if dataset.get("SOPClassUID") == KeyObjectSelectionDocumentStorage:
                    self.index.obey_note(dataset)
            except OSError:
                return OUT_OF_RESOURCES
            except Exception:  # whatever pydicom raises on a data set it cannot read
                (self.folder / path).unlink(missing_ok=True)
                return CANNOT_UNDERSTAND
        return SUCCESS

    def _digest(self, path: str) -> str:
        """Digest of a stored object whose row was rebuilt after a crash."""
        with (self.folder / path).open("rb") as file:
            meta = pydicom.filereader.read_file_meta_info(self.folder / path)
            pydicom.filereader.read_preamble(file, False)
            pydicom.filereader._read_file_meta_info(file)
            return hashlib.sha256(str(meta.TransferSyntaxUID).encode() + file.read()).hexdigest()

    def _put(self, path: Path, meta: Any, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(b"\x00" * 128 + b"DICM")
            write_file_meta_info(file, meta)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        try:
            for answer in find(self.index, event.identifier):
                if event.is_cancelled:
                    yield CANCEL, None
                    return
                answer.RetrieveAETitle = self.ae_title
                yield PENDING, answer
        except ValueError:
            yield WRONG_IDENTIFIER, None

    def _get(self, event: Any) -> Iterator[Any]:
        paths = instances(self.index, event.identifier)
        yield len(paths)
        yield from self._send(event, paths)

    def _move(self, event: Any) -> Iterator[Any]:
        destination = self.destinations.get(str(event.move_destination).strip())
        if destination is None:
            yield None, None
            return
        paths = instances(self.index, event.identifier)
        contexts = {(row["SOPClassUID"], row["syntax"]) for row in self._rows(paths)}
        requested: dict[str, set[str]] = {}
        for sop_class, syntax in contexts:
            requested.setdefault(sop_class, set()).add(syntax)
        built = [build_context(sop_class, sorted(syntaxes)) for sop_class, syntaxes in sorted(requested.items())]
        yield (*destination, {"contexts": built} if built else {})
        yield len(paths)
        yield from self._send(event, paths)

    def _rows(self, paths: list[str]) -> list[Any]:
        wanted = set(paths)
        return [row for row in self.index.select("SELECT path, SOPClassUID, syntax FROM instances") if row["path"] in wanted]

    def _send(self, event: Any, paths: list[str]) -> Iterator[tuple[int, Dataset | None]]:
        for path in paths:
            if event.is_cancelled:
                yield CANCEL, None
                return
            yield PENDING, pydicom.dcmread(self.folder / path)

    def _commit(self, event: Any) -> tuple[int, None]:
        """Storage commitment (PS3.4 J): answered by N-EVENT-REPORT, on this association or a new one."""
        request = event.action_information
        threading.Timer(0.2, self._report, (event.assoc, request)).start()
        return SUCCESS, None

    def _report(self, association: Any, request: Dataset) -> None:
        committed, failed = [], []
        for reference in request.get("ReferencedSOPSequence") or []:
            row = self.index.find(str(reference.ReferencedSOPInstanceUID))
            if row is not None and (self.folder / row["path"]).exists():
                committed.append(reference)
            else:
                reference.FailureReason = 0x0112  # no such object instance
                failed.append(reference)
        report = Dataset()
        report.TransactionUID = request.TransactionUID
        report.ReferencedSOPSequence = committed
        if failed:
            report.FailedSOPSequence = failed
        kind = 2 if failed else 1
        if association.is_established:
            association.send_n_event_report(report, kind, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
            return
        destination = self.destinations.get(str(association.requestor.ae_title).strip())
        if destination:
            entity = AE(self.ae_title)
            entity.add_requested_context(StorageCommitmentPushModel)
            role = build_role(StorageCommitmentPushModel, scp_role=True)
            back = entity.associate(*destination, ae_title=association.requestor.ae_title, ext_neg=[role])
            if back.is_established:
                back.send_n_event_report(report, kind, StorageCommitmentPushModel, "1.2.840.10008.1.20.1.1")
                back.release()


def _no_delay(event: Any) -> None:
    connection = getattr(event.assoc.dul.socket, "socket", None)
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
