"""The C-STORE sub-operations of C-GET and C-MOVE: a stored object sent byte for byte, or losslessly told in what the peer
takes.

pynetdicom hands a sub-operation's data set to `Association.send_c_store`, which would encode it anew. `send_files` puts a
function in that place, on one association, which lets pynetdicom stream the stored file instead.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import Association, _config, build_context

from tasks.errors import ReviewError
from tasks.pacs.index import Instance
from tasks.pacs.objects import ObjectStore
from tasks.pixel_data import attach_element, decoded_frames, native_element

# A file given to `send_c_store` is streamed as it is, not read and encoded again; nothing else here sends files by path.
_config.STORE_SEND_CHUNKED_DATASET = True

MOST_CONTEXTS = 128  # PS3.8 section 9.3.2.2


def sub_operation(instance: Instance) -> Dataset:
    """What a handler yields for an instance: only its names, the file is sent by `send_files`."""
    named = Dataset()
    named.SOPClassUID = instance.sop_class_uid
    named.SOPInstanceUID = instance.sop_instance_uid
    return named


def contexts_for(instances: Sequence[Instance]) -> list[Any]:
    """What is proposed to a C-MOVE destination: each (SOP class, transfer syntax) there is, then the uncompressed ones."""
    exact = sorted({(instance.sop_class_uid, instance.syntax) for instance in instances})
    classes = sorted({sop_class for sop_class, _ in exact})
    plain = [(sop_class, str(syntax)) for sop_class in classes for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)]
    pairs = [*exact, *(pair for pair in plain if pair not in exact)]
    return [build_context(sop_class, [syntax]) for sop_class, syntax in pairs[:MOST_CONTEXTS]]


def send_files(association: Any, store: ObjectStore) -> None:
    """Makes an association send the stored files for what `sub_operation` yields."""
    association.send_c_store = partial(_send, association, store)


def _send(association: Any, store: ObjectStore, named: Dataset, **options: Any) -> Any:
    """Raises (which pynetdicom counts as a failed sub-operation) where the peer takes no form that keeps the pixels."""
    path = store.path(str(named.SOPInstanceUID))
    syntax = UID(store.encoded(str(named.SOPInstanceUID))[0])
    taken = {
        str(context.transfer_syntax[0])
        for context in association.accepted_contexts
        if context.abstract_syntax == named.SOPClassUID and context.as_scu
    }
    if syntax in taken:
        return Association.send_c_store(association, path, **options)
    dataset = pydicom.dcmread(path)
    if syntax.is_encapsulated:
        _decode(dataset)
    return Association.send_c_store(association, dataset, **options)


def _decode(dataset: Dataset) -> None:
    """Puts decoded pixels in the place of compressed ones; raises `FilmroomError` where that would change their description."""
    if str(dataset.PhotometricInterpretation).startswith("YBR"):
        raise ReviewError("compressed colour is not given out decoded")
    frames = list(decoded_frames(dataset))
    value = b"".join(frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in frames)
    attach_element(dataset, native_element(value, "OW" if int(dataset.BitsAllocated) > 8 else "OB"))
    if "PlanarConfiguration" in dataset:
        dataset.PlanarConfiguration = 0
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def no_delay(association: Any) -> None:
    """Keeps the 40 ms of a delayed acknowledgement out of every message, in both directions.

    TCP_NODELAY is for what we send. Peers that write a PDU's header and then its body without it hold the body back until the
    header is acknowledged (DCMTK does): TCP_QUICKACK, which the kernel forgets, is set before every read.
    """
    link = association.dul.socket
    connection = getattr(link, "socket", None)
    if connection is None:
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    receive = link.recv

    def acknowledged(size: int) -> bytearray:
        with suppress(OSError):  # a connection that has ended meanwhile is the reader's business
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return cast(bytearray, receive(size))

    if hasattr(socket, "TCP_QUICKACK"):
        link.recv = acknowledged
