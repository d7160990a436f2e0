"""The quality of a film's scan: measures of the array that is decoded anyway, each documented in the `objects` schema.

They serve two readers: the reviewer, who wants the films that came out badly, and whoever answers for the digitizers, who
follows the same measures per device over time. Each is cheap, deterministic and needs little memory at any size of film.
"""

from typing import Any

from numpy.typing import NDArray

from tasks.wrap.film.quality.edges import measure_rise
from tasks.wrap.film.quality.lines import count_line_defects
from tasks.wrap.film.quality.noise import measure_noise
from tasks.wrap.film.quality.specks import count_marks
from tasks.wrap.film.quality.survey import gray_of, survey, working_copy
from tasks.wrap.film.quality.values import measure_values


def measure(pixels: NDArray[Any], bits: int) -> dict[str, Any]:
    """The `qc_*` columns of a film (rows x columns [x 3], uint8 or uint16) whose values have `bits` bits."""
    gray = gray_of(pixels)
    full = 2**bits - 1
    seen = survey(gray, bits)
    working, _ = working_copy(gray)
    marks = count_marks(working, full)
    return {
        **measure_values(seen, bits),
        "qc_noise": measure_noise(gray, full),
        "qc_sharpness": seen.laplacian_variance,
        "qc_edge_rise": measure_rise(gray, full),
        "qc_column_defects": count_line_defects(seen.columns, full),
        "qc_row_defects": count_line_defects(seen.rows, full),
        "qc_specks": marks.specks,
        "qc_scratches": marks.scratches,
    }
