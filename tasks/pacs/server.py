"""The embedded PACS as a DICOM server: verification, storage, query/retrieve and storage commitment.

An object is durable before it is acknowledged, and what is acknowledged is indexed. The package's docstring says what is
promised.
"""

import fcntl
import logging
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset
from pydicom.uid import AllTransferSyntaxes, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt, register_uid
from pynetdicom.service_class import ServiceClass, StorageServiceClass
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
    uid_to_service_class,
)

from tasks.errors import StageBlockedError
from tasks.pacs import commitment, retrieval
from tasks.pacs.index import COLUMNS, Index, Instance
from tasks.pacs.objects import ObjectStore, content_digest, is_safe_uid, read_header, silence_remarks
from tasks.pacs.query import IdentifierError, find, instances
from tasks.pacs.rejection import FINAL_TITLES

_STUDY_ROOT = frozenset(
    {
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
        StudyRootQueryRetrieveInformationModelMove,
    }
)
_PATIENT_ROOT = frozenset(
    {
        PatientRootQueryRetrieveInformationModelFind,
        PatientRootQueryRetrieveInformationModelGet,
        PatientRootQueryRetrieveInformationModelMove,
    }
)

# PS3.7 Annex C, PS3.4 B.2.3 and C.4
SUCCESS, PENDING, PENDING_PARTIAL, CANCEL = 0x0000, 0xFF00, 0xFF01, 0xFE00
DUPLICATE, INVALID_INSTANCE, NOT_AUTHORIZED = 0x0111, 0x0117, 0x0124
OUT_OF_RESOURCES, DOES_NOT_MATCH, CANNOT_UNDERSTAND = 0xA700, 0xA900, 0xC000
NO_SUCH_INSTANCE, NO_SUCH_ACTION = 0x0112, 0x0123

MOST_ASSOCIATIONS = 64
_TIMEOUT_SECONDS = 120
# Of several syntaxes in one context the first of ours is taken: the plain ones, in which every object can be told.
_SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
_SYNTAXES += [syntax for syntax in AllTransferSyntaxes if syntax not in _SYNTAXES]


