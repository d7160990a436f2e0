"""One Prefect server for the runs of a test session, which would each take longer to start one than to do their work."""

import os
from collections.abc import Iterator

import pytest

from flows.engine.server import prefect_server


@pytest.fixture(scope="session")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of ours, gone with the session."""
    with prefect_server(tmp_path_factory.mktemp("prefect") / "home"):
        yield os.environ.pop("PREFECT_API_URL")
