"""What is still to do: a stage's input view less the rows whose outcome has the same key and fingerprint.

A fingerprint is 64 hexadecimal digits: half of the SHA-256 over the JSON of the row's input columns (of all rows of its group),
then half of the SHA-256 over the stage's version and settings. So it can be told whether an input or a setting changed, and
what is verified in the PACS is not done again for a changed setting alone.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from flows.stages import Stage
from tasks.configuration import Configuration
from tasks.workspace.layout import Workspace
from tasks.workspace.snapshot import Snapshot
from tasks.workspace.views import MEMORY, define_raw, define_views

FINGERPRINT_COLUMN = "input_fingerprint"
# What is queued is remembered as 128 bits a row: for ten million rows that is 160 MB, on disk where memory is short.
_QUEUED = "md5_number({key} || {fingerprint})"
# What waits is pending whatever its fingerprint is; an MD5 of 0 does not come about.
_DONE = "CASE WHEN outcome = 'waiting' THEN 0::UHUGEINT ELSE md5_number({fingerprint}) END"


@dataclass(frozen=True)
class Segment:
    """Pending rows of a stage in a spill file, in the order in which they are to be worked on."""

    path: Path
    rows: int
    bytes: int


def settings_hash(stage: Stage, configuration: Configuration) -> str:
    """The second half of the stage's fingerprints."""
    facts = orjson.dumps([stage.version, stage.settings(configuration)], option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(facts).hexdigest()[:32]


class Pending:
    """Finds the pending rows of stages on one snapshot after another; remembers what is queued already."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        workspace: Workspace,
        configuration: Configuration,
        stages: Iterable[Stage],
        listing: Path | None,
    ):
        self.connection = connection
        self.workspace = workspace
        self.configuration = configuration
        self.segments = 0
        self.restricted = False
        self._memory = 0
        connection.execute(f"SET memory_limit = '{MEMORY[0]}MiB'")
        if listing:
            connection.execute(f"CREATE TEMP VIEW listing AS SELECT * FROM read_parquet('{listing}')")
        for stage in stages:
            connection.execute(f"CREATE TEMP TABLE queued_{stage.name} (queued UHUGEINT)")

    def look_at(self, snapshot: Snapshot, touched: Iterable[str] | None = None) -> None:
        """Defines the views of a snapshot: whole, or only what belongs together with the touched items."""
        self.restricted = touched is not None
        if touched is None:
            define_views(self.connection, self.workspace, snapshot)
            return
        define_raw(self.connection, self.workspace, snapshot, ("items", "objects", "studies"))
        given = pa.table({"item_key": pa.array(list(touched), pa.string())})
        self.connection.register("given_items", given)
        for name in ("touched_items", "frontier"):
            self.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM given_items")
        self.connection.unregister("given_items")
        while self.connection.execute("SELECT 1 FROM frontier LIMIT 1").fetchall():
            self.execute(_TIED)
            self.execute("INSERT INTO touched_items FROM frontier")
        define_views(self.connection, self.workspace, snapshot, touched="touched_items")

    def find(self, stage: Stage) -> Segment | None:
        """The rows of a stage that are pending and not queued yet, as a spill file; `None` where there are none."""
        self.segments += 1
        path = self.workspace.spill / f"{stage.name}-{self.segments:06d}.parquet"
        unsorted = path.with_suffix(".unsorted")
        self.execute(f"COPY ({self._sql(stage)}) TO '{unsorted}' (FORMAT parquet, ROW_GROUP_SIZE 20480)")
        pending = f"read_parquet('{unsorted}')"
        columns = [row[0] for row in self.connection.execute(f"DESCRIBE SELECT * FROM {pending}").fetchall()]
        total = "sum(coalesce(bytes, 0))" if "bytes" in columns else "0"
        rows, size = self.connection.execute(f"SELECT count(*), coalesce({total}, 0)::BIGINT FROM {pending}").fetchall()[0]
        if not rows:
            unsorted.unlink()
            return None
        natural = [c for c in ("source_order", "study_instance_uid", "path", "page", "instance_number") if c in columns]
        by = ", ".join([*([stage.group] if stage.group else []), *natural, stage.key])
        self.execute(f"COPY (SELECT * FROM {pending} ORDER BY {by}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
        queued = _QUEUED.format(key=stage.key, fingerprint=FINGERPRINT_COLUMN)
        self.execute(f"INSERT INTO queued_{stage.name} SELECT {queued} FROM {pending}")
        unsorted.unlink()
        return Segment(path, rows, size)

    def forget(self, stage: str, rows: Collection[tuple[str, str]]) -> None:
        """Takes rows, by (key, fingerprint), off the list of what is queued, once they are committed."""
        given = pa.table(
            {"key": pa.array([r[0] for r in rows], pa.string()), "print": pa.array([r[1] for r in rows], pa.string())}
        )
        self.connection.register("given_rows", given)
        queued = _QUEUED.format(key="key", fingerprint="print")
        self.execute(f"DELETE FROM queued_{stage} WHERE queued IN (SELECT {queued} FROM given_rows)")
        self.connection.unregister("given_rows")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement that may need more memory than there is yet, and can be done again."""
        while True:
            try:
                return self.connection.execute(sql).fetchall()
            except duckdb.OutOfMemoryException:
                self._memory += 1
                if self._memory == len(MEMORY):
                    raise
                self.connection.execute(f"SET memory_limit = '{MEMORY[self._memory]}MiB'")

    def _sql(self, stage: Stage) -> str:
        settings = settings_hash(stage, self.configuration)
        names = [row[0] for row in self.connection.execute(f"DESCRIBE {stage.view}").fetchall()]
        hashed = ", ".join(f'"{name}" := "{name}"' for name in names if name not in stage.unhashed)
        row_hash = f"sha256(to_json(struct_pack({hashed}))::VARCHAR)"
        only = "WHERE item_key IN (SELECT item_key FROM touched_items)" if self.restricted else ""
        queued = _QUEUED.format(key=f"h.{stage.key}", fingerprint=f"h.{FINGERPRINT_COLUMN}")
        stands, states, inputs = "false", "", ""
        if self._settings_changed(stage, settings):
            stands = f"o.inputs = md5_number(h.{FINGERPRINT_COLUMN}[1:32]) AND coalesce(s.state, '') = 'verified'"
            states = "LEFT JOIN item_states s ON s.item_key = h.item_key"
            inputs = f", arg_max({_DONE.format(fingerprint='fingerprint[1:32]')}, commit) AS inputs"
        # Keys and fingerprints are compared as 128 bits, and what waits has none: a row a key is all the memory this needs.
        judged = f"""
            SELECT h.*, q.queued IS NULL AND (o.key IS NULL
                   OR (o.print <> md5_number(h.{FINGERPRINT_COLUMN}) AND NOT ({stands}))) AS is_pending
            FROM printed h LEFT JOIN (
                SELECT md5_number(key) AS key, arg_max({_DONE.format(fingerprint="fingerprint")}, commit) AS print{inputs}
                FROM raw_outcomes WHERE stage = '{stage.name}' GROUP BY 1
            ) o ON o.key = md5_number(h.{stage.key}) {states} LEFT JOIN queued_{stage.name} q ON q.queued = {queued}"""
        if not stage.group:
            return f"""
                WITH printed AS (
                    SELECT *, sha256({row_hash})[1:32] || '{settings}' AS {FINGERPRINT_COLUMN} FROM ({stage.view}) {only}
                ) SELECT * EXCLUDE (is_pending) FROM ({judged}) WHERE is_pending"""
        return f"""
            WITH hashed AS (SELECT *, {row_hash} AS row_hash FROM ({stage.view}) {only}),
            groups AS (
                SELECT {stage.group} AS g, sha256(string_agg(row_hash, '' ORDER BY row_hash))[1:32] AS inputs
                FROM hashed GROUP BY 1
            ), printed AS (
                SELECT hashed.* EXCLUDE (row_hash), g.inputs || '{settings}' AS {FINGERPRINT_COLUMN}
                FROM hashed JOIN groups g ON g.g = hashed.{stage.group}
            ), judged AS ({judged})
            SELECT * EXCLUDE (is_pending, whole)
            FROM (SELECT *, bool_or(is_pending) OVER (PARTITION BY {stage.group}) AS whole FROM judged) WHERE whole"""

    def _settings_changed(self, stage: Stage, settings: str) -> bool:
        """Whether the stage ever worked with other settings: only then it matters what stands in the PACS already."""
        changed = f"SELECT 1 FROM raw_outcomes WHERE stage = '{stage.name}' AND fingerprint[33:] <> '{settings}' LIMIT 1"
        return bool(self.execute(changed))


# What may change the input of a row: the same picture, the same jacket or medium, the same legacy study, the same study; and
# what that may change in turn.
_TIED = """
    CREATE OR REPLACE TEMP TABLE frontier AS
    SELECT item_key FROM raw_items WHERE kind IN ('film', 'dicom') AND sha256 IN (
        SELECT sha256 FROM raw_items WHERE kind IN ('film', 'dicom') AND item_key IN (FROM frontier))
    UNION SELECT item_key FROM raw_items
    WHERE group_key IN (SELECT group_key FROM raw_items WHERE item_key IN (FROM frontier))
    UNION SELECT item_key FROM raw_objects
    WHERE assembly_key IN (SELECT assembly_key FROM raw_objects WHERE item_key IN (FROM frontier))
    UNION SELECT item_key FROM raw_studies
    WHERE study_instance_uid IN (SELECT study_instance_uid FROM raw_studies WHERE item_key IN (FROM frontier))
    EXCEPT SELECT item_key FROM touched_items
"""
