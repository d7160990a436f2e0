"""Reads the suites without Great Expectations: what rules there are, and by what version of them a study was checked."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from tasks.configuration import Configuration
from tasks.validate import conformance
from tasks.validate.findings import Rule
from tasks.validate.frame import SETTLED


@dataclass(frozen=True)
class SuiteData:
    """A suite as it stands in its file. `kind`: the kind of item it is for, or `all`; `rules` by name;
    `columns`: those of the frame that it looks at, the key first."""

    name: str
    kind: str
    notes: str
    expectations: tuple[dict[str, Any], ...]
    rules: dict[str, Rule]
    columns: tuple[str, ...]


def _suite_bytes(name: str) -> bytes:
    return files("expectations.suites").joinpath(f"{name}.json").read_bytes()


def _columns(expectation: dict[str, Any]) -> list[str]:
    """The frame's columns an expectation names, in its arguments or its condition."""
    kwargs = expectation["kwargs"]
    named: list[str] = [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]
    named += kwargs.get("column_list", [])
    condition = kwargs.get("row_condition")
    return [*named, condition["column"]["name"]] if condition else named


def _rule(suite: str, expectation: dict[str, Any]) -> Rule:
    meta, columns = expectation["meta"], _columns(expectation)
    keyword = next((column for column in columns if column not in SETTLED), columns[0])
    return Rule(suite, meta["rule"], meta["severity"], keyword, meta["why"], meta["mend"])


@lru_cache
def read_suite(name: str) -> SuiteData:
    """The suite of that name; raises `FileNotFoundError` where there is none."""
    data = json.loads(_suite_bytes(name))
    rules = [_rule(name, expectation) for expectation in data["expectations"]]
    named = {column for expectation in data["expectations"] for column in _columns(expectation)}
    columns = ("object_key", *sorted(named))
    by_name = {rule.name: rule for rule in rules}
    return SuiteData(name, data["meta"]["kind"], data["notes"], tuple(data["expectations"]), by_name, columns)


def suites_version(configuration: Configuration) -> object:
    """What of the suites decides the findings: for the stage's fingerprint. A changed rule makes every study pending again."""
    return {
        name: conformance.VERSION if name == conformance.SUITE else hashlib.sha256(_suite_bytes(name)).hexdigest()
        for name in configuration.validate_.suites
    }
