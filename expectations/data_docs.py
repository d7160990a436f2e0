"""Data Docs: what was checked, what was found, and what becomes of it, as pages that open from a folder without a network.

`index.html` has the balance and the findings rule by rule; beside it stands Great Expectations' page of each suite. They hold
counts, rule names and reasons, no value of any header. Great Expectations is imported only when a page has to be made anew.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from expectations.rules import SuiteData, read_suite
from tasks.validate import conformance

Line = tuple[str, str, str, int]  # state, stage, reason, items
Found = tuple[str, str, int]  # suite, rule, objects

_PAGES_VERSION = 3


def build_data_docs(
    name: str, lines: Sequence[Line], findings: Sequence[Found], validated: int, suites: Sequence[str], folder: Path
) -> Path:
    """Writes the pages into `folder` and returns its `index.html`; pages made from the same figures are left as they are.

    `name`: the migration's; `lines`: the balance, items by state, stage and reason; `findings`: objects by suite and rule;
    `validated`: objects checked; `suites`: those applied. Raises `OSError` where the folder cannot be written.
    """
    figures = json.dumps([_PAGES_VERSION, name, lines, findings, validated, [_digest(suite) for suite in suites]], default=str)
    mark = f"<!-- figures {hashlib.sha256(figures.encode()).hexdigest()} -->"
    index = folder / "index.html"
    if index.exists() and index.read_text(encoding="utf-8").endswith(mark):
        return index
    folder.mkdir(parents=True, exist_ok=True)
    data = [read_suite(suite) for suite in suites if suite != conformance.SUITE]
    failed: dict[str, dict[str, int]] = {suite: {} for suite in suites}
    for suite, rule, objects in findings:
        failed.setdefault(suite, {})[rule] = objects
    if validated:
        _write_suite_pages(data, failed, folder)
    _write(index, _index(name, lines, data, failed, validated) + mark)
    return index


def _write_suite_pages(suites: Iterable[SuiteData], failed: Mapping[str, Mapping[str, int]], folder: Path) -> None:
    from expectations.gx_pages import suite_page  # imports Great Expectations, which takes seconds

    for suite in suites:
        _write(folder / f"{suite.name}.html", suite_page(suite, failed[suite.name]))


def _digest(suite: str) -> list[object]:
    return [suite, conformance.VERSION if suite == conformance.SUITE else read_suite(suite).expectations]


def _write(path: Path, page: str) -> None:
    """Puts the page down whole: a reader never sees half of one."""
    partial = path.with_suffix(".partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


def _index(
    name: str, lines: Sequence[Line], suites: Sequence[SuiteData], failed: Mapping[str, Mapping[str, int]], validated: int
) -> str:
    style = files("expectations.assets").joinpath("data_docs.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(name)}: report</title>
<style>
{style}</style></head>
<body><main>
<h1>{escape(name)}</h1>
<p class="lead">What was found, what became of it, and what the checks of the final headers say.</p>
<h2>Balance</h2>
{_balance(lines)}
<h2>Checks</h2>
<p>{validated:,} objects checked.</p>
{_suites(suites, failed, validated)}
{_findings(suites, failed)}
</main></body></html>
"""


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[str]) -> str:
    head = "".join(f'<th class="{kind}">{escape(text)}</th>' for text, kind in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{''.join(rows)}</tbody></table>"


def _balance(lines: Sequence[Line]) -> str:
    if not lines:
        return "<p>Nothing found yet.</p>"
    rows = [
        f"<tr><td>{escape(state)}</td><td>{escape(stage or '')}</td><td>{escape(reason or '')}</td>"
        f'<td class="number">{items:,}</td></tr>\n'
        for state, stage, reason, items in lines
    ]
    total = sum(line[3] for line in lines)
    rows.append(f'<tr><th>found</th><th></th><th></th><th class="number">{total:,}</th></tr>\n')
    return _table((("State", ""), ("Stage", ""), ("Reason", ""), ("Items", "number")), rows)


def _suites(suites: Sequence[SuiteData], failed: Mapping[str, Mapping[str, int]], validated: int) -> str:
    rows = []
    for suite in suites:
        linked = f'<a href="{suite.name}.html">{escape(suite.name)}</a>' if validated else escape(suite.name)
        broken = sum(1 for rule in suite.rules if failed[suite.name].get(rule))
        rows.append(
            f"<tr><td>{linked}</td><td>{escape(suite.notes)}</td>"
            f'<td class="number">{len(suite.rules)}</td><td class="number">{broken}</td></tr>\n'
        )
    return _table((("Suite", ""), ("What it checks", ""), ("Rules", "number"), ("Broken", "number")), rows)


def _findings(suites: Sequence[SuiteData], failed: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        f'<tr><td class="{rule.severity}">{rule.severity}</td><td>{escape(suite.name)}</td>'
        f"<td>{escape(rule.name)}</td><td>{escape(rule.why)} {escape(rule.mend)}</td>"
        f'<td class="number">{objects:,}</td></tr>\n'
        for suite in suites
        for rule in suite.rules.values()
        if (objects := failed[suite.name].get(rule.name))
    ]
    rows += [
        f'<tr><td class="warning">warning</td><td>{conformance.SUITE}</td><td>{escape(name)}</td>'
        f'<td>The object is not as its IOD asks (PS3.3).</td><td class="number">{objects:,}</td></tr>\n'
        for name, objects in failed.get(conformance.SUITE, {}).items()
    ]
    if not rows:
        return '<p class="passed">No rule is broken.</p>'
    heads = (("Severity", ""), ("Suite", ""), ("Rule", ""), ("What is wrong, what to do", ""), ("Objects", "number"))
    return f"<h2>Findings</h2>\n{_table(heads, sorted(rows))}"
