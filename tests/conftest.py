"""What the tests share: the real data and the Debian tools, each skipped with its reason where absent, and never skipped in
CI.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is.
settings.register_profile("filmroom", deadline=None)
settings.load_profile("filmroom")

ROOT = Path(__file__).resolve().parent.parent


def absent(reason: str) -> None:
    """Skips the test; where `FILMROOM_NOTHING_SKIPPED` is set (CI has everything), fails it instead."""
    if os.environ.get("FILMROOM_NOTHING_SKIPPED"):
        pytest.fail(f"must not be skipped here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def realdata() -> Path:
    folder = ROOT.parent / "shared" / "realdata"
    if not folder.is_dir():
        absent("the real data (../shared/realdata) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def debian_tool() -> Callable[[str], str]:
    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
        if path is None:
            absent(f"{name} is not installed (a Debian package, see .ci/run)")
        assert path is not None
        return path

    return find
