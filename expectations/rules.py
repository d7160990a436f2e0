"""Reads the suites without Great Expectations: what rules there are, and by what version of them a study was checked."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tasks.configuration import Configuration
from tasks.validate.findings import Rule


@dataclass(frozen=True)
class SuiteData:
    """A suite as it stands in its file. `kind`: the kind of item it is for, or `all`; `rules` by name."""

    name: str
    kind: str
    notes: str
    expectations: tuple[dict[str, Any], ...]
    rules: dict[str, Rule]


def _suite_bytes(name: str) -> bytes:
    return files("expectations.suites").joinpath(f"{name}.json").read_bytes()


def _rule(suite: str, expectation: dict[str, Any]) -> Rule:
    kwargs, meta = expectation["kwargs"], expectation["meta"]
    column = kwargs.get("column") or kwargs.get("column_A") or kwargs["column_list"][-1]
    return Rule(suite, meta["rule"], meta["severity"], column, meta["why"], meta["mend"])


@lru_cache
def read_suite(name: str) -> SuiteData:
    """The suite of that name; raises `FileNotFoundError` where there is none."""
    data = json.loads(_suite_bytes(name))
    rules = [_rule(name, expectation) for expectation in data["expectations"]]
    return SuiteData(name, data["meta"]["kind"], data["notes"], tuple(data["expectations"]), {rule.name: rule for rule in rules})


def suites_version(configuration: Configuration) -> object:
    """What of the suites decides the findings: for the stage's fingerprint. A changed rule makes every study pending again."""
    return {name: hashlib.sha256(_suite_bytes(name)).hexdigest() for name in configuration.validate_.suites}
