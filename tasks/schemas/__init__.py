"""The data contract: one pyarrow schema a table, each column documented where it is declared."""

from tasks.schemas.items import ITEMS
from tasks.schemas.objects import LABEL_FIELDS, OBJECTS
from tasks.schemas.record import AUDIT, DECISIONS, FINDINGS, OUTCOMES, RECEIPTS
from tasks.schemas.studies import HEADERS, LINKS, STUDIES
from tasks.schemas.table import Table

TABLES: dict[str, Table] = {
    table.name: table for table in (ITEMS, OBJECTS, STUDIES, LINKS, HEADERS, DECISIONS, OUTCOMES, FINDINGS, RECEIPTS, AUDIT)
}

__all__ = [
    "AUDIT",
    "DECISIONS",
    "FINDINGS",
    "HEADERS",
    "ITEMS",
    "LABEL_FIELDS",
    "LINKS",
    "OBJECTS",
    "OUTCOMES",
    "RECEIPTS",
    "STUDIES",
    "TABLES",
    "Table",
]
