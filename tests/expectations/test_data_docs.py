"""Data Docs: whole, the same for the same figures, and nothing on them is fetched."""

import json
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from expectations.data_docs import build_data_docs

SUITES = ("patient", "study", "film", "object")
LINES = [("review", "validate", "blocking finding: <patient-id-as-linked> (3)", 3), ("verified", "load", "", 1246)]
FINDINGS = [("patient", "patient-id-as-linked", 3), ("object", "rows-present", 2)]


class Fetches(HTMLParser):
    """What a browser would fetch for a page, by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "img", "iframe", "embed", "source", "object"):
            self.found += [value for key in ("src", "data", "srcset") if (value := named.get(key))]
        if tag == "link" and (value := named.get("href")):
            self.found.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_data_docs("st-elsewhere", LINES, FINDINGS, 1249, SUITES, tmp_path_factory.mktemp("docs") / "report").parent


def test_a_page_for_each_suite_and_nothing_is_fetched(site: Path) -> None:
    assert sorted(path.name for path in site.iterdir()) == sorted(["index.html", *(f"{suite}.html" for suite in SUITES)])
    for page in site.iterdir():
        text = page.read_text(encoding="utf-8")
        fetches = Fetches()
        fetches.feed(text)
        assert [url for url in fetches.found if not url.startswith("data:")] == []
        assert not re.search(r"url\([\"']?(https?:)?//|@import|<script", text)


def test_what_the_pages_say(site: Path) -> None:
    index = (site / "index.html").read_text(encoding="utf-8")
    assert "&lt;patient-id-as-linked&gt;" in index
    assert "1,249" in index
    assert "Patient ID in the header is not the one the study is linked to." in index
    patient = (site / "patient.html").read_text(encoding="utf-8")
    assert "3 objects fail" in patient
    assert 'href="index.html"' in patient


def test_the_same_figures_make_the_same_pages(site: Path, tmp_path: Path) -> None:
    build_data_docs("st-elsewhere", LINES, FINDINGS, 1249, SUITES, tmp_path)
    for page in site.iterdir():
        assert (tmp_path / page.name).read_bytes() == page.read_bytes()
    before = (tmp_path / "index.html").stat().st_mtime_ns
    build_data_docs("st-elsewhere", LINES, FINDINGS, 1249, SUITES, tmp_path)
    assert (tmp_path / "index.html").stat().st_mtime_ns == before
    build_data_docs("st-elsewhere", LINES, [], 1249, SUITES, tmp_path)
    assert "No rule is broken." in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_before_anything_was_checked(tmp_path: Path) -> None:
    build_data_docs("st-elsewhere", [], [], 0, SUITES, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.slow
def test_a_browser_asks_nobody(site: Path, debian_tool: Callable[[str], str], tmp_path: Path) -> None:
    """Chromium's own log of requests: what it asks for by itself has no page as its initiator."""
    for page in sorted(site.glob("*.html")):
        log = tmp_path / f"{page.stem}.json"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        options += [f"--user-data-dir={tmp_path / page.stem}", f"--log-net-log={log}", "--dump-dom", page.as_uri()]
        shown = subprocess.run([debian_tool("chromium"), *options], capture_output=True, timeout=120, check=True)
        assert b"</html>" in shown.stdout
        text = log.read_text(encoding="utf-8", errors="replace").rstrip().rstrip(",")
        try:
            events = json.loads(text)
        except json.JSONDecodeError:  # the log is cut off where the browser ended
            events = json.loads(text[: text.rindex("\n")].rstrip(",") + "]}")
        initiators = {event.get("params", {}).get("initiator") for event in events["events"]} - {None, "not an origin"}
        assert initiators == set()
