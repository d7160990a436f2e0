"""Great Expectations' Data Docs page of a suite, made from counts and of use without a network.

Great Expectations' own renderers make the page, from a validation result put together from the findings, which stand for all
batches of all runs; no header is read again, and no value of one is on the page. Its own pages fetch style sheets, scripts and
pictures from other hosts: these are taken out, and what the page needs of them stands in `assets/`.
"""

import re
from collections.abc import Mapping
from importlib.resources import files

from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from expectations.application import expectation_suite
from expectations.rules import SuiteData

_FETCHED = (
    re.compile(r"<link\b[^>]*>", re.IGNORECASE),
    re.compile(r"<script\b.*?</script>", re.IGNORECASE | re.DOTALL),  # those that stand in the page call those that are fetched
    re.compile(r"<img\b[^>]*>", re.IGNORECASE),
    re.compile(r"<iframe\b.*?</iframe>", re.IGNORECASE | re.DOTALL),
)
_REMOTE_URL = re.compile(r"url\(\s*[\"']?(?:https?:)?//[^)]*\)", re.IGNORECASE)
_RANDOM_ID = re.compile(r"-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BREADCRUMB = re.compile(r">\s*Validations / [^<]*<")
_FOOTER = re.compile(r"<footer\b.*?</footer>", re.DOTALL)


def asset(name: str) -> str:
    """A style sheet of ours, to stand inside a page."""
    return files("expectations.assets").joinpath(name).read_text(encoding="utf-8")


def without_network(page: str) -> str:
    """The page with everything it would fetch taken out and our style sheet put in."""
    for pattern in (*_FETCHED, _FOOTER, _RANDOM_ID):
        page = pattern.sub("", page)
    page = page.replace("unknown % not null", "some are null")
    page = page.replace("Data asset: None<br>", "")
    page = _REMOTE_URL.sub("none", page)
    return page.replace("</head>", f"<style>\n{asset('data_docs.css')}</style>\n</head>", 1)


def suite_page(suite: SuiteData, failed: Mapping[str, int]) -> str:
    """HTML of a suite's results; `failed`: number of objects by rule."""
    results = [
        ExpectationValidationResult(
            success=not failed.get(configuration.meta["rule"]),
            expectation_config=configuration,
            result=_observed(failed.get(configuration.meta["rule"], 0)),
            meta={},
            exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
        )
        for configuration in expectation_suite(suite).expectation_configurations
    ]
    good = sum(bool(result.success) for result in results)
    validation = ExpectationSuiteValidationResult(
        success=good == len(results),
        results=results,
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100 * good / len(results),
        },
        meta={"run_id": RunIdentifier(run_name="all runs", run_time="2000-01-01T00:00:00+00:00"), "batch_markers": {}},
    )
    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(validation))
    page = without_network(page)
    page = re.sub(rf'<a href="[./]*expectations/{suite.name}\.html"\s*>([^<]*)</a>', r"\1", page)
    return _BREADCRUMB.sub(f">{suite.name}<", page).replace("../../../../index.html", "index.html")


def _observed(count: int) -> dict[str, object]:
    """Result of a rule as the page shows it: a count and no share, since rules apply to different objects."""
    if not count:
        return {"observed_value": "no object fails", "unexpected_percent": 0.0}
    return {"observed_value": f"{count:,} object{'s' if count > 1 else ''} fail{'' if count > 1 else 's'}"}
