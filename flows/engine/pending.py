"""What is still to do: a stage's input view less the rows whose outcome has the same key and fingerprint.

A fingerprint is 64 hexadecimal digits: half of the SHA-256 over the JSON of the row's input columns (of all rows of its group),
then half of the SHA-256 over the stage's version and settings. So it can be told whether an input or a setting changed, and
what is verified in the PACS is not done again for a changed setting alone.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa

from flows.stages import Stage
from tasks.configuration import Configuration
from tasks.workspace.layout import Workspace
from tasks.workspace.snapshot import Snapshot
from tasks.workspace.views import define_raw, define_views

FINGERPRINT_COLUMN = "input_fingerprint"
_QUEUED = pa.schema([("key", pa.string()), ("fingerprint", pa.string())])


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
        if listing:
            connection.execute(f"CREATE TEMP VIEW listing AS SELECT * FROM read_parquet('{listing}')")
        for stage in stages:
            connection.execute(f"CREATE TEMP TABLE queued_{stage.name} (key VARCHAR, fingerprint VARCHAR)")

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
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM given_items")
        self.connection.unregister("given_items")
        while self.connection.execute("SELECT 1 FROM frontier LIMIT 1").fetchone():
            self.connection.execute(_TIED)
            self.connection.execute("INSERT INTO touched_items FROM frontier")
        define_views(self.connection, self.workspace, snapshot, touched="touched_items")

    def find(self, stage: Stage) -> Segment | None:
        """The rows of a stage that are pending and not queued yet, as a spill file; `None` where there are none."""
        self.segments += 1
        path = self.workspace.spill / f"{stage.name}-{self.segments:06d}.parquet"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE pending AS {self._sql(stage)}")
        columns = [row[0] for row in self.connection.execute("DESCRIBE pending").fetchall()]
        size = "sum(coalesce(bytes, 0))" if "bytes" in columns else "0"
        row = self.connection.execute(f"SELECT count(*), coalesce({size}, 0)::BIGINT FROM pending").fetchone()
        assert row is not None
        if not row[0]:
            return None
        natural = [c for c in ("source_order", "study_instance_uid", "path", "page", "instance_number") if c in columns]
        by = ", ".join([*([stage.group] if stage.group else []), *natural, stage.key])
        self.connection.execute(f"COPY (SELECT * FROM pending ORDER BY {by}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
        self.connection.execute(f"INSERT INTO queued_{stage.name} SELECT {stage.key}, {FINGERPRINT_COLUMN} FROM pending")
        return Segment(path, row[0], row[1])

    def forget(self, stage: str, rows: Collection[tuple[str, str]]) -> None:
        """Takes rows, by (key, fingerprint), off the list of what is queued, once they are committed."""
        given = pa.table({"key": [row[0] for row in rows], "fingerprint": [row[1] for row in rows]}, schema=_QUEUED)
        self.connection.register("given_rows", given)
        self.connection.execute(
            f"DELETE FROM queued_{stage} q USING given_rows g WHERE (q.key, q.fingerprint) = (g.key, g.fingerprint)"
        )
        self.connection.unregister("given_rows")

    def _sql(self, stage: Stage) -> str:
        settings = settings_hash(stage, self.configuration)
        names = [row[0] for row in self.connection.execute(f"DESCRIBE {stage.view}").fetchall()]
        hashed = ", ".join(f'"{name}" := "{name}"' for name in names if name not in stage.unhashed)
        row_hash = f"sha256(to_json(struct_pack({hashed}))::VARCHAR)"
        group = stage.group or stage.key
        pending = f"""
            (o.key IS NULL OR o.outcome = 'waiting' OR (o.fingerprint <> h.{FINGERPRINT_COLUMN}
             AND NOT (coalesce(s.state, '') = 'verified' AND o.fingerprint[1:32] = h.{FINGERPRINT_COLUMN}[1:32])))"""
        only = "WHERE item_key IN (SELECT item_key FROM touched_items)" if self.restricted else ""
        return f"""
            WITH input AS (SELECT * FROM ({stage.view}) {only}), hashed AS (SELECT *, {row_hash} AS row_hash FROM input),
            groups AS (
                SELECT {group} AS g, sha256(string_agg(row_hash, '' ORDER BY row_hash))[1:32] AS inputs FROM hashed GROUP BY 1
            ), printed AS (
                SELECT hashed.* EXCLUDE (row_hash), g.inputs || '{settings}' AS {FINGERPRINT_COLUMN}
                FROM hashed JOIN groups g ON g.g = hashed.{group}
            ),
            judged AS (
                SELECT h.*, {pending} AND q.key IS NULL AS is_pending FROM printed h
                LEFT JOIN outcomes o ON o.stage = '{stage.name}' AND o.key = h.{stage.key}
                LEFT JOIN item_states s ON s.item_key = h.item_key
                LEFT JOIN queued_{stage.name} q ON q.key = h.{stage.key} AND q.fingerprint = h.{FINGERPRINT_COLUMN}
            )
            SELECT * EXCLUDE (is_pending, whole) FROM (SELECT *, bool_or(is_pending) OVER (PARTITION BY {group}) AS whole
            FROM judged) WHERE whole"""


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
