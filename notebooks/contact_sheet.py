"""What the notebook shows, as HTML: tables, and a contact sheet of what waits for review."""

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import fields
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from IPython.display import HTML
from numpy.typing import NDArray

from tasks.errors import FilmroomError
from tasks.preview import Region, crops, jpeg, preview, staged_object
from tasks.schemas import LABEL_FIELDS
from tasks.stage import Row

Cell = tuple[Any, str]  # value, class

FILMS_OF_A_STUDY = 12  # a series of a legacy CT has hundreds, and its first ones tell whose it is
_THUMBNAIL = 400  # pixels
_LARGE = 1400
_CROP = 700
_WITHOUT_PIXELS = {"PR": "a presentation state, which sets the film beside it upright", "DOC": "a document, see its label text"}
LABELS_OF_A_FILM = 3  # those with the most text
_DOUBTFUL = 0.9  # a confidence below stands out
_CSS = Path(__file__).with_name("contact_sheet.css").read_text(encoding="utf-8")

_FILMS = f"""
    SELECT coalesce(s.study_instance_uid, i.item_key) AS key, t.reason, t.stage, i.item_key, i.source, i.path AS file, i.page,
           i.pages, i.jacket, i.listing, o.object_key, o.path, o.sha256, o.source_header, o.pixel_header, o.transfer_syntax_uid,
           o.modality, o.rows, o.columns, o.frames, o.rotation, o.mirrored, o.label_text, o.label_regions, l.evidence,
           {", ".join(f"o.label_{n}, o.label_{n}_origin, o.label_{n}_confidence" for n in LABEL_FIELDS)},
           count(*) OVER (PARTITION BY key, t.reason) AS films
    FROM item_states t JOIN items i USING (item_key) LEFT JOIN objects o USING (item_key)
         LEFT JOIN studies s USING (object_key) LEFT JOIN links l ON l.study_instance_uid = s.study_instance_uid
    WHERE t.state = 'review' AND {{condition}}
    QUALIFY row_number() OVER (PARTITION BY key, t.reason ORDER BY i.path, i.page) <= {FILMS_OF_A_STUDY}
    ORDER BY t.reason, key, i.path, i.page
"""


def table(frame: pd.DataFrame, caption: str, *, total: bool = False) -> HTML:
    """A frame without its index; with `total`, its last row stands out as the sum of the others."""
    records = frame.to_dict("records")
    numbers = {name for name in frame.columns if frame[name].dtype.kind in "iuf"}
    rows = [[(value, "number" if name in numbers else "") for name, value in record.items()] for record in records]
    heads = [(str(name), "number" if name in numbers else "") for name in frame.columns]
    return _page(_table(heads, rows, caption=caption, last="last" if total else ""))


