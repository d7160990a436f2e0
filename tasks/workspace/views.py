"""Reading tables through DuckDB: each table is a view of its name, the latest row per key that counts, over one snapshot.

A row of a stage's table counts while its fingerprint is that of the latest outcome of its stage. `raw_TABLE` has every row ever
committed; `item_states` says where every item stands (see `tasks.workspace.states`); `wrapped` has the objects as `wrap` left
them, before their studies were assembled.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from tasks.errors import WorkspaceError
from tasks.schemas import TABLES
from tasks.workspace.clerical import CLERICAL_CHECKS
from tasks.workspace.digitizers import digitizers_sql
from tasks.workspace.folding import Fold, is_worth_folding, newest_fold, quoted, write_fold
from tasks.workspace.layout import Workspace
from tasks.workspace.manifest import DataFile
from tasks.workspace.snapshot import Snapshot
from tasks.workspace.states import FOLD, ITEM_STATES, NOTHING_FOLDED

_SQL_TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "binary": "BLOB",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
}
# Memory that DuckDB may take, in MiB: what spills to disk in little is given no more; the few operators that cannot, the next.
MEMORY = (40, 64, 128, 512, 2048, 8192)


def connect(workspace: Workspace, *, spill: Path | None = None, memory: str = "1.5GB") -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in UTC that spills into `spill`, by default the workspace's."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "temp_directory": str(spill or workspace.spill),
    }
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def define_views(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, snapshot: Snapshot, *, touched: str | None = None
) -> None:
    """Defines the views of a snapshot on a connection.

    `touched` names a relation with a column `item_key`: the views then hold only what belongs to these items, so that what a
    commit makes pending is found without reading the whole.
    """
    define_raw(connection, workspace, snapshot, tuple(TABLES), touched)
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW outcomes AS
        SELECT * FROM raw_outcomes QUALIFY row_number() OVER (PARTITION BY stage, key ORDER BY commit DESC) = 1""")
    _define_states(connection, workspace, snapshot, None if touched else newest_fold(workspace, snapshot))
    for name in ("studies", "links", "headers", "findings", "receipts"):
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {_latest(name)}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW items AS {_items()}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW wrapped AS {_wrapped()}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW objects AS {_objects()}")
    connection.execute("CREATE OR REPLACE TEMP VIEW decisions AS SELECT * FROM raw_decisions")
    connection.execute("CREATE OR REPLACE TEMP VIEW audit AS SELECT * FROM raw_audit")
    connection.execute("""
        CREATE OR REPLACE TEMP VIEW latest_decisions AS
        SELECT * FROM raw_decisions WHERE decision NOT IN ('withdraw', 'release', 'right')
        QUALIFY row_number() OVER (PARTITION BY study_instance_uid ORDER BY commit DESC, decided_at DESC) = 1""")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW released_groups AS {RELEASED_GROUPS}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW unsettled_studies AS {UNSETTLED_STUDIES}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW withdrawals AS {WITHDRAWALS}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW withdrawn_objects AS {WITHDRAWN_OBJECTS}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW clerical_checks AS {CLERICAL_CHECKS}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW digitizers AS {digitizers_sql()}")


def fold(workspace: Workspace, snapshot: Snapshot) -> None:
    """Writes a fold of the snapshot's outcomes, where that is worth it."""
    if not is_worth_folding(workspace, snapshot):
        return
    with connect(workspace) as connection:
        define_raw(connection, workspace, snapshot, ("items", "outcomes"))
        _define_states(connection, workspace, snapshot, newest_fold(workspace, snapshot))
        write_fold(connection, workspace, snapshot, FOLD)


def _define_states(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, snapshot: Snapshot, folded: Fold | None
) -> None:
    for name, nothing in NOTHING_FOLDED.items():
        sql = f"SELECT * FROM read_parquet('{quoted(folded.folder / name)}.parquet')" if folded else nothing
        connection.execute(f"CREATE OR REPLACE TEMP VIEW folded_{name} AS {sql}")
    for name in ("items", "outcomes"):
        fresh = _raw(workspace.root, name, snapshot, folded.commit) if folded else f"SELECT * FROM raw_{name}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW fresh_{name} AS {fresh}")
    connection.execute(f"CREATE OR REPLACE TEMP VIEW item_states AS {ITEM_STATES}")


def define_raw(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    snapshot: Snapshot,
    names: Sequence[str],
    touched: str | None = None,
) -> None:
    """Defines only the `raw_` views of some tables; see `define_views`."""
    for name in names:
        sql = _raw(workspace.root, name, snapshot)
        if touched and "item_key" in TABLES[name].schema.names and name != "audit":
            # Little, and read many times: read from the files once.
            only = f"WHERE item_key IN (SELECT item_key FROM {touched})"
            connection.execute(f"CREATE OR REPLACE TEMP TABLE touched_{name} AS SELECT * FROM ({sql}) {only}")
            sql = f"SELECT * FROM touched_{name}"
        try:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW raw_{name} AS {sql}")
        except duckdb.BinderException as error:
            raise WorkspaceError(
                f"{workspace.root}: table {name} lacks a column, for another version of Filmroom made it: use that version"
            ) from error


