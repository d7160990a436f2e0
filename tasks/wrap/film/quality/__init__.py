"""The quality of a film's scan: measures of the array that is decoded anyway, each documented in the `objects` schema.

They serve two readers: the reviewer, who wants the films that came out badly, and whoever answers for the digitizers, who
follows the same measures per device over time. Each is cheap, deterministic and needs little memory at any size of film.
"""

from typing import Any

from numpy.typing import NDArray

from tasks.configuration import Wedge
from tasks.wrap.film.geometry.film import FilmBounds
from tasks.wrap.film.quality.calibration import measure_wedge
from tasks.wrap.film.quality.edges import measure_rise
from tasks.wrap.film.quality.lines import count_line_defects
from tasks.wrap.film.quality.noise import measure_noise
from tasks.wrap.film.quality.picture import measure_picture
from tasks.wrap.film.quality.place import measure_place
from tasks.wrap.film.quality.specks import count_marks
from tasks.wrap.film.quality.survey import gray_of, survey, working_copy
from tasks.wrap.film.quality.values import measure_values


def measure(
    pixels: NDArray[Any],
    bits: int,
    *,
    photometric: str = "MONOCHROME2",
    dpi: tuple[float, float] | None = None,
    bounds: FilmBounds | None = None,
    wedge: Wedge | None = None,
) -> dict[str, Any]:
    """The `qc_*` columns of a film; what cannot be said of it is `None` or left out.

    Takes pixels (rows x columns [x 3], uint8 or uint16) whose values have `bits` bits, how they are to be shown, the resolution
    (down, across) in dots per inch, the edges of the film where they are known, and the step wedge to look for.
    """
    gray = gray_of(pixels)
    full = 2**bits - 1
    seen = survey(gray, bits)
    working, _ = working_copy(gray)
    marks = count_marks(working, full)
    picture = measure_picture(working)
    return {
        **measure_values(seen, bits),
        "qc_noise": measure_noise(gray, full),
        "qc_sharpness": seen.laplacian_variance,
        "qc_edge_rise": measure_rise(gray, full),
        "qc_nonuniformity": picture.nonuniformity,
        "qc_column_defects": count_line_defects(seen.columns, full),
        "qc_row_defects": count_line_defects(seen.rows, full),
        "qc_specks": marks.specks,
        "qc_scratches": marks.scratches,
        "qc_picture_share": picture.share,
        "qc_blank": picture.blank,
        **measure_place(bounds, dpi),
        **measure_wedge(gray, full, wedge or Wedge(), bright_is_clear=photometric != "MONOCHROME1"),
    }
