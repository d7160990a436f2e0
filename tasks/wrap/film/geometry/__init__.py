"""Where films lie on the scanner bed, and how a scan of several becomes several objects.

`find_films` finds them and says where there is a doubt, `film_bounds` gives them alone, `split` cuts them out without
touching a pixel, `describe_split` says so in DICOM attributes.
"""

from tasks.wrap.film.geometry.bounds import Found, film_bounds, find_films
from tasks.wrap.film.geometry.film import FilmBounds
from tasks.wrap.film.geometry.split import Part, describe_split, split

__all__ = ["FilmBounds", "Found", "Part", "describe_split", "film_bounds", "find_films", "split"]
