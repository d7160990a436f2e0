"""Raw films are taken by their description, where name and size fit it and no signature says otherwise."""

from pathlib import Path

import numpy as np

from tasks.configuration import RAW_FILM
from tasks.wrap.film.decode import decode
from tests.scan.conftest import MakeMigration
from tests.wrap_film.test_objects import pil

TOML = 'raw = { suffix = ".img", header = 2048, rows = 61, columns = 83, bits = 12, photometric = "MONOCHROME1" }'


def test_scan_takes_by_name_and_size_what_has_no_signature(migration: MakeMigration, film_folder: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 4096, (61, 83)).astype("<u2")
    whole = bytes(2048) + pixels.tobytes()
    files = {
        "J1/film.img": whole,
        "J1/FILM2.IMG": whole,
        "J1/short.img": whole[:-2],
        "J1/other.raw": whole,
        "J1/tiff.img": pil(np.zeros((8, 8), np.uint8), "TIFF"),
        "J1/empty.img": b"",
    }
    for name, data in files.items():
        path = film_folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    made = migration(("film", film_folder, TOML))
    found = {path: (outcome.outcome, item["media_type"]) for path, (outcome, item) in made.items().items()}
    assert found == {
        "J1/film.img": ("done", RAW_FILM),
        "J1/FILM2.IMG": ("done", RAW_FILM),
        "J1/short.img": ("quarantined", "application/octet-stream"),
        "J1/other.raw": ("quarantined", "application/octet-stream"),
        "J1/tiff.img": ("done", "image/tiff"),
        "J1/empty.img": ("quarantined", None),
    }
    reasons = made.reasons()
    assert "12172 bytes where 12174 are described" in reasons["J1/short.img"][1]
    source = made.configuration.sources["film"]
    assert source.kind == "film"
    fitting = source.raw_film("J1/FILM2.IMG", len(whole))
    assert np.array_equal(decode(whole, RAW_FILM, 1, fitting).pixels, pixels)


def test_bright_bytes_that_look_like_text_are_told_by_their_size(migration: MakeMigration, film_folder: Path) -> None:
    raw = 'raw = [{ suffix = ".img", rows = 9, columns = 7, bits = 8 }, { suffix = ".img", rows = 5, columns = 5, bits = 8 }]'
    (film_folder / "a.img").write_bytes(b"x" * 63)
    (film_folder / "b.img").write_bytes(b"x" * 25)
    (film_folder / "c.img").write_bytes(b"x" * 26)
    found = migration(("film", film_folder, raw)).items()
    kinds = {path: item["media_type"] for path, (_, item) in found.items()}
    assert kinds == {"a.img": RAW_FILM, "b.img": RAW_FILM, "c.img": "text/plain"}