class EmbeddedPacs:
    """A PACS over a folder; a context manager that listens while it is open.

    `port` 0 takes any that is free, and `port` is then that one. `destinations` are the applications that C-MOVE may send to
    and that commitment reports go to: AE title to (host, port).
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str,
        port: int,
        destinations: Mapping[str, tuple[str, int]] | None = None,
        host: str = "127.0.0.1",
    ):
        self.folder, self.ae_title, self.port, self.host = folder, ae_title, port, host
        self.destinations = dict(destinations or {})
        self._receiving = [threading.Lock() for _ in range(64)]
        self._entity: Any = None

    def start(self) -> None:
        """Opens the folder and listens; raises `StageBlockedError` where another has the folder or the port."""
        silence_remarks()
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its messages quote identifiers
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.folder)
        self.store = ObjectStore(self.folder)
        self.index = Index(self.folder, self.store)
        self._reports = ThreadPoolExecutor(4, "commitment")
        self._entity = self._listening()

    def stop(self) -> None:
        """Ends all associations, closes the index and frees the folder; does nothing where it is not started."""
        if self._entity is not None:
            self._entity.shutdown()
            self._entity = None
            self._reports.shutdown(cancel_futures=True)
            self.index.close()
            self._lock.close()

    def delete(self, uids: Sequence[str]) -> None:
        """Deletes instances for good; those that are not there are passed over. DICOM has no service for it."""
        for uid in uids:
            with self._receiving[zlib.crc32(uid.encode()) % len(self._receiving)]:
                self.store.remove(uid)  # first, as the index is made again from the files
                self.index.remove(uid)

    def __enter__(self) -> "EmbeddedPacs":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _listening(self) -> Any:
        entity = AE(self.ae_title)
        entity.maximum_pdu_size = 0  # no limit: an object may come in one PDU
        entity.maximum_associations = MOST_ASSOCIATIONS
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_SECONDS
        entity.connection_timeout = 10
        for service in (Verification, StorageCommitmentPushModel, *sorted(_STUDY_ROOT | _PATIENT_ROOT)):
            entity.add_supported_context(service)
        for sop_class in storage_classes():
            entity.add_supported_context(sop_class, _SYNTAXES, scu_role=True, scp_role=True)  # C-GET turns the roles
        handlers = [
            (evt.EVT_CONN_OPEN, lambda event: retrieval.no_delay(event.assoc)),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_N_ACTION, self._commit),
        ]
        try:
            server = entity.start_server((self.host, self.port), block=False, evt_handlers=handlers)
        except OSError as error:
            self.index.close()
            self._lock.close()
            raise StageBlockedError(f"port {self.port} is taken: choose another in [target] port (0 takes any)") from error
        self.port = server.server_address[1]
        return entity

    def _store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if not is_safe_uid(uid):
            return INVALID_INSTANCE
        digest = content_digest(str(event.context.transfer_syntax), event.request.DataSet.getvalue())
        with self._receiving[zlib.crc32(uid.encode()) % len(self._receiving)]:
            try:
                if self.index.titles(uid) & FINAL_TITLES:
                    return NOT_AUTHORIZED
                known = self.index.find(uid)
                return self._take(event, uid, digest) if known is None else self._again(known, digest)
            except (OSError, sqlite3.Error):
                return OUT_OF_RESOURCES

    def _again(self, known: Instance, digest: str) -> int:
        """Answers what is here already: the same content again, or another under its name."""
        if digest != (known.digest or self.store.digest(known.sop_instance_uid)):
            return DUPLICATE
        self.index.restore(known.sop_instance_uid)
        return SUCCESS

    def _take(self, event: Any, uid: str, digest: str) -> int:
        incoming = self.store.receive(uid, event.encoded_dataset())
        try:
            header = read_header(incoming, COLUMNS)
            named = (str(header.get("SOPInstanceUID", "")), str(header.get("SOPClassUID", "")))
            whole = header.get("StudyInstanceUID") and header.get("SeriesInstanceUID")
        except Exception:  # pydicom raises whatever it likes on a data set it cannot read
            incoming.unlink()
            return CANNOT_UNDERSTAND
        if named != (uid, str(event.request.AffectedSOPClassUID)) or not whole:
            incoming.unlink()
            return DOES_NOT_MATCH
        self.store.keep(uid, incoming)
        try:
            self.index.add(header, str(event.context.transfer_syntax), digest)
        except sqlite3.Error:
            self.store.path(uid).unlink()
            raise
        return SUCCESS

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        try:
            for answer in find(self.index, event.identifier, event.context.abstract_syntax in _STUDY_ROOT):
                if event.is_cancelled:
                    yield CANCEL, None
                    return
                answer.identifier.RetrieveAETitle = self.ae_title
                yield (PENDING_PARTIAL if answer.partial else PENDING), answer.identifier
        except IdentifierError:
            yield DOES_NOT_MATCH, None

    def _get(self, event: Any) -> Iterator[Any]:
        retrieval.send_files(event.assoc, self.store)
        yield from self._sub_operations(event, None)

    def _move(self, event: Any) -> Iterator[Any]:
        destination = self.destinations.get(str(event.move_destination).strip())
        if destination is None:
            yield None, None  # pynetdicom answers 0xA801, Move Destination unknown
            return
        yield from self._sub_operations(event, destination)

    def _sub_operations(self, event: Any, destination: tuple[str, int] | None) -> Iterator[Any]:
        """What pynetdicom wants of a retrieve: the destination (C-MOVE), the number of sub-operations, then each of them."""
        try:
            named = instances(self.index, event.identifier, event.context.abstract_syntax in _STUDY_ROOT)
        except IdentifierError:
            if destination is not None:
                yield (*destination, {"contexts": [build_context(Verification)]})  # pynetdicom asks for one before it refuses
            yield 1
            yield DOES_NOT_MATCH, None
            return
        if destination is not None:
            contexts = retrieval.contexts_for(named)
            yield (*destination, {"contexts": contexts, "evt_handlers": [(evt.EVT_CONN_OPEN, self._moving)]})
        yield len(named)
        for instance in named:
            if event.is_cancelled:
                yield CANCEL, None
                return
            yield PENDING, retrieval.sub_operation(instance)

    def _moving(self, event: Any) -> None:
        retrieval.no_delay(event.assoc)
        retrieval.send_files(event.assoc, self.store)

    def _commit(self, event: Any) -> tuple[int, None]:
        if event.request.RequestedSOPInstanceUID != StorageCommitmentPushModelInstance:
            return NO_SUCH_INSTANCE, None
        if event.action_type != 1:
            return NO_SUCH_ACTION, None
        self._reports.submit(self._report, event.assoc, commitment.answer_sent(event.assoc), event.action_information)
        return SUCCESS, None

    def _report(self, association: Any, wait: Any, request: Dataset) -> None:
        kind, information = commitment.judge(request, self.index, self.store)
        commitment.report(association, wait, kind, information, self.ae_title, self.destinations)


def storage_classes() -> list[str]:
    """SOP classes of what belongs to a patient, the retired ones with them, as legacy archives are full of those."""
    chosen = {context.abstract_syntax for context in AllStoragePresentationContexts}
    for uid, (name, kind, _, _, keyword) in UID_dictionary.items():
        if kind != "SOP Class" or "Storage" not in name or "Storage Commitment" in name or "Media Storage" in name:
            continue
        if uid_to_service_class(uid) is ServiceClass and keyword:
            register_uid(uid, keyword, StorageServiceClass)
        chosen.add(uid)
    return sorted(str(uid) for uid in chosen if uid_to_service_class(uid) is StorageServiceClass)


def _locked(folder: Path) -> IO[str]:
    """Holds the folder until the file is closed or the process ends, however it ends."""
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StageBlockedError("another process has this PACS open: end it (a run, or `filmroom pacs serve`) first") from error
    return lock
