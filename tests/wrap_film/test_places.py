"""A place on the scan is found again on the stored picture, and the text there is set upright."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.wrap.film.places import StoredAs
from tasks.wrap.film.turn import permuted

TURNS = st.sampled_from([0, 90, 180, 270])


@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    turn=TURNS,
    mirrored=st.booleans(),
    upright=TURNS,
    reflected=st.booleans(),
    data=st.data(),
)
def test_the_same_pixels_lie_there(
    rows: int, columns: int, turn: int, mirrored: bool, upright: int, reflected: bool, data: st.DataObject
) -> None:
    scan = np.arange(rows * columns).reshape(rows, columns)
    left, top = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    width, height = data.draw(st.integers(1, columns - left)), data.draw(st.integers(1, rows - top))
    stored = permuted(scan, turn, mirrored)

    place = StoredAs(rows, columns, turn, mirrored).place((left, top, width, height), upright, reflected)

    found = stored[place["top"] : place["top"] + place["height"], place["left"] : place["left"] + place["width"]]
    assert np.array_equal(
        permuted(found, place["turn"], place["mirrored"]),
        permuted(scan[top : top + height, left : left + width], upright, reflected),
    )
