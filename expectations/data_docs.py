"""Data Docs: the rule book and what it found, as one page that opens without a network.

Great Expectations' own site loads scripts and styles from other hosts, which hospital networks do not reach; this page is made from
the same suites and from the findings the run committed.
"""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from expectations.stage import suite_text

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.6rem } h2 { margin-top: 2.2rem; font-size: 1.2rem }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 } th, td { text-align: left; padding: .35rem .7rem; vertical-align: top }
th { background: #eef2f6; font-weight: 600 } tr + tr td { border-top: 1px solid #dde4ea } td.n { text-align: right; white-space: nowrap }
.passed { color: #1a7f4b } .blocking { color: #b3261e; font-weight: 600 } .warning { color: #96690a }
"""


def build_data_docs(
    project: str,
    states: Sequence[tuple[str, str, str, int]],
    findings: Sequence[tuple[str, str, int]],
    objects: int,
    suites: Sequence[str],
    folder: Path,
) -> Path:
    """Writes `index.html` into `folder` and gives back its path.

    `states` are (state, stage, reason, items); `findings` are (suite, rule, objects that break it); `objects` were validated.
    """
    failing = {(suite, rule): count for suite, rule, count in findings}
    body = [
        f"<h1>{_text(project)}</h1>",
        "<h2>Where everything stands</h2>",
        _table(("state", "after", "why", "items"), states),
    ]
    body.append(f"<h2>Rule book</h2><p>{objects} objects validated.</p>")
    for suite in suites:
        rules = [
            _rule(rule, failing.get((suite, rule["meta"]["name"]), 0)) for rule in json.loads(suite_text(suite))["expectations"]
        ]
        body.append(
            f"<h2>Suite {_text(suite)}</h2>" + _rows(("rule", "attribute", "severity", "why", "mend", "failing"), rules)
        )
    page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{_text(project)}</title><style>{_STYLE}</style>{''.join(body)}</html>"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def _rule(rule: dict[str, Any], failing: int) -> list[str]:
    meta = rule["meta"]
    shown = f'<span class="{meta["severity"]}">{failing}</span>' if failing else '<span class="passed">none</span>'
    cells = (meta["name"], rule["kwargs"]["column"], meta["severity"], meta["why"], meta["mend"])
    return [*(f"<td>{_text(cell)}</td>" for cell in cells), f'<td class="n">{shown}</td>']


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return _rows(heads, [[_cell(cell) for cell in row] for row in rows])


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in heads)
    lines = "".join("<tr>" + "".join(cells) + "</tr>" for cells in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(value: Any) -> str:
    return f'<td class="n">{value}</td>' if isinstance(value, int) else f"<td>{_text(value)}</td>"


def _text(value: Any) -> str:
    return html.escape(str(value))
