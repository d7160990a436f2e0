"""Listing a legacy PACS anew, as before the cut-over, and what has changed in it since.

| a study | is |
| --- | --- |
| that was not listed before | `new`: scanned |
| whose counts of series or instances are others | `changed`: scanned again |
| that is under another patient now | `merged`: scanned again |
| that is not listed any more | `gone`; its items stay, and if it was not scanned yet, what it counted is told as missing |
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tasks.configuration import Configuration, PacsSource
from tasks.scan.pacs.listing import kept_list, write_list

_COMPARED = """
    SELECT coalesce(n.study, o.study) AS study,
           CASE WHEN o.study IS NULL THEN 'new' WHEN n.study IS NULL THEN 'gone'
                WHEN n.patients IS DISTINCT FROM o.patients THEN 'merged' ELSE 'changed' END AS what
    FROM new n FULL JOIN old o USING (study)
    WHERE coalesce(n.study, o.study) <> ''
      AND (n.patients, n.series, n.instances) IS DISTINCT FROM (o.patients, o.series, o.instances) ORDER BY study"""
_TOGETHER = "FROM new UNION ALL FROM old WHERE study <> '' AND study NOT IN (SELECT study FROM new) ORDER BY study"


@dataclass(frozen=True)
class Delta:
    """What a new list says against the one before: studies by what they are, and the file that names them."""

    source: str
    counts: dict[str, int]
    file: Path


def list_anew(name: str, source: PacsSource, configuration: Configuration) -> Delta | None:
    """Replaces the kept list of a source's studies; `None` where there was none yet, so that the run lists it first.

    Raises `StageBlockedError` and `RetryLaterError` where the PACS cannot be asked; the list is the old one then.
    """
    workspace = configuration.project.workspace
    kept = kept_list(workspace, name)
    if not kept.exists():
        return None
    asked, together = kept.with_suffix(".asked"), kept.with_suffix(".together")
    write_list(source, configuration, asked)
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(kept.parent)}) as connection:
        for view, path in (("new", asked), ("old", kept)):
            connection.execute(f"CREATE VIEW {view} AS FROM read_parquet({_literal(path)})")
        changes = connection.execute(_COMPARED).fetchall()
        connection.execute(f"COPY ({_TOGETHER}) TO {_literal(together)} (FORMAT parquet)")
    file = workspace / "report" / f"delta-{kept.stem}.csv"
    with file.open("w", newline="", encoding="utf-8") as written:
        csv.writer(written).writerows([("study_instance_uid", "what"), *changes])
    together.rename(kept)
    asked.unlink()
    counts = {what: sum(change == what for _, change in changes) for what in ("new", "changed", "merged", "gone")}
    return Delta(name, counts, file)


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
