"""Silences what libraries log and warn: their texts hold values of headers, which must not reach a log."""

import logging
import warnings

_TALKERS = ("pydicom", "pynetdicom", "great_expectations", "py.warnings", "splink", "tifffile", "prefect")


def silence() -> None:
    """Makes libraries quiet in this process; what matters of an item is in its outcome's reason."""
    warnings.simplefilter("ignore")
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
        for child in [n for n in logging.root.manager.loggerDict if n.startswith(name + ".")]:
            logging.getLogger(child).setLevel(logging.CRITICAL)
