"""`decisions`, `outcomes`, `findings`, `receipts`, `audit`: decided, done, found, received, and the ledger of it."""

import pyarrow as pa

from tasks.schemas.table import (
    FINGERPRINT,
    FLAG,
    ITEM_KEY,
    MOMENT,
    OBJECT_KEY,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    TEXT,
    Table,
    column,
)

DECISIONS = Table(
    "decisions",
    ("study_instance_uid", "decided_at"),
    pa.schema(
        [
            STUDY_INSTANCE_UID,
            column("decided_at", MOMENT, "when"),
            column("decision", TEXT, "`link`, `new patient`, `nobody`, `undo`, `withdraw` or `release`"),
            column("value", TEXT, "the Patient ID for `link` and `new patient`; how, for `withdraw`"),
            column("decided_by", TEXT, "the person"),
            column("reason", TEXT, "why, in the person's words"),
            column("answers", TEXT, "fingerprint of the link the person saw"),
        ]
    ),
    stage=None,
)

OUTCOMES = Table(
    "outcomes",
    ("stage", "key"),
    pa.schema(
        [
            column("stage", TEXT, "the stage"),
            column("key", TEXT, "key of the stage's input row, or of the item found in it"),
            ITEM_KEY,
            FINGERPRINT,
            column("input_key", TEXT, "key of the input row, where it is not `key`"),
            column("source", TEXT, "name of the item's source"),
            column("outcome", TEXT, "`done`, `waiting`, `review`, `quarantined`, `duplicate`, `excluded` or `withdrawn`"),
            column("reason", TEXT, "why, for a person, without PHI"),
            column("not_before", MOMENT, "a waiting row is not tried again before"),
        ]
    ),
    stage=None,
)

FINDINGS = Table(
    "findings",
    ("study_instance_uid", "object_key", "suite", "expectation"),
    pa.schema(
        [
            STUDY_INSTANCE_UID,
            OBJECT_KEY,
            FINGERPRINT,
            column("suite", TEXT, "the expectation suite"),
            column("expectation", TEXT, "the rule's name; empty on the suite's `passed` row"),
            column("severity", TEXT, "`blocking`, `warning`, or `passed` for a study and suite without a finding"),
            SOP_INSTANCE_UID,
            column("column", TEXT, "the attribute the rule looks at, by its DICOM keyword"),
            column("message", TEXT, "what is wrong, for a person"),
            column("waived_by", TEXT, "who let it pass"),
        ]
    ),
    stage="validate",
)

RECEIPTS = Table(
    "receipts",
    ("target", "sop_instance_uid"),
    pa.schema(
        [
            column("target", TEXT, "the target, as `AE@host:port` or `embedded`"),
            SOP_INSTANCE_UID,
            OBJECT_KEY,
            ITEM_KEY,
            FINGERPRINT,
            column("wave", TEXT, "the wave it was sent in"),
            column("sent_at", MOMENT, "when"),
            column("sent_syntax", TEXT, "transfer syntax in which it goes to this target; null: it was there in another"),
            column("sent_header_sha256", TEXT, "`headers.header_sha256` of what was sent"),
            column("commitment", TEXT, "answer to a storage commitment request, where one was made"),
            column("read_back_sha256", TEXT, "pixel hash of what came back; null without pixels"),
            column("coerced", TEXT, "what the target changed in the header: JSON list of {keyword, from, to}"),
            column("verified", FLAG, "read back and equal; false: withdrawn"),
            column(
                "withdrawn", TEXT, "how it was taken back: `delete`, or the title's code of a rejection note; null: it was not"
            ),
        ]
    ),
    stage="load",
)

AUDIT = Table(
    "audit",
    ("seq",),
    pa.schema(
        [
            column("at", MOMENT, "when, by the real clock"),
            column("actor", TEXT, "who: `filmroom` or a person"),
            column("action", TEXT, "the stage or act, such as `wrap` or `decide`"),
            ITEM_KEY,
            STUDY_INSTANCE_UID,
            SOP_INSTANCE_UID,
            column("table", TEXT, "table of the row this event stands for"),
            column("row_sha256", TEXT, "canonical hash of that row, see `tasks.canonical`"),
            column("detail", TEXT, "what else is to be known, without PHI"),
        ]
    ),
    stage=None,
)
