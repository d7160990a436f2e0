"""Raw films: pixels as they lie in the file, and descriptions that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.configuration import RAW_FILM, RawFilm, read_configuration
from tasks.errors import ConfigurationError, QuarantineError
from tasks.wrap.film.decode import decode

VIDAR = {"suffix": ".img", "header": 2048, "rows": 61, "columns": 83, "bits": 12, "photometric": "MONOCHROME1"}


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    bits=st.integers(2, 16),
    order=st.sampled_from(["little", "big"]),
    header=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_pixels_are_those_of_the_file(rows: int, columns: int, bits: int, order: Any, header: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns))
    raw = RawFilm(suffix=".raw", header=header, rows=rows, columns=columns, bits=bits, order=order)
    width = 1 if bits <= 8 else 2
    data = bytes(header) + b"".join(int(value).to_bytes(width, order) for value in pixels.ravel())
    assert len(data) == raw.size
    film = decode(data, RAW_FILM, 1, raw)
    assert np.array_equal(film.pixels, pixels)
    assert film.pixels.dtype in (np.uint8, np.uint16) and film.pixels.dtype.isnative
    assert (film.bits_stored, film.photometric, film.ratio) == (bits, "MONOCHROME2", None)


def test_what_contradicts_the_description_is_quarantined() -> None:
    raw = RawFilm.model_validate(VIDAR)
    whole = bytes(2048) + np.full((61, 83), 4095, "<u2").tobytes()
    assert decode(whole, RAW_FILM, 1, raw).photometric == "MONOCHROME1"
    with pytest.raises(QuarantineError, match="12 bits"):
        decode(whole[:-1] + b"\x10", RAW_FILM, 1, raw)
    for data, description in ((whole[:-1], raw), (whole + b"\0", raw), (whole, None)):
        with pytest.raises(QuarantineError, match="no description fits"):
            decode(data, RAW_FILM, 1, description)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("{ suffix = '.img', rows = 0, columns = 9, bits = 8 }", "raw.0.rows"),
        ("{ suffix = '.img', rows = 9, columns = 9, bits = 17 }", "raw.0.bits"),
        ("{ suffix = 'img', rows = 9, columns = 9, bits = 8 }", "raw.0.suffix"),
        ("{ rows = 9, columns = 9, bits = 8 }", "raw.0.suffix is missing"),
        ("{ suffix = '.img', rows = 9, columns = 9, bits = 8, order = 'middle' }", "raw.0.order"),
        (
            "[{ suffix = '.img', rows = 9, columns = 4, bits = 8 }, { suffix = '.IMG', rows = 4, columns = 9, bits = 8 }]",
            "twice",
        ),
    ],
)
def test_a_wrong_description_is_refused_before_anything_runs(raw: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    file = tmp_path / "filmroom.toml"
    head = f'[project]\nname = "x"\nworkspace = "w"\n[[source]]\nkind = "film"\npath = "scans"\nraw = {raw}\n'
    file.write_text(head, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said) as error:
        read_configuration(file)
    assert "[[source]] 1 raw" in str(error.value) and "\n" not in str(error.value)
