"""The state of every item, from `outcomes` alone, and the balance that `filmroom status` shows.

* The newest outcome of an item, if it is not `done`, is its state;
* else it is `verified` once `load` is done, for what stands in the PACS stands there;
* else it is `waiting`.

An item that became several objects has the state of the object that most needs somebody. Item keys are grouped as 128-bit
numbers and outcomes as hashes of their words, which keeps ten million items within seconds and 2 GB.
"""

from dataclasses import dataclass
from typing import Any

import duckdb

STATES = ("verified", "review", "quarantined", "waiting", "duplicate", "excluded", "withdrawn")

_WORDS = "hash(stage, outcome, reason, source)"
# Where one item has several objects, the state that most needs somebody is shown.
_URGENCY = "['withdrawn', 'quarantined', 'review', 'waiting', 'duplicate', 'excluded', 'verified']"

_NEWEST = f"""
    newest AS MATERIALIZED (
        SELECT item_key::UUID AS item, arg_max({_WORDS}, commit) AS words,
               max(commit) FILTER (WHERE stage = 'load' AND outcome = 'done') IS NOT NULL AS loaded,
               min(hash(key)) FILTER (WHERE key <> item_key) IS DISTINCT FROM
               max(hash(key)) FILTER (WHERE key <> item_key) AS several
        FROM raw_outcomes WHERE item_key IS NOT NULL GROUP BY 1
    ), vocabulary AS MATERIALIZED (
        SELECT {_WORDS} AS words, any_value(stage) AS stage, any_value(outcome) AS outcome, any_value(reason) AS reason,
               any_value(source) AS source
        FROM raw_outcomes GROUP BY 1
    ), rows_of_several AS (
        SELECT item_key::UUID AS item, key <> item_key AS is_object, key, max(commit) AS commit,
               arg_max({_WORDS}, commit) AS words,
               max(commit) FILTER (WHERE stage = 'load' AND outcome = 'done') IS NOT NULL AS loaded
        FROM raw_outcomes WHERE item_key::UUID IN (SELECT item FROM newest WHERE several) GROUP BY item_key, key
    ), parts AS (
        SELECT o.item, o.words, o.loaded FROM rows_of_several o JOIN rows_of_several i ON i.item = o.item AND NOT i.is_object
        WHERE o.is_object AND (o.commit > i.commit OR o.loaded)
        UNION ALL
        SELECT i.item, i.words, false FROM rows_of_several i JOIN vocabulary v USING (words)
        WHERE NOT i.is_object AND v.outcome <> 'done'
    )"""

_STATE = "CASE WHEN v.outcome <> 'done' THEN v.outcome WHEN {loaded} THEN 'verified' ELSE 'waiting' END"
_REASON = """CASE WHEN {state} = 'verified' THEN 'in the PACS, read back, equal'
                  WHEN {state} = 'waiting' AND coalesce(reason, '') = '' THEN 'done: ' || stage ELSE reason END"""

ITEM_STATES = f"""
    WITH {_NEWEST}, stated AS (
        SELECT n.item, {_STATE.format(loaded="n.loaded")} AS state, v.stage, v.reason, v.source
        FROM newest n JOIN vocabulary v USING (words) WHERE NOT n.several
        UNION ALL
        SELECT item, state, stage, reason, source FROM (
            SELECT p.item, {_STATE.format(loaded="p.loaded")} AS state, v.stage, v.reason, v.source
            FROM parts p JOIN vocabulary v USING (words))
        QUALIFY row_number() OVER (PARTITION BY item ORDER BY list_position({_URGENCY}, state), reason) = 1
    )
    SELECT replace(item::VARCHAR, '-', '') AS item_key, state, stage, source, {_REASON.format(state="state")} AS reason FROM
    stated
"""

_COUNTS = f"""
    WITH {_NEWEST}, counted AS (
        SELECT words, loaded, count(*) AS items, bit_xor(hash(item)) AS keys FROM newest WHERE NOT several GROUP BY ALL
    ), stated AS (
        SELECT {_STATE.format(loaded="c.loaded")} AS state, v.stage, v.reason, v.source, c.items, c.keys
        FROM counted c JOIN vocabulary v USING (words)
        UNION ALL
        SELECT state, stage, reason, source, count(*), bit_xor(hash(item)) FROM (
            SELECT p.item, {_STATE.format(loaded="p.loaded")} AS state, v.stage, v.reason, v.source
            FROM parts p JOIN vocabulary v USING (words)
            QUALIFY row_number() OVER (PARTITION BY p.item ORDER BY list_position({_URGENCY}, state), v.reason) = 1)
        GROUP BY ALL
    )
    SELECT state, stage, source, {_REASON.format(state="state")} AS reason, sum(items)::BIGINT AS items, bit_xor(keys) AS keys
    FROM stated GROUP BY ALL ORDER BY ALL
"""


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
    found, found_keys = _one(connection, "SELECT count(*), coalesce(bit_xor(hash(item_key::UUID)), 0) FROM raw_items")
    if (found, found_keys) != (stated, keys):  # rows of a redo lie there beside the older ones: count the keys themselves
        found, found_keys = _one(
            connection,
            "SELECT count(*), coalesce(bit_xor(hash(k)), 0) FROM (SELECT DISTINCT item_key::UUID AS k FROM raw_items)",
        )
    return Balance(found, (found, found_keys) == (stated, keys), tuple(line[:5] for line in lines))


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0], row[1]
