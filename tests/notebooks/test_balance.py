"""The reviewers' notebook, run as it is committed, against migrations made here; and the previews that it shows."""

import base64
import csv
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from tasks.configuration import read_configuration
from tasks.workspace.layout import open_workspace
from tests.flows.command import filmroom, new_migration

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "balance.ipynb"
SAMPLE = ROOT / "data" / "sample"
JACKETS = ("J701470", "J702840", "J703251")  # two patients in one jacket; nobody matches; no identifier
Table = list[dict[str, str]]


def executed(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> NotebookNode:
    """The notebook with its outputs; the file stays as it is."""
    monkeypatch.setenv("FILMROOM_CONFIGURATION", str(configuration))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    return notebook


def outputs(notebook: NotebookNode, cell: str) -> list[NotebookNode]:
    """What a cell put out."""
    found: list[NotebookNode] = next(c.outputs for c in notebook.cells if c.id == cell)
    return found


def page(notebook: NotebookNode, cell: str) -> ElementTree.Element:
    """The HTML that a cell put out; it is well-formed."""
    return ElementTree.fromstring(next(o.data["text/html"] for o in outputs(notebook, cell) if "data" in o))


def text(element: ElementTree.Element | None) -> str:
    """What a person reads of an element."""
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def rows(table: ElementTree.Element) -> Table:
    """The rows of a table by its headings."""
    names = [text(head) for head in table.iter("th")]
    return [dict(zip(names, map(text, row.iter("td")), strict=True)) for row in table.iter("tr") if row.find("td") is not None]


def shown(notebook: NotebookNode, cell: str) -> Table:
    """The rows of the first table of a cell."""
    return rows(next(page(notebook, cell).iter("table")))


def picture(image: ElementTree.Element) -> np.ndarray[Any, Any]:
    """The decoded picture of an <img>."""
    data = base64.b64decode(image.attrib["src"].removeprefix("data:image/jpeg;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)


def likeness(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Correlation of two pictures of one shape; turned ones have none of it."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) if one.shape == other.shape else 0.0


def assert_quiet(notebook: NotebookNode) -> None:
    """No warning and no error stands in any output."""
    put_out = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [o for o in put_out if o.output_type == "error" or o.get("name") == "stderr"] == []


def assert_balance_is_status(notebook: NotebookNode, configuration: Path) -> None:
    status = json.loads(filmroom("status", "-c", configuration, "--json").out)
    said = outputs(notebook, "states")[0].text
    assert said == f"{read_configuration(configuration).project.name}: {status['found']} items found, balanced\n"
    for cell, group in (("states", "sources"), ("stages", "stages")):
        table = {row.pop("state"): {name: int(items) for name, items in row.items()} for row in shown(notebook, cell)}
        assert table.pop("found")["all"] == status["found"]
        assert {state: items["all"] for state, items in table.items()} == status["states"]
        for name, counts in status[group].items():
            assert {state: items[name] for state, items in table.items() if items[name]} == counts


def assert_reasons_are_all_there(notebook: NotebookNode, configuration: Path) -> None:
    status = json.loads(filmroom("status", "-c", configuration, "--json").out)
    expected = {
        (state, reason): items
        for reason, counts in status["reasons"].items()
        for state, items in counts.items()
        if state not in ("verified", "duplicate")
    }
    listed: dict[tuple[str, str], int] = {}
    for row in shown(notebook, "reasons"):
        state, reason = row["state"], row["reason"]
        listed[state, reason] = listed.get((state, reason), 0) + int(row["items"])
    assert listed.pop(("duplicate", "the same content stands elsewhere: see duplicate_of"), 0) == status["states"]["duplicate"]
    assert listed == expected


def assert_films_are_as_scanned(notebook: NotebookNode, scans: Path, expected: dict[str, dict[str, Any]]) -> None:
    """Each item in review has its picture, turned as its scan is; its key, its reason and its labels stand by it."""
    seen = {}
    for section in page(notebook, "sheet").iter("section"):
        for figure in section.iter("figure"):
            path = text(figure.find(".//strong")).removeprefix("scans/")
            row = seen[path] = expected[path]
            assert text(section.find("h3")) == row["reason"]
            assert text(section.find("p/code")) == row["study_instance_uid"]
            assert text(figure.find("figcaption/code")) == row["item_key"]
            for label in rows(next(figure.iter("table"))):
                name = "label_" + label["label"].replace(" ", "_")
                assert label["as read"] == (row[name] or "not read")
                assert label["origin"] == (row[f"{name}_origin"] or "")
                assert label["confidence"] == ("" if row[name] is None else f"{row[f'{name}_confidence']:.3f}")
            image = next(figure.iter("img"))
            thumbnail = picture(image)
            assert thumbnail.std() > 20, f"{path} is blank"
            scan = cv2.imread(str(scans / path), cv2.IMREAD_UNCHANGED).astype(np.float32)
            scan = cv2.resize(scan, thumbnail.shape[::-1], interpolation=cv2.INTER_AREA)
            assert likeness(thumbnail, scan) > 0.99, path
            others = [scan[::-1], scan[:, ::-1], scan[::-1, ::-1], -scan]
            assert max(likeness(thumbnail, other) for other in others) < 0.95, path
    assert set(seen) == set(expected)


def test_committed_without_outputs() -> None:
    """Outputs would be patients' data."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.slow
def test_shows_what_a_reviewer_relies_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three jackets of the sample, of which everything waits for review, an empty scan, and a disc's settings."""
    for folder in ("scans", "media"):
        (tmp_path / folder).mkdir()
    for name in ("filmroom.toml", "mpi.csv"):
        shutil.copy(SAMPLE / name, tmp_path)
    shutil.copy(SAMPLE / "media" / "CD1" / "AUTORUN.INF", tmp_path / "media")
    for scan in sorted((SAMPLE / "scans").iterdir()):
        if scan.name.startswith(JACKETS):
            shutil.copy(scan, tmp_path / "scans")
    (tmp_path / "scans" / "J799999_PA_001.tif").touch()
    with (SAMPLE / "jackets.csv").open(encoding="utf-8", newline="") as file:
        head, *listed = csv.reader(file)
    with (tmp_path / "jackets.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *(row for row in listed if row[0] in JACKETS)])
    configuration = tmp_path / "filmroom.toml"
    assert filmroom("run", "-c", configuration).code == 0
    query = """SELECT i.path AS file, o.* FROM items i JOIN objects o USING (item_key) WHERE i.state = 'review'"""
    columns = "source_header, source_trailer, pixel_header"
    said = filmroom("query", "-c", configuration, "--json", query.replace("o.*", f"o.* EXCLUDE ({columns})"))
    expected = {row["file"]: {n: None if v == "None" else v for n, v in row.items()} for row in json.loads(said.out)}
    assert len(expected) >= 5
    notebook = executed(configuration, monkeypatch)
    assert_quiet(notebook)
    assert_balance_is_status(notebook, configuration)
    assert_reasons_are_all_there(notebook, configuration)
    assert {row["key"] for row in shown(notebook, "queue")} == {row["study_instance_uid"] for row in expected.values()}
    assert_films_are_as_scanned(notebook, tmp_path / "scans", expected)
    assert picture(next(page(notebook, "large").iter("img"))).shape == (700, 560), "not made larger than the scan"


def test_an_empty_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migration = new_migration(tmp_path / "empty", films=0)
    project = read_configuration(migration.file).project
    open_workspace(project.workspace, project.name, create=True)
    notebook = executed(migration.file, monkeypatch)
    assert_quiet(notebook)
    assert_balance_is_status(notebook, migration.file)
    assert shown(notebook, "reasons") == shown(notebook, "queue") == []
    assert text(page(notebook, "sheet").find("p")) == "Nothing waits for review."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"), [("J1_1.gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"), ("J1_1.tif", b"")], ids=["review", "no review"]
)
def test_what_was_not_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> None:
    """It has its place on the contact sheet without a picture, if it waits for review; if nothing does, that is said."""
    migration = new_migration(tmp_path / "unwrapped", films=0)
    (migration.scans / name).write_bytes(content)
    assert migration.run().code == 0
    notebook = executed(migration.file, monkeypatch)
    assert_quiet(notebook)
    assert_balance_is_status(notebook, migration.file)
    assert_reasons_are_all_there(notebook, migration.file)
    sheet = page(notebook, "sheet")
    if content:
        (item,) = migration.query("SELECT item_key, reason FROM items WHERE state = 'review'")
        assert (text(sheet.find(".//h3")), text(sheet.find(".//section/p/code"))) == (item["reason"], item["item_key"])
        assert text(sheet.find(".//figure/div")) == "no picture: it was not wrapped"
    else:
        assert text(sheet.find("p")) == "Nothing waits for review."
