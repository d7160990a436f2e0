"""The loop: everything ends in a state, the second run does nothing, what waits, fails or is blocked stays alone with it."""

from pathlib import Path

import pytest

from tests.flows.fakes import Engine, films, labels, put_film, stages


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def states(engine: Engine) -> dict[str, int]:
    counted = engine.balance
    assert counted.balanced
    return {state: items for state, items in counted.states.items() if items}


def test_all_is_verified_and_the_second_run_commits_nothing(tmp_path: Path) -> None:
    with films(tmp_path, 30) as engine:
        engine.run()
        assert states(engine) == {"verified": 30}
        before, sent = engine.snapshot, engine.sent()
        assert len(sent) == len(set(sent)) == 30
        engine.run()
        assert (engine.snapshot, engine.sent(), engine.order) == (before, sent, [])


def test_pixels_are_gone_from_staging_once_verified(tmp_path: Path) -> None:
    with films(tmp_path, 6) as engine:
        put_film(engine.scans, "J9_none.tif")
        engine.run()
        assert states(engine) == {"verified": 6, "review": 1}
        [(path,)] = engine.query("SELECT path FROM objects WHERE state = 'review'")
        assert [str(p.relative_to(engine.workspace.staging)) for p in engine.workspace.staging.glob("*/*")] == [path]


def test_what_waits_is_tried_again_and_holds_nobody_up(engine: Engine) -> None:
    put_film(engine.scans, "J1_a.tif", **labels(1), load="wait")
    put_film(engine.scans, "J2_a.tif", **labels(2))
    engine.run()
    assert states(engine) == {"verified": 2}
    outcomes = engine.query("SELECT outcome, count(*) FROM raw_outcomes WHERE stage = 'load' GROUP BY 1 ORDER BY 1")
    assert outcomes == [("done", 2), ("waiting", 1)]


def test_a_blocked_stage_lets_the_others_finish(engine: Engine) -> None:
    for number in range(4):
        put_film(engine.scans, f"J{number}_a.tif", **labels(number), **({"load": "full"} if number == 3 else {}))
    engine.stages = stages(load={"rows": 1})
    progress = engine.run()
    assert progress.blocked == {"load": "no space left on the device: free some, then run again"}
    assert engine.balance.balanced
    assert engine.query("SELECT count(*) FROM outcomes WHERE stage = 'validate' AND outcome = 'done'") == [(4,)]
    put_film(engine.scans, "J3_a.tif", **labels(3))
    engine.run()
    assert states(engine) == {"verified": 4}
    assert len(engine.sent()) == len(set(engine.sent()))


def test_a_row_that_fails_its_batch_is_quarantined_alone(tmp_path: Path) -> None:
    with films(tmp_path, 40) as engine:
        put_film(engine.scans, "J9999_bad.tif", wrap="raise")
        engine.run()
        assert states(engine) == {"verified": 40, "quarantined": 1}
        assert engine.query("SELECT path, reason FROM items WHERE state = 'quarantined'") == [
            ("J9999_bad.tif", "wrap failed on this item (KeyError): report it with the item's key")
        ]


def test_a_changed_setting_makes_pending_what_is_not_verified(tmp_path: Path) -> None:
    with films(tmp_path, 6) as engine:
        put_film(engine.scans, "J9_none.tif")
        engine.run()
        number = engine.snapshot.number
        engine.stages = stages(reconcile={"version": 999})
        engine.run()
        redone = engine.query(f"SELECT key, stage FROM raw_outcomes WHERE commit > {number}")
        assert [stage for _, stage in redone] == ["reconcile"]
        assert states(engine) == {"verified": 6, "review": 1}
        assert len(engine.sent()) == 6


def test_a_changed_film_is_done_again_with_its_jacket(tmp_path: Path) -> None:
    with films(tmp_path, 6) as engine:
        put_film(engine.scans, "J0000_00000.tif")
        engine.run()
        number = engine.snapshot.number
        put_film(engine.scans, "J0000_00000.tif", **labels(0))
        engine.run()
        assert states(engine) == {"verified": 6}
        done = engine.query(f"SELECT stage, count(*) FROM raw_outcomes WHERE commit > {number} GROUP BY 1 ORDER BY 1")
        assert dict(done)["scan"] == dict(done)["wrap"] == 1
        assert dict(done)["assemble"] == 3


def test_a_limit_does_about_so_much(tmp_path: Path) -> None:
    with films(tmp_path, 30) as engine:
        engine.run(limit=10)
        assert engine.query("SELECT count(*) FROM outcomes") == [(10,)]
        engine.run()
        assert states(engine) == {"verified": 30}


def test_the_staging_bound_starts_nothing_upstream(tmp_path: Path) -> None:
    with films(tmp_path, 60, bytes=1000) as engine:
        engine.stages = stages(wrap={"rows": 3}, load={"rows": 3}, scan={"rows": 60})
        engine.run(staging_bound=6000)
        assert states(engine) == {"verified": 60}
        wrapped, loaded, most = 0, 0, 0
        for stage in engine.order:
            wrapped, loaded = wrapped + 3000 * (stage == "wrap"), loaded + 3000 * (stage == "load")
            most = max(most, wrapped - loaded)
        assert most <= 6000 + 2 * 3000  # what both places of the pool were at when the bound was reached


def test_the_first_are_loaded_while_the_last_are_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.engine.loop.GATHER_SECONDS", 0.0)
    with films(tmp_path, 18) as engine:
        engine.stages = stages(**{s: {"rows": 3} for s in ("wrap", "assemble", "reconcile", "validate", "load")})
        engine.run()
        assert engine.order.index("load") < len(engine.order) - engine.order[::-1].index("wrap") - 1


def test_a_jacket_waits_for_its_last_film(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.engine.loop.ATTEMPTS", 1)
    put_film(engine.scans, "J1_a.tif", **labels(1))
    put_film(engine.scans, "J1_b.tif", **labels(1), wrap="waiting")
    put_film(engine.scans, "J2_a.tif", **labels(2))
    engine.run()
    assert states(engine) == {"verified": 1, "waiting": 2}
    put_film(engine.scans, "J1_b.tif", **labels(1))
    engine.run()
    assert states(engine) == {"verified": 3}
    assert engine.query("SELECT count(DISTINCT study_instance_uid) FROM studies") == [(2,)]


def test_what_a_manifest_lists_and_nobody_delivered_is_counted_and_comes_later(engine: Engine) -> None:
    (engine.folder / "jackets.csv").write_text("jacket,films\nJ1,3\nJ2,1\n")
    with engine.file.open("a") as file:
        file.write('manifest="jackets.csv"\n')
    put_film(engine.scans, "J1_a.tif", **labels(1))
    (engine.scans / "J1_Thumbs.txt").write_text("no film, and no film's place is taken by it\n")
    engine.run()
    assert states(engine) == {"verified": 1, "excluded": 1, "waiting": 3}
    put_film(engine.scans, "J1_b.tif", **labels(1))
    put_film(engine.scans, "J2_a.tif", **labels(2))
    engine.run()
    assert states(engine) == {"verified": 3, "excluded": 3, "waiting": 1}
    assert engine.query("SELECT path, state, reason FROM items WHERE kind = 'film' AND sha256 IS NULL ORDER BY path") == [
        ("jackets.csv#J1/2", "excluded", "listed, and received since"),
        ("jackets.csv#J1/3", "waiting", "listed by jackets.csv, not received"),
        ("jackets.csv#J2/1", "excluded", "listed, and received since"),
    ]
