"""Automatic links checked by people: how many, how many of them wrong, and what that says of all of them.

A check is a decision `right` or `wrong` about a study that was linked automatically; the newest one counts. What is claimed is
not the model's probability but the rate that was found, with the one-sided 95% upper bound of Clopper and Pearson (1934): it
holds for a random sample, such as `filmroom review sample` draws.
"""

from dataclasses import dataclass

import duckdb
from scipy.stats import beta

CHECKS = ("right", "wrong")  # kinds of decision
_CONFIDENCE = 0.95

CLERICAL_CHECKS = f"""
    SELECT study_instance_uid, decision = 'wrong' AS is_wrong FROM raw_decisions WHERE decision IN {CHECKS}
    QUALIFY row_number() OVER (PARTITION BY study_instance_uid ORDER BY commit DESC, decided_at DESC) = 1
"""


@dataclass(frozen=True)
class ClericalCheck:
    """Automatic links that people checked, and those of them that they found wrong."""

    checked: int
    wrong: int

    @property
    def rate(self) -> float:
        """The share of wrong links among those that were checked; 0 where none was."""
        return self.wrong / self.checked if self.checked else 0.0

    @property
    def upper_bound(self) -> float:
        """What the rate among all automatic links does not exceed, with 95% confidence; 1 where nothing was checked."""
        if self.wrong >= self.checked:
            return 1.0
        return float(beta.ppf(_CONFIDENCE, self.wrong + 1, self.checked - self.wrong))

    def as_json(self) -> dict[str, float]:
        """As `filmroom status --json` has it."""
        return {"checked": self.checked, "wrong": self.wrong, "upper_bound": round(self.upper_bound, 9)}


def clerical_check(connection: duckdb.DuckDBPyConnection) -> ClericalCheck:
    """Counts on the views of a snapshot. A link that was found wrong is no longer automatic, and counts as one that was."""
    return ClericalCheck(*connection.execute("SELECT count(*), count(*) FILTER (is_wrong) FROM clerical_checks").fetchall()[0])
