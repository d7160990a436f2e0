"""A worker that dies takes no run with it: the item it died of is quarantined, all others go their way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.flows.fakes import films, labels, put_film


@pytest.mark.slow
def test_an_item_that_kills_its_worker_is_quarantined_alone(tmp_path: Path) -> None:
    with films(tmp_path, 20) as engine:
        put_film(engine.scans, "J0003_bad.tif", **labels(3), wrap="die")
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        command = [sys.executable, "-m", "tests.flows.dying", str(tmp_path)]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert ended.returncode == 0, ended.stderr[-2000:]
        assert engine.balance.balanced
        assert engine.query("SELECT state, reason, count(*) FROM items GROUP BY ALL ORDER BY ALL") == [
            ("quarantined", "wrap failed on this item (the worker died): report it with the item's key", 1),
            ("verified", "in the PACS, read back, equal", 20),
        ]
        assert len(engine.sent()) == len(set(engine.sent())) == 20
