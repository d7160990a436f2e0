"""`items`: one row for everything found (a file, a page, an archive member) or listed and not delivered."""

import pyarrow as pa

from tasks.schemas.table import FINGERPRINT, ITEM_KEY, NUMBER, TEXT, Table, column

ITEMS = Table(
    "items",
    ("item_key",),
    pa.schema(
        [
            ITEM_KEY,
            FINGERPRINT,
            column("source", TEXT, "name of the source in the configuration"),
            column("source_order", NUMBER, "place of the source in the configuration, from 0"),
            column("path", TEXT, "path of the file below the source, with `!member` inside an archive, at any depth"),
            column("page", NUMBER, "page of the file, from 1"),
            column("pages", NUMBER, "pages the file has"),
            column("jacket", TEXT, "film jacket, where the source is film"),
            column("box", TEXT, "box the jacket came in, where the manifest says so"),
            column("listed_by", TEXT, "manifest that names the item's jacket, or path of the DICOMDIR that lists the item"),
            column("listing", TEXT, "what the manifest says of the jacket, as a JSON object of our column names"),
            column(
                "listing_conflict",
                TEXT,
                "what the DICOMDIR above an object says otherwise: `not listed`, `SOP Class UID`, `SOP Instance UID` or both",
            ),
            column("group_key", TEXT, "what is judged as a whole: a jacket, or a medium (top folder or container file)"),
            column("group_files", NUMBER, "files listed in that group, so that its completeness can be told"),
            column("bytes", NUMBER, "size of the file or member in bytes; 0 where it was not received"),
            column("sha256", TEXT, "SHA-256 of the file's or member's bytes; null where it was not received"),
            column("media_type", TEXT, "what the content is, recognised from the content"),
            column("kind", TEXT, "`film`, `dicom`, `document` or `other`"),
        ]
    ),
    stage="scan",
)