# All files of the group were scanned, and each of its items that goes to wrap has come out of it since. A film or object
# without content is one that a manifest or DICOMDIR lists and nobody delivered: no file of the group.
RELEASED_GROUPS = """
    WITH files AS (
        SELECT i.group_key, count(DISTINCT split_part(i.path, '!', 1)) FILTER (WHERE s.outcome <> 'waiting') AS seen,
               max(i.group_files) AS listed
        FROM items i JOIN outcomes s ON s.stage = 'scan' AND s.key = i.item_key
        WHERE i.group_key IS NOT NULL AND NOT (i.kind IN ('film', 'dicom') AND i.sha256 IS NULL) GROUP BY ALL
    ), unwrapped AS (
        SELECT i.group_key FROM items i JOIN outcomes s ON s.stage = 'scan' AND s.key = i.item_key AND s.outcome = 'done'
        LEFT JOIN outcomes w ON w.stage = 'wrap' AND w.key = i.item_key AND w.commit > s.commit
        WHERE i.kind IN ('film', 'dicom') AND coalesce(w.outcome, 'waiting') = 'waiting'
    )
    SELECT group_key FROM files WHERE seen >= listed AND group_key NOT IN (SELECT group_key FROM unwrapped)
"""

# A study with a member that was scanned or wrapped since it was assembled.
UNSETTLED_STUDIES = """
    SELECT s.study_instance_uid FROM studies s JOIN wrapped b USING (object_key)
    JOIN outcomes c ON c.stage = 'scan' AND c.key = b.item_key
    WHERE c.commit > b.commit OR b.commit > s.commit
"""

# Every time an object was taken back out of the PACS: how, and the commit by which a person has released its study since.
WITHDRAWALS = """
    SELECT w.object_key, w.item_key, w.withdrawn, w.commit, min(d.commit) FILTER (d.commit > w.commit) AS released
    FROM raw_receipts w LEFT JOIN raw_studies s USING (object_key)
    LEFT JOIN raw_decisions d ON d.study_instance_uid = s.study_instance_uid AND d.decision = 'release'
    WHERE w.withdrawn IS NOT NULL GROUP BY ALL
"""

# A row an object: released so often; of that after a rejection note, and made anew since; whether nothing of it may be sent.
# What a release changes shows only in an object that was made anew, so that nothing older is queued beside it.
WITHDRAWN_OBJECTS = """
    SELECT w.object_key, any_value(w.item_key) AS item_key, count(w.released) AS releases,
           count(*) FILTER (w.withdrawn <> 'delete' AND w.released < b.commit) AS rejections,
           bool_or(coalesce(w.released > b.commit, true)) AS is_withheld
    FROM withdrawals w LEFT JOIN wrapped b USING (object_key) GROUP BY w.object_key
"""


def _latest(name: str) -> str:
    table = TABLES[name]
    keys = ", ".join(table.key)
    return f"""
        SELECT r.* FROM raw_{name} r
        WHERE r.fingerprint IN (SELECT fingerprint FROM outcomes WHERE stage = '{table.stage}')
        QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY commit DESC) = 1"""


def _items() -> str:
    return f"""
        SELECT * EXCLUDE (first_of_content),
               CASE WHEN first_of_content <> item_key AND sha256 IS NOT NULL AND kind IN ('film', 'dicom')
                    THEN first_of_content END AS duplicate_of
        FROM (
            SELECT r.*, s.state, s.reason,
                   first_value(r.item_key) OVER (
                       PARTITION BY r.sha256, r.kind, CASE WHEN r.kind = 'film' THEN r.group_key END, r.page
                       ORDER BY (s.state IN ('verified', 'withdrawn')) DESC, r.source_order, r.path) AS first_of_content
            FROM ({_latest("items")}) r JOIN item_states s USING (item_key))"""


def _wrapped() -> str:
    return f"""
        SELECT o.* FROM ({_latest("objects")}) o
        JOIN outcomes s ON s.stage = 'scan' AND s.key = o.item_key AND s.outcome = 'done'"""


def _objects() -> str:
    return """
        SELECT o.* EXCLUDE (study_instance_uid, series_instance_uid),
               coalesce(s.study_instance_uid, o.study_instance_uid) AS study_instance_uid,
               coalesce(s.series_instance_uid, o.series_instance_uid) AS series_instance_uid, t.state, t.reason
        FROM wrapped o LEFT JOIN studies s USING (object_key) JOIN item_states t ON t.item_key = o.item_key"""


def _raw(root: Path, name: str, snapshot: Snapshot, after: int = 0) -> str:
    files = [file for file in snapshot.of_table(name) if file.commit is None or file.commit > after]
    columns = [field.name for field in TABLES[name].schema]
    selected = ", ".join(f'"{column}"' for column in columns)
    extra = ", seq" if name == "audit" else ""
    parts = []
    if plain := [file for file in files if file.commit is not None]:
        parts.append(
            f"SELECT {selected}, {_by_file([f.commit for f in plain])} AS commit{_seq(name, plain)} FROM {_scan(root, plain)}"
        )
    if merged := [file for file in files if file.commit is None]:
        parts.append(f"SELECT {selected}, commit{extra} FROM {_scan(root, merged)} WHERE commit > {after}")
    if not parts:
        empty = ", ".join(f'NULL::{_SQL_TYPES[str(field.type)]} AS "{field.name}"' for field in TABLES[name].schema)
        return f"SELECT {empty}, 0::BIGINT AS commit{', 0::BIGINT AS seq' if extra else ''} WHERE false"
    return " UNION ALL ".join(parts)


def _by_file(values: Sequence[int | None]) -> str:
    return f"[{', '.join(str(value) for value in values)}][(file_index + 1)::BIGINT]::BIGINT"


def _seq(name: str, plain: Sequence[DataFile]) -> str:
    return f", ({_by_file([f.first_seq for f in plain])} + file_row_number)::BIGINT AS seq" if name == "audit" else ""


def _scan(root: Path, files: Sequence[DataFile]) -> str:
    paths = ", ".join(f"'{quoted(root / file.path)}'" for file in files)
    return f"read_parquet([{paths}])"
