"""What a table is: its name, key, the stage that alone writes it, and a documented Arrow schema."""

from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.string()
NUMBER = pa.int64()
REAL = pa.float64()
FLAG = pa.bool_()
BYTES = pa.binary()
MOMENT = pa.timestamp("us", tz="UTC")


def column(name: str, kind: pa.DataType, doc: str) -> "pa.Field[pa.DataType]":
    """A column with its documentation, which travels in the Parquet file."""
    return pa.field(name, kind, metadata={"doc": doc})


FINGERPRINT = column("fingerprint", TEXT, "of the input this row was made from; the row counts only while it is the latest")
ITEM_KEY = column("item_key", TEXT, "the item this came from")
OBJECT_KEY = column("object_key", TEXT, "the DICOM object, from item and part")
STUDY_INSTANCE_UID = column("study_instance_uid", TEXT, "Study Instance UID (0020,000D), as settled by assemble")
SOP_INSTANCE_UID = column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018)")


@dataclass(frozen=True)
class Table:
    """One table of the workspace.

    `stage` is the stage that writes it (`None`: the engine or the review desk); `key` makes a row unique in the view.
    """

    name: str
    key: tuple[str, ...]
    schema: pa.Schema
    stage: str | None
