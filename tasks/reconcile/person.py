"""A person of the patient index: what is true now, and what else the person was called, numbered or dated before."""

from dataclasses import dataclass

from tasks.reconcile.normalise import name_words


@dataclass(frozen=True)
class Person:
    """A person as the index spells it now; dates as YYYYMMDD, sex as M, F or O, empty where unknown.

    `former_ids` (identifier, issuer), `former_names` (family, given) and `former_birth_dates` are of the same person at other
    times or in other sources: they find the person and never go into a header as if they were current. `line` is the person's
    place in the index, `linked` another person's whom registration says to be the same without having merged them.
    """

    patient_id: str
    family_name: str
    given_name: str
    birth_date: str
    sex: str
    issuer: str = ""
    death_date: str = ""
    former_ids: tuple[tuple[str, str], ...] = ()
    former_names: tuple[tuple[str, str], ...] = ()
    former_birth_dates: tuple[str, ...] = ()
    line: int = -1
    linked: int = -1

    @property
    def name(self) -> str:
        """The name as PN, FAMILY^GIVEN (PS3.5 section 6.2.1.1), without what is not allowed in a component."""
        family, given = (
            " ".join("".join(" " if c in "^=\\" or not c.isprintable() else c for c in part).split())[:64]
            for part in (self.family_name, self.given_name)
        )
        return f"{family}^{given}".rstrip("^")

    @property
    def words(self) -> tuple[str, ...]:
        """The name as it is compared."""
        return name_words(self.family_name, self.given_name)
