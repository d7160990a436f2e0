"""The measures per digitizer over time: a digitizer ages slowly, and shows it in what many films have in common.

A lamp fades, dust settles on a sensor, a belt stretches; one film says little of it, the median of a month's films does. The
view has one row a digitizer and month, with medians, shares of films that show a defect, and the change of what should stay as
it was since the digitizer's first month.
"""

_MEDIANS = ("clipped_low", "clipped_high", "range", "effective_bits", "noise", "edge_rise", "nonuniformity", "specks", "skew")
_WEDGE = ("wedge_nonlinearity", "wedge_noise", "wedge_density")
_SHARES = {
    "column_defects": "qc_column_defects > 0",
    "row_defects": "qc_row_defects > 0",
    "scratches": "qc_scratches > 0",
    "blank": "qc_blank",
    "cut_off": "qc_cut_off",
}
_CHANGES = ("noise", "edge_rise", "scale_error", "wedge_nonlinearity")


def digitizers_sql(objects: str = "objects", items: str = "items") -> str:
    """The SQL of the view `digitizers`, over the views of films' objects and of their items.

    Columns: `source`, `digitizer`, `month` (YYYYMM of the scan; null where the file does not say), `films`; the medians of the
    measures under their names without `qc_`; `share_x` of the films that show `x`; `wedges` and `wedges_failed`; and
    `change_x`, the median less that of the digitizer's first month.
    """
    medians = ",\n".join(f"median(o.qc_{name}) AS {name}" for name in (*_MEDIANS, "scale_error", *_WEDGE))
    shares = ",\n".join(f"avg(({test})::INT) AS share_{name}" for name, test in _SHARES.items())
    changes = ",\n".join(f"{name} - first_value({name} IGNORE NULLS) OVER of_digitizer AS change_{name}" for name in _CHANGES)
    return f"""
        WITH months AS (
            SELECT i.source, o.qc_digitizer AS digitizer, substr(o.qc_scanned_at, 1, 6) AS month, count(*) AS films,
                   {medians},
                   {shares},
                   count(o.qc_wedge_passed) AS wedges,
                   count(*) FILTER (WHERE NOT o.qc_wedge_passed) AS wedges_failed
            FROM {objects} o JOIN {items} i USING (item_key)
            WHERE o.kind = 'film' AND o.modality IS DISTINCT FROM 'PR' GROUP BY ALL  -- a presentation state is no film
        )
        SELECT *, {changes}
        FROM months
        WINDOW of_digitizer AS (PARTITION BY source, digitizer ORDER BY month NULLS LAST)
        ORDER BY source, digitizer, month"""
