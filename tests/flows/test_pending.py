"""What a commit makes pending is found by what it touched: the same rows as a look at the whole finds."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.engine.pending import FINGERPRINT_COLUMN, Pending, Segment
from flows.stages import Stage
from tasks.workspace.commit import commit
from tasks.workspace.snapshot import Snapshot
from tasks.workspace.writer import put_rows
from tests.flows.fakes import Engine, labels, put_film, stages


class Compared(Pending):
    """Compares every look at what was touched with one at the whole."""

    compared = 0

    def look_at(self, snapshot: Snapshot, touched: Iterable[str] | None = None) -> None:
        self.looked: Any = (snapshot, set(touched) if touched is not None else None)
        super().look_at(snapshot, touched)

    def find(self, stage: Stage) -> Segment | None:
        if self.restricted:
            snapshot, touched = self.looked
            found = self._rows(stage)
            super().look_at(snapshot)
            assert found == self._rows(stage), stage.name
            super().look_at(snapshot, touched)
            type(self).compared += bool(found)
        return super().find(stage)

    def _rows(self, stage: Stage) -> list[tuple[str, str]]:
        return sorted(self.execute(f"SELECT {stage.key}, {FINGERPRINT_COLUMN} FROM ({self._sql(stage)})"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_was_touched_finds_what_the_whole_finds(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.engine.loop.GATHER_SECONDS", 0.0)
    monkeypatch.setattr("flows.engine.loop.ATTEMPTS", 1)
    dice = random.Random(seed)
    small = {name: {"rows": 4} for name in ("scan", "wrap", "assemble", "reconcile", "validate", "load")}
    engine = Engine(tmp_path, stages(**small), Compared)
    number = 0
    for _ in range(2):
        for _ in range(9):
            jacket = dice.randrange(5)
            facts: dict[str, Any] = labels(jacket) if dice.random() < 0.7 else {}
            if dice.random() < 0.2:
                facts = facts | {dice.choice(["wrap", "load"]): dice.choice(["wait", "quarantined", "waiting", "review"])}
            name = f"J{jacket}_{dice.randrange(12)}.tif" if number else f"J{jacket}_{number}.tif"
            put_film(engine.scans, name, picture=dice.randrange(12), **facts)
            number += 1
        engine.run()
        assert engine.balance.balanced
        for (study,) in engine.query("SELECT DISTINCT study_instance_uid FROM links WHERE decision = 'review' ORDER BY 1"):
            at = datetime(2026, 1, 1, tzinfo=UTC)
            row = {"study_instance_uid": study, "decided_at": at, "decision": "link", "value": "77", "decided_by": "x"}
            commit(engine.workspace, [put_rows(engine.workspace, {"decisions": [row]}, action="decide", at=at)])
    before = engine.snapshot.number
    engine.run()
    engine.run()
    assert engine.balance.balanced
    after = engine.query(f"SELECT stage, outcome FROM raw_outcomes WHERE commit > {before + 20}")
    assert all(outcome == "waiting" for _, outcome in after)
    assert Compared.compared > 5