def waiting_films(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> list[Row]:
    """What waits for review of studies (Study Instance UID) or items in none (item key): an object a row, by reason and key.

    Of each key and reason the first `FILMS_OF_A_STUDY`; `films` is how many there are.
    """
    return _rows(connection, _FILMS.format(condition="key IN (SELECT unnest($1))"), [list(keys)])


def contact_sheet(films: Iterable[Row], staging: Path) -> HTML:
    """Rows of `waiting_films`, a box for each key and reason: candidates in the index, and the films with their labels."""
    grouped = groupby(films, lambda film: (film["key"], film["reason"]))
    boxes = [_study(list(group), staging) for _, group in grouped]
    return _page("".join(boxes) or "<p>Nothing waits for review.</p>")


def large(connection: duckdb.DuckDBPyConnection, staging: Path, item_key: str) -> HTML:
    """One item that waits for review, large enough to read its label by eye, with all text that was read on it."""
    films = _rows(connection, _FILMS.format(condition="i.item_key = $1"), [item_key])
    shown = [
        f'<p>{_where(film)} · {escape(film["reason"])}</p><p class="large">{_picture(film, staging, _LARGE)}</p>'
        f"<p>{_lines(film['label_text'] or 'no text was read on it')}</p>"
        for film in films
    ]
    return _page("".join(shown) or "<p>No such item waits for review.</p>")


def _study(films: list[Row], staging: Path) -> str:
    first = films[0]
    more = first["films"] - len(films)
    return (
        f"<section><h3>{escape(first['reason'])}</h3><p>{_counted(first['films'])} · stopped at {escape(first['stage'])} · "
        f"<code>{escape(first['key'])}</code></p>{_candidates(first['evidence'])}"
        f'<div class="films">{"".join(_film(film, staging) for film in films)}</div>'
        f"{f'<p>and {more} more</p>' if more else ''}</section>"
    )


def _counted(films: int) -> str:
    return "1 item" if films == 1 else f"{films} items"


def _candidates(evidence: str | None) -> str:
    if evidence is None:
        return ""
    candidates = json.loads(evidence).get("candidates", [])
    if not candidates:
        return '<p class="missing">No candidate in the patient index.</p>'
    rows = [
        [
            (candidate["patient_id"], ""),
            (f"{candidate['family_name']}, {candidate['given_name']}", ""),
            (candidate["birth_date"], ""),
            (candidate["sex"], ""),
            (f"{candidate['probability']:.6f}", "number"),
            ("\n".join(_agreement(reading) for reading in candidate["agreement"]), ""),
        ]
        for candidate in candidates
    ]
    heads = [(name, "") for name in ("candidate in the index", "name", "birth date", "sex")]
    return _table([*heads, ("probability", "number"), ("what was read", "")], rows, kind="candidates")


def _agreement(fields: dict[str, str]) -> str:
    """How the readings stand to the index: `agrees: name, sex; missing: patient id`."""
    by_answer: dict[str, list[str]] = {}
    for name, answer in fields.items():
        by_answer.setdefault(answer, []).append(name.replace("_", " "))
    return "; ".join(f"{answer}: {', '.join(names)}" for answer, names in sorted(by_answer.items()))


def _film(film: Row, staging: Path) -> str:
    return (
        f'<figure><div class="picture">{_picture(film, staging, _THUMBNAIL)}</div>{_label_crops(film, staging)}'
        f"<figcaption>{_where(film)}{_labels(film)}</figcaption></figure>"
    )


def _picture(film: Row, staging: Path, side: int) -> str:
    if film["object_key"] is None:
        return "<span>no picture: it was not wrapped</span>"
    if film["path"] is None:
        return f"<span>no picture: {_WITHOUT_PIXELS.get(film['modality'], 'the object has no pixels')}</span>"
    try:
        picture = preview(staged_object(staging, film), side)
    except FilmroomError as error:
        return f"<span>no picture: {escape(str(error))}</span>"
    return _image(picture, film["item_key"])


def _label_crops(film: Row, staging: Path) -> str:
    """The labels as they stand on the film, each set upright, with what was read of it for those who do not see it."""
    listed = json.loads(film["label_regions"] or "[]")
    read = sorted(listed, key=lambda region: -len(region["text"]))[:LABELS_OF_A_FILM]
    if not read or film["path"] is None:
        return ""
    names = [field.name for field in fields(Region)]
    regions = [Region(**{name: region[name] for name in names}) for region in read]
    try:
        pictures = crops(staged_object(staging, film), regions, _CROP)
    except FilmroomError:
        return ""  # the picture above says why there is none
    shown = (_image(picture, region["text"]) for picture, region in zip(pictures, read, strict=True))
    return f'<div class="labels">{"".join(shown)}</div>'


def _image(picture: NDArray[np.uint8], alternative: str) -> str:
    return f'<img alt="{escape(alternative)}" src="data:image/jpeg;base64,{b64encode(jpeg(picture)).decode()}"/>'


def _where(film: Row) -> str:
    page = f", page {film['page']} of {film['pages']}" if (film["pages"] or 1) > 1 else ""
    notes = [f"jacket {film['jacket']}"] if film["jacket"] else []
    if film["object_key"] is not None:
        frames = f" · {film['frames']} frames" if (film["frames"] or 1) > 1 else ""
        notes.append(f"{film['modality'] or 'no modality'} {film['columns'] or 0} x {film['rows'] or 0}{frames}")
    if film["mirrored"]:
        notes.append("the scan lies mirrored")
    if film["rotation"]:
        notes.append(f"the scan is upright after {film['rotation']}° clockwise")
    where = f"<strong>{escape(film['source'])}/{escape(film['file'])}</strong>{page}"
    return f"{where}<br/>{escape(' · '.join(notes))}<br/><code>{film['item_key']}</code>"


def _labels(film: Row) -> str:
    if film["object_key"] is None:
        return ""
    listing: dict[str, str] = json.loads(film["listing"] or "{}")
    rows = []
    for name in LABEL_FIELDS:
        value, confidence = film[f"label_{name}"], film[f"label_{name}_confidence"]
        doubtful = "doubtful" if confidence is not None and confidence < _DOUBTFUL else ""
        rows.append(
            [
                (name.replace("_", " "), ""),
                (value or "not read", "" if value else "missing"),
                (film[f"label_{name}_origin"], ""),
                ("" if confidence is None else f"{confidence:.3f}", f"number {doubtful}".strip()),
            ]
        )
    listed = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in listing.items() if name != "jacket")
    heads = [("label", ""), ("as read", ""), ("origin", ""), ("confidence", "number")]
    return _table(heads, rows) + (f"<p>The manifest says: {escape(listed)}</p>" if listed else "")


def _lines(text: str) -> str:
    return "<br/>".join(escape(line) for line in text.splitlines())


def _table(heads: Iterable[Cell], rows: Sequence[Iterable[Cell]], *, caption: str = "", last: str = "", kind: str = "") -> str:
    """A table; `last` is the class of the last row, `kind` of the table."""
    lines = "".join(
        f"<tr{_class(last if number == len(rows) else '')}>{''.join(_cell('td', *cell) for cell in row)}</tr>"
        for number, row in enumerate(rows, 1)
    )
    head = "".join(_cell("th", *cell) for cell in heads)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table{_class(kind)}>{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(tag: str, value: Any, kind: str) -> str:
    return f"<{tag}{_class(kind)}>{'' if value is None else _lines(str(value))}</{tag}>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _page(content: str) -> HTML:
    """Well-formed as XML, with its style: outputs stand each on its own."""
    html: HTML = HTML(f'<div class="filmroom"><style>{_CSS}</style>{content}</div>')  # type: ignore[no-untyped-call]
    return html


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> list[Row]:
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
