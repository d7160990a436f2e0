"""Whether pictures on a bed are films that may be cut apart, or may be views on one film.

Two views exposed on one film, or printed on one, look much like films side by side.
"""

from collections.abc import Sequence

from tasks.wrap.film.geometry.film import FilmBounds


def doubt_about(films: Sequence[FilmBounds], left_over: int) -> str | None:
    """Why these (two or more) may not be cut apart; `None` where nothing speaks against it."""
    return "something on the bed is no film" if left_over else None
