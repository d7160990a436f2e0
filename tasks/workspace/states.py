"""The state of every item, from `outcomes` alone, and the balance that `filmroom status` shows.

* The newest outcome of an item, if it is not `done`, is its state;
* else it is `verified` once `load` is done, for what stands in the PACS stands there, until it is withdrawn;
* else it is `waiting`.

An item that became several objects has the state of the object that most needs somebody. Item keys are grouped as 128-bit
numbers and outcomes as hashes of their words; outcomes up to some commit come folded (`tasks.workspace.folding`). So the
balance of ten million items takes seconds and 2 GB.
"""

from dataclasses import dataclass
from typing import Any

import duckdb

STATES = ("verified", "review", "quarantined", "waiting", "duplicate", "excluded", "withdrawn")

_WORDS = "hash(stage, outcome, reason, source)"
# Where one item has several objects, the state that most needs somebody is shown.
_URGENCY = "['withdrawn', 'quarantined', 'review', 'waiting', 'duplicate', 'excluded', 'verified']"

# `folded_*` are the outcomes up to some commit (`tasks.workspace.folding`), or empty; `fresh_outcomes` are all later ones.
# A row of `newest` is an item: the newest outcome under its own key, the newest under its object's, whether it was loaded.
_NEWEST = f"""
    fresh AS MATERIALIZED (
        SELECT item_key::UUID AS item, CASE WHEN key <> item_key THEN hash(key) END AS object, max(commit) AS commit,
               arg_max({_WORDS}, commit) AS words,
               arg_max(outcome = 'done', commit) FILTER (stage = 'load' AND outcome IN ('done', 'withdrawn')) AS loaded
        FROM fresh_outcomes WHERE item_key IS NOT NULL GROUP BY 1, 2
    ), touched AS MATERIALIZED (
        SELECT item, coalesce(n.object, f.object) AS object,
               coalesce(n.item_commit, f.item_commit) AS item_commit, coalesce(n.item_words, f.item_words) AS item_words,
               coalesce(n.commit, f.commit) AS commit, coalesce(n.words, f.words) AS words,
               coalesce(n.loaded, f.loaded, false) AS loaded,
               coalesce(n.item_loaded, f.item_loaded, false) AS item_loaded,
               n.several OR coalesce(f.several OR n.object <> f.object, false) AS several,
               f AS before
        FROM (
            SELECT item, any_value(object) AS object, count(object) > 1 AS several,
                   any_value(commit) FILTER (WHERE object IS NULL) AS item_commit,
                   any_value(words) FILTER (WHERE object IS NULL) AS item_words,
                   any_value(commit) FILTER (WHERE object IS NOT NULL) AS commit,
                   any_value(words) FILTER (WHERE object IS NOT NULL) AS words,
                   any_value(loaded) FILTER (WHERE object IS NOT NULL) AS loaded,
                   any_value(loaded) FILTER (WHERE object IS NULL) AS item_loaded
            FROM fresh GROUP BY 1
        ) n LEFT JOIN folded_items f USING (item)
    ), newest AS NOT MATERIALIZED (
        SELECT * EXCLUDE (before) FROM touched
        UNION ALL FROM folded_items WHERE item NOT IN (SELECT item FROM touched)
    ), vocabulary AS MATERIALIZED (
        SELECT words, any_value(stage) AS stage, any_value(outcome) AS outcome, any_value(reason) AS reason,
               any_value(source) AS source
        FROM (SELECT {_WORDS} AS words, stage, outcome, reason, source FROM fresh_outcomes UNION ALL FROM folded_words)
        GROUP BY 1
    ), rows_of_several AS NOT MATERIALIZED (
        SELECT item, object, max(commit) AS commit, arg_max(words, commit) AS words,
               coalesce(arg_max(loaded, commit), false) AS loaded FROM (
            SELECT item, object, commit, words, loaded FROM fresh WHERE item IN (SELECT item FROM touched WHERE several)
            UNION ALL FROM folded_parts
            UNION ALL SELECT item, before.object, before.commit, before.words, before.loaded FROM touched
            WHERE several AND NOT before.several AND before.object IS NOT NULL
            UNION ALL SELECT item, NULL, before.item_commit, before.item_words, before.item_loaded FROM touched
            WHERE several AND NOT before.several AND before.item_commit IS NOT NULL
        ) GROUP BY item, object
    ), objects_that_count AS (
        SELECT o.item, o.words, o.loaded FROM rows_of_several o JOIN rows_of_several i ON i.item = o.item AND i.object IS NULL
        WHERE o.object IS NOT NULL AND (o.commit > i.commit OR o.loaded)
    ), parts AS (
        FROM objects_that_count UNION ALL
        SELECT i.item, i.words, false FROM rows_of_several i JOIN vocabulary v USING (words)
        WHERE i.object IS NULL AND (v.outcome <> 'done' OR i.item NOT IN (SELECT item FROM objects_that_count))
    )"""

_FOUND = """
    SELECT count(*)::BIGINT AS items, coalesce(bit_xor(hash(k)), 0) AS keys
    FROM (SELECT DISTINCT item_key::UUID AS k FROM raw_items)"""

