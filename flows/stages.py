"""The stages of a migration: what each reads, what it writes, how much at a time, and the function that does its work.

This is the whole pipeline on a page. Each view is SQL over the workspace's views (`tasks.workspace.views`); `key` makes an
input row unique; rows with the same `group` are worked on together and share one fingerprint. Views name the fingerprint of
the row above them, so that a redone stage makes exactly what hangs on it pending again; what hangs on a row that is itself
about to be redone is held back until then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from expectations.rules import suites_version
from tasks.configuration import Configuration
from tasks.reconcile.index import index_version


@dataclass(frozen=True)
class Stage:
    """Declaration of a stage.

    `function` is `module:name` of a `tasks.stage.StageFunction`. `rows` and `size` (bytes, by the view's column `bytes`) bound
    a batch. `settings` gives what else, beside its input, decides what it yields: part of the fingerprint. `frees`: its done
    rows need their staged pixels no more. `unhashed` columns of the view are not part of the fingerprint.
    """

    name: str
    function: str
    key: str
    view: str
    writes: tuple[str, ...]
    rows: int
    size: int
    pool: Literal["processors", "waiting"]
    version: int
    settings: Callable[[Configuration], object]
    group: str | None = None
    frees: bool = False
    unhashed: tuple[str, ...] = ()


def _source_settings(configuration: Configuration) -> object:
    return {name: source.model_dump(mode="json") for name, source in configuration.sources.items()}


# The listing of the sources. A jacket of a manifest has its turn when all its files have been scanned, so that its films can be
# counted by what they are; so has what an earlier scan of a file or jacket found and the last one did not find again. What a
# PACS lists and did not give out is asked for again by every run.
SCAN_VIEW = """
    WITH scanned AS (
        SELECT l.group_key, count(*) AS files FROM listing l JOIN outcomes o ON o.stage = 'scan' AND o.key = l.item_key
        WHERE l.entry <> 'manifest' AND l.listed_by IS NOT NULL GROUP BY ALL
    ), films AS (
        SELECT i.group_key, count(*) AS received
        FROM items i JOIN outcomes o ON o.stage = 'scan' AND o.key = i.item_key
        WHERE CASE WHEN i.kind = 'film' THEN i.sha256 IS NOT NULL AND o.outcome <> 'excluded'
                   ELSE o.outcome IN ('quarantined', 'waiting') END
        GROUP BY ALL
    )
    SELECT l.* FROM listing l WHERE l.entry <> 'manifest'
    UNION ALL BY NAME
    SELECT l.*, coalesce(f.received, 0) AS received
    FROM listing l LEFT JOIN scanned s USING (group_key) LEFT JOIN films f USING (group_key)
    WHERE l.entry = 'manifest' AND coalesce(s.files, 0) = l.group_files
    UNION ALL BY NAME
    SELECT i.* EXCLUDE (commit, state, reason, fingerprint, duplicate_of), 'former' AS entry
    FROM items i JOIN outcomes o ON o.stage = 'scan' AND o.key = i.item_key
    JOIN outcomes origin ON origin.stage = 'scan' AND origin.key = o.input_key
    WHERE o.fingerprint <> origin.fingerprint AND o.outcome <> 'excluded' AND i.state <> 'verified'
    UNION ALL BY NAME
    SELECT i.* EXCLUDE (commit, state, reason, fingerprint, duplicate_of), 'instance' AS entry
    FROM items i JOIN outcomes o ON o.stage = 'scan' AND o.key = i.item_key
    WHERE i.listed_by = 'C-FIND' AND i.sha256 IS NULL AND o.outcome = 'waiting' AND i.path NOT LIKE '%//%'
      AND i.source IN (SELECT source FROM listing)
"""

# What a person has released after a withdrawal is made anew, since its staged pixels are gone.
WRAP_VIEW = """
    SELECT i.* EXCLUDE (commit, state, reason), i.fingerprint AS item_fingerprint,
           coalesce(w.releases, 0) AS releases
    FROM items i JOIN outcomes o ON o.stage = 'scan' AND o.key = i.item_key
    LEFT JOIN (SELECT item_key, sum(releases)::BIGINT AS releases FROM withdrawn_objects GROUP BY item_key) w
           ON w.item_key = i.item_key
    WHERE o.outcome = 'done' AND i.kind IN ('film', 'dicom')
"""

# A group is released when all its files have been scanned and every one of them has a wrap outcome that stands.
ASSEMBLE_VIEW = """
    SELECT b.object_key, b.item_key, b.kind, b.group_key, b.assembly_key, i.source, i.source_order, i.path, i.page, i.jacket,
           i.listing, i.sha256 AS item_sha256, b.sop_instance_uid, b.study_instance_uid, b.series_instance_uid, b.modality,
           b.body_part, b.film_bounds, b.pixel_sha256, b.label_patient_name, b.label_patient_id, b.label_birth_date,
           b.label_sex, b.label_study_date, b.label_accession, b.label_patient_name_origin, b.label_patient_id_origin,
           b.label_birth_date_origin, b.label_sex_origin, b.label_study_date_origin, b.fingerprint AS object_fingerprint,
           (SELECT count(DISTINCT t.jacket) FROM items t
            WHERE t.sha256 = i.sha256 AND t.kind = 'film' AND t.jacket IS DISTINCT FROM i.jacket) AS other_jackets
    FROM wrapped b JOIN items i USING (item_key)
    WHERE b.group_key IN (SELECT group_key FROM released_groups)
"""

RECONCILE_VIEW = """
    SELECT s.study_instance_uid, s.series_instance_uid, s.instance_number, s.evidence, s.conflict,
           s.fingerprint AS study_fingerprint,
           b.* EXCLUDE (commit, state, reason, study_instance_uid, series_instance_uid, path, bytes, fingerprint),
           b.fingerprint AS object_fingerprint, i.source, i.path, i.page, i.jacket, i.listing,
           d.decision, d.value AS decision_value, d.decided_by, d.decided_at, d.reason AS decision_reason,
           (SELECT count(*) FROM clerical_checks) AS checked_links,
           (SELECT count(*) FROM clerical_checks WHERE is_wrong) AS wrong_links,
           coalesce(w.rejections, 0) AS rejections
    FROM studies s JOIN objects b USING (object_key) JOIN items i ON i.item_key = s.item_key
    LEFT JOIN latest_decisions d ON d.study_instance_uid = s.study_instance_uid
    LEFT JOIN withdrawn_objects w ON w.object_key = s.object_key
    WHERE s.study_instance_uid NOT IN (FROM unsettled_studies)
"""

# What is not to be validated or loaded as it stands, for something it rests on is newer: the study is reconciled again first.
_HELD_BACK = """
    SELECT study_instance_uid FROM unsettled_studies UNION
    SELECT s.study_instance_uid FROM studies s JOIN outcomes r ON r.stage = 'reconcile' AND r.key = s.object_key
    WHERE s.commit > r.commit UNION
    SELECT d.study_instance_uid FROM latest_decisions d JOIN links l USING (study_instance_uid) WHERE d.commit > l.commit
"""

VALIDATE_VIEW = f"""
    SELECT h.object_key, h.item_key, h.study_instance_uid, h.sop_instance_uid, h.header, h.header_sha256,
           h.fingerprint AS header_fingerprint, b.kind, b.sop_class_uid, b.transfer_syntax_uid, b.pixel_header,
           l.patient_id, l.decision, i.source
    FROM headers h JOIN objects b USING (object_key) JOIN items i ON i.item_key = h.item_key
    JOIN links l ON l.study_instance_uid = h.study_instance_uid
    JOIN outcomes o ON o.stage = 'reconcile' AND o.key = h.object_key
    WHERE o.outcome = 'done' AND h.study_instance_uid NOT IN ({_HELD_BACK})
"""

LOAD_VIEW = f"""
    SELECT h.object_key, h.item_key, h.study_instance_uid, h.sop_instance_uid, h.header, h.trailer, h.header_sha256,
           b.sop_class_uid, b.transfer_syntax_uid, b.path, coalesce(b.bytes, 0) + octet_length(h.header) AS bytes, b.sha256,
           b.pixel_sha256, b.pixel_hash_kind, o.fingerprint AS validate_fingerprint, l.patient_id, i.source,
           coalesce(w.is_withheld, false) AS is_withheld
    FROM headers h JOIN objects b USING (object_key) JOIN items i ON i.item_key = h.item_key
    JOIN links l ON l.study_instance_uid = h.study_instance_uid
    JOIN outcomes o ON o.stage = 'validate' AND o.key = h.object_key
    LEFT JOIN withdrawn_objects w ON w.object_key = h.object_key
    LEFT JOIN outcomes loaded ON loaded.stage = 'load' AND loaded.key = h.object_key
    WHERE o.outcome = 'done' AND o.commit > h.commit AND h.study_instance_uid NOT IN ({_HELD_BACK})
      AND NOT (coalesce(w.is_withheld, false) AND coalesce(loaded.outcome = 'withdrawn' AND loaded.commit > o.commit, false))
"""

STAGES: tuple[Stage, ...] = (
    Stage(
        name="scan", function="tasks.scan.stage:scan_batch", key="item_key", view=SCAN_VIEW, writes=("items",),
        rows=256, size=2 * 10**9, pool="processors", version=2, settings=_source_settings, unhashed=("group_files",),
    ),
    Stage(
        name="wrap", function="tasks.wrap.stage:wrap_batch", key="item_key", view=WRAP_VIEW, writes=("objects",),
        rows=16, size=256 * 10**6, pool="processors", version=3,
        settings=lambda c: (c.wrap.model_dump(mode="json"), _source_settings(c), c.project.issuer),
        unhashed=("group_files",),
    ),
    Stage(
        name="assemble", function="tasks.reconcile.assemble:assemble_batch", key="object_key", view=ASSEMBLE_VIEW,
        writes=("studies",), rows=500, size=10**9, pool="processors", version=2, settings=lambda c: None,
        group="assembly_key",
    ),
    Stage(
        name="reconcile", function="tasks.reconcile.stage:reconcile_batch", key="object_key", view=RECONCILE_VIEW,
        writes=("links", "headers"), rows=250, size=10**9, pool="processors", version=3,
        settings=lambda c: (c.reconcile.model_dump(mode="json"), c.project.issuer, index_version(c)),
        group="study_instance_uid",
    ),
    Stage(
        name="validate", function="expectations.stage:validate_batch", key="object_key", view=VALIDATE_VIEW,
        writes=("findings",), rows=500, size=10**9, pool="processors", version=1,
        settings=suites_version, group="study_instance_uid",
    ),
    Stage(
        name="load", function="tasks.load.stage:load_batch", key="object_key", view=LOAD_VIEW, writes=("receipts",),
        rows=64, size=64 * 10**6, pool="waiting", version=1, settings=lambda c: c.target.model_dump(mode="json"),
        frees=True,
    ),
)  # fmt: skip
