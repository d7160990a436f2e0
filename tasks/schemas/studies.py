"""`studies`, `links`, `headers`: what belongs together, whose it is, and what the objects' final headers say."""

import pyarrow as pa

from tasks.schemas.table import (
    BYTES,
    FINGERPRINT,
    ITEM_KEY,
    MOMENT,
    NUMBER,
    OBJECT_KEY,
    REAL,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    TEXT,
    Table,
    column,
)

STUDIES = Table(
    "studies",
    ("object_key",),
    pa.schema(
        [
            OBJECT_KEY,
            ITEM_KEY,
            FINGERPRINT,
            STUDY_INSTANCE_UID,
            column("series_instance_uid", TEXT, "Series Instance UID (0020,000E)"),
            column("instance_number", NUMBER, "Instance Number (0020,0013)"),
            column("evidence", TEXT, "why it is grouped so, as a JSON object"),
            column("conflict", TEXT, "why a person has to look at the grouping; null: nothing contradicts"),
        ]
    ),
    stage="assemble",
)

LINKS = Table(
    "links",
    ("study_instance_uid",),
    pa.schema(
        [
            STUDY_INSTANCE_UID,
            FINGERPRINT,
            column("patient_id", TEXT, "Patient ID (0010,0020) in the index; null: nobody"),
            column("decision", TEXT, "`auto`, `person`, `review` or `none`"),
            column("probability", REAL, "match probability of the best candidate, 0 to 1"),
            column("runner_up", REAL, "match probability of the second candidate, 0 to 1"),
            column("evidence", TEXT, "candidates with agreement by field, as a JSON object"),
            column("decided_by", TEXT, "`filmroom` or the person"),
            column("decided_at", MOMENT, "when"),
            column("reason", TEXT, "why, in words"),
        ]
    ),
    stage="reconcile",
)

HEADERS = Table(
    "headers",
    ("object_key",),
    pa.schema(
        [
            OBJECT_KEY,
            ITEM_KEY,
            FINGERPRINT,
            STUDY_INSTANCE_UID,
            SOP_INSTANCE_UID,
            column("header", BYTES, "final data set before Pixel Data, Explicit VR Little Endian, without file meta"),
            column("trailer", BYTES, "final data set after Pixel Data, Explicit VR Little Endian"),
            column("header_sha256", TEXT, "SHA-256 of header and trailer, one after the other"),
            column("original", BYTES, "legacy: the data set before Pixel Data as it came (but `objects.pixel_header`)"),
            column(
                "changes",
                TEXT,
                "what was coerced or corrected: JSON list of {keyword, from, to, why, tag, original}, which taken back from "
                "the last to the first give the values of the file, see `tasks.changes`",
            ),
        ]
    ),
    stage="reconcile",
)
