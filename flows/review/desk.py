"""What waits for a person, the evidence about it, and the history of a key."""

import json
from typing import Any

import duckdb

from tasks.errors import ConfigurationError


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, parameters or [])
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def waiting(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What is in `review`, a study a row, and items that are in no study; in a fixed order."""
    return _rows(
        connection,
        """
        SELECT coalesce(s.study_instance_uid, i.item_key) AS key, count(*) AS items, any_value(t.stage) AS stage,
               min(t.reason) AS reason, min(i.path) AS path
        FROM items i JOIN item_states t USING (item_key) LEFT JOIN studies s USING (item_key)
        WHERE t.state = 'review' GROUP BY 1 ORDER BY stage, path, key""",
    )


def shown(connection: duckdb.DuckDBPyConnection, key: str) -> dict[str, Any]:
    """The evidence about a study or an item: link, candidates, readings, findings."""
    objects = _rows(
        connection,
        """
        SELECT i.path, i.page, i.jacket, i.listing, o.object_key, o.modality, o.state, o.reason, o.label_patient_name,
               o.label_patient_name_origin, o.label_patient_id, o.label_patient_id_origin, o.label_birth_date,
               o.label_birth_date_origin, o.label_sex, o.label_study_date, o.label_text, s.evidence, s.conflict
        FROM items i LEFT JOIN objects o USING (item_key) LEFT JOIN studies s USING (object_key)
        WHERE i.item_key = ? OR o.study_instance_uid = ? ORDER BY i.path, i.page""",
        [key, key],
    )
    if not objects:
        raise ConfigurationError(f"no study or item has the key {key}: see filmroom review list")
    links = _rows(connection, "SELECT * FROM links WHERE study_instance_uid = ?", [key])
    for link in links:
        link["evidence"] = json.loads(link["evidence"] or "{}")
    findings = _rows(
        connection,
        "SELECT suite, expectation, severity, message FROM findings WHERE study_instance_uid = ? AND severity <> 'passed'",
        [key],
    )
    return {"key": key, "link": links[0] if links else None, "objects": objects, "findings": findings}


def history(connection: duckdb.DuckDBPyConnection, key: str) -> list[dict[str, Any]]:
    """The ledger's events about an item, object, study or SOP instance, oldest first."""
    events = _rows(
        connection,
        """
        WITH items_of AS (
            SELECT item_key FROM items WHERE item_key = $1 UNION
            SELECT item_key FROM objects WHERE object_key = $1 OR study_instance_uid = $1 OR sop_instance_uid = $1
        )
        SELECT a.* FROM audit a WHERE a.item_key IN (SELECT item_key FROM items_of) OR a.study_instance_uid = $1
           OR a.sop_instance_uid = $1 ORDER BY a.seq""",
        [key],
    )
    if not events:
        raise ConfigurationError(f"the ledger knows no key {key}")
    return events
