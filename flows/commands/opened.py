"""What commands have in common: the migration they are about, and how values are printed."""

import argparse
from datetime import date, datetime
from typing import Any

from tasks.configuration import Configuration, read_configuration
from tasks.workspace.layout import Workspace, open_workspace


def opened(options: argparse.Namespace) -> tuple[Configuration, Workspace]:
    """Configuration and workspace of the migration that `-c` names."""
    configuration = read_configuration(options.configuration)
    return configuration, open_workspace(configuration.project.workspace, configuration.project.name)


def plain(value: Any) -> Any:
    """A value of a table as JSON has it."""
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, int | float | str) else str(value)