FOLD = {
    "found": _FOUND,
    "items": f"WITH {_NEWEST} FROM newest",
    "parts": f"WITH {_NEWEST} FROM rows_of_several",
    "words": f"WITH {_NEWEST} FROM vocabulary",
}
NOTHING_FOLDED = {
    "found": "SELECT 0::BIGINT AS items, 0::UBIGINT AS keys WHERE false",
    "items": """SELECT NULL::UUID AS item, NULL::UBIGINT AS object, NULL::BIGINT AS item_commit, NULL::UBIGINT AS item_words,
                NULL::BIGINT AS commit, NULL::UBIGINT AS words, false AS loaded, false AS item_loaded, false AS several
                WHERE false""",
    "parts": """SELECT NULL::UUID AS item, NULL::UBIGINT AS object, NULL::BIGINT AS commit, NULL::UBIGINT AS words,
                false AS loaded WHERE false""",
    "words": """SELECT NULL::UBIGINT AS words, NULL::VARCHAR AS stage, NULL::VARCHAR AS outcome, NULL::VARCHAR AS reason,
                NULL::VARCHAR AS source WHERE false""",
}

_SIMPLE = """
    SELECT item, CASE WHEN commit > coalesce(item_commit, -1) THEN words ELSE item_words END AS words,
           loaded OR item_loaded AS loaded
    FROM newest WHERE NOT several"""
_STATE = "CASE WHEN v.outcome <> 'done' THEN v.outcome WHEN {loaded} THEN 'verified' ELSE 'waiting' END"
_REASON = """CASE WHEN {state} = 'verified' THEN 'in the PACS, read back, equal'
                  WHEN {state} = 'waiting' AND coalesce(reason, '') = '' THEN 'done: ' || stage ELSE reason END"""

ITEM_STATES = f"""
    WITH {_NEWEST}, stated AS (
        SELECT n.item, {_STATE.format(loaded="n.loaded")} AS state, v.stage, v.reason, v.source
        FROM ({_SIMPLE}) n JOIN vocabulary v USING (words)
        UNION ALL
        SELECT item, state, stage, reason, source FROM (
            SELECT p.item, {_STATE.format(loaded="p.loaded")} AS state, v.stage, v.reason, v.source
            FROM parts p JOIN vocabulary v USING (words))
        QUALIFY row_number() OVER (PARTITION BY item ORDER BY list_position({_URGENCY}, state), reason, stage, source) = 1
    )
    SELECT replace(item::VARCHAR, '-', '') AS item_key, state, stage, source, {_REASON.format(state="state")} AS reason FROM
    stated
"""

_COUNTS = f"""
    WITH {_NEWEST}, counted AS (
        SELECT words, loaded, count(*) AS items, bit_xor(hash(item)) AS keys FROM ({_SIMPLE}) GROUP BY ALL
    ), stated AS (
        SELECT {_STATE.format(loaded="c.loaded")} AS state, v.stage, v.reason, v.source, c.items, c.keys
        FROM counted c JOIN vocabulary v USING (words)
        UNION ALL
        SELECT state, stage, reason, source, count(*), bit_xor(hash(item)) FROM (
            SELECT p.item, {_STATE.format(loaded="p.loaded")} AS state, v.stage, v.reason, v.source
            FROM parts p JOIN vocabulary v USING (words)
            QUALIFY row_number() OVER (
                PARTITION BY p.item ORDER BY list_position({_URGENCY}, state), v.reason, v.stage, v.source) = 1)
        GROUP BY ALL
    )
    SELECT state, stage, source, {_REASON.format(state="state")} AS reason, sum(items)::BIGINT AS items, bit_xor(keys) AS keys
    FROM stated GROUP BY ALL ORDER BY ALL
"""


_FOUND_ONCE = """
    SELECT sum(items)::BIGINT, coalesce(bit_xor(keys), 0) FROM (
        FROM folded_found UNION ALL SELECT count(*)::BIGINT, bit_xor(hash(item_key::UUID)) FROM fresh_items)"""


@dataclass(frozen=True)
class Balance:
    """What was found and where it stands; `lines` are (state, stage, source, reason, items)."""

    found: int
    balanced: bool
    lines: tuple[tuple[str, str, str, str, int], ...]

    def count_by(self, column: int) -> dict[str, int]:
        """Items by one column of `lines`."""
        counts: dict[str, int] = {}
        for line in self.lines:
            counts[str(line[column])] = counts.get(str(line[column]), 0) + line[4]
        return counts

    @property
    def states(self) -> dict[str, int]:
        """Items by state, every state named."""
        counts = self.count_by(0)
        return {state: counts.get(state, 0) for state in STATES}

    def as_json(self) -> dict[str, Any]:
        """The form of `status --json`."""
        stages: dict[str, dict[str, int]] = {}
        sources: dict[str, dict[str, int]] = {}
        reasons: dict[str, dict[str, int]] = {}
        for state, stage, source, reason, items in self.lines:
            for tally, name in ((stages, stage), (sources, source), (reasons, reason)):
                counts = tally.setdefault(name, {})
                counts[state] = counts.get(state, 0) + items
        return {
            "found": self.found,
            "states": self.states,
            "balanced": self.balanced,
            "stages": stages,
            "sources": sources,
            "reasons": reasons,
        }


def balance(connection: duckdb.DuckDBPyConnection) -> Balance:
    """The balance on a connection with views: every item found is in exactly one state, by count and by key."""
    lines = connection.execute(_COUNTS).fetchall()
    stated = sum(line[4] for line in lines)
    keys = 0
    for line in lines:
        keys ^= line[5]
    found, found_keys = _one(connection, _FOUND_ONCE)
    if (found, found_keys) != (stated, keys):  # rows of a redo lie there beside the older ones: count the keys themselves
        found, found_keys = _one(connection, _FOUND)
    return Balance(found, (found, found_keys) == (stated, keys), tuple(line[:5] for line in lines))


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0], row[1]
