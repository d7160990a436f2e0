import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import StageBlockedError
from tasks.keys import item_key
from tasks.scan.listing import LISTING, jacket_of
from tests.scan.conftest import MakeMigration

NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)


@given(jacket=NAMES, folders=st.lists(NAMES, max_size=3), rest=NAMES, separator=st.sampled_from("_-. "))
def test_a_listed_jacket_is_found_in_folder_or_name(jacket: str, folders: list[str], rest: str, separator: str) -> None:
    other = [folder for folder in folders if folder != jacket]
    assert jacket_of("/".join([*other, f"{jacket}{separator}{rest}.tif"]), {jacket}).jacket == jacket
    assert jacket_of("/".join([*other, jacket, f"{rest}.tif"]), {jacket}).jacket == jacket


@given(folder=NAMES, name=NAMES, separator=st.sampled_from("_-. "))
def test_without_a_listed_jacket_it_is_the_folder_else_the_first_token(folder: str, name: str, separator: str) -> None:
    assert jacket_of(f"{folder}/{name}{separator}1.tif", set()).jacket == folder
    assert jacket_of(f"{name}{separator}1.tif", set()).jacket == name


@given(
    st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12), min_size=1, max_size=4), st.sets(NAMES)
)
def test_every_path_has_a_jacket(parts: list[str], known: set[str]) -> None:
    assert jacket_of("/".join(parts), known).jacket


@pytest.mark.parametrize(
    ("path", "known", "jacket", "torn"),
    [
        ("J-12_PA.tif", {"J-12", "J"}, "J-12", False),  # the longest
        ("box/J1/J2_PA.tif", {"J1", "J2"}, "J1", True),
        ("J1/J1_PA.tif", {"J1"}, "J1", False),
        ("box1/J1/PA.tif", {"J1", "box1"}, "J1", False),  # the innermost
        ("J12.tif", {"J1"}, "J12", False),  # a token, not a beginning
        ("_J1.tif", set(), "_J1", False),
    ],
)
def test_jacket_rule(path: str, known: set[str], jacket: str, torn: bool) -> None:
    named = jacket_of(path, known)
    assert (named.jacket, named.torn) == (jacket, torn)


def test_rows_are_in_order_and_counted_by_group(migration: MakeMigration, film_folder: Path, disc_folder: Path) -> None:
    for name in ("J2_b.tif", "J1_a.tif", "J2_a.tif"):
        (film_folder / name).write_bytes(b"12345")
    (disc_folder / "CD1" / "sub").mkdir(parents=True)
    (disc_folder / "CD1" / "sub" / "IMG").write_bytes(b"1")
    (disc_folder / "CD1" / "link").symlink_to(film_folder)
    (disc_folder / "x.zip").write_bytes(b"1")
    os.mkfifo(disc_folder / "CD1" / "pipe")
    made = migration(("film", film_folder, ""), ("archive", disc_folder, ""))
    rows = made.listing()
    assert list(rows[0]) == [*LISTING.names, "received"]
    assert [(row["path"], row["entry"], row["group_files"]) for row in rows] == [
        ("J1_a.tif", "file", 1), ("J2_a.tif", "file", 2), ("J2_b.tif", "file", 2),
        ("CD1/link", "link", 3), ("CD1/pipe", "special", 3), ("CD1/sub/IMG", "file", 3), ("x.zip", "file", 1),
    ]  # fmt: skip
    assert [row["jacket"] for row in rows] == ["J1", "J2", "J2", None, None, None, None]
    assert len({row["group_key"] for row in rows}) == 4
    assert rows[0]["item_key"] == item_key("film", "J1_a.tif", 1)
    assert rows[0]["bytes"] == 5 and rows[0]["mtime_ns"] == (film_folder / "J1_a.tif").stat().st_mtime_ns
    assert made.listing() == rows


def test_workspace_and_manifest_are_no_part_of_the_source(migration: MakeMigration, tmp_path: Path) -> None:
    (tmp_path / "jackets.csv").write_text("jacket,films\nJ1,1\n")
    (tmp_path / "J1.tif").write_bytes(b"1")
    made = migration(("film", tmp_path, f'manifest = "{tmp_path / "jackets.csv"}"'))
    (made.workspace / "log").mkdir()
    (made.workspace / "log" / "1.parquet").write_bytes(b"1")
    assert [row["path"] for row in made.listing()] == ["J1.tif", "filmroom.toml", "jackets.csv#J1"]


def test_a_name_that_is_not_utf_8_is_listed_and_read(migration: MakeMigration, film_folder: Path) -> None:
    (film_folder / os.fsdecode(b"M\xfcller_1\n.tif")).write_bytes(b"II*\0")
    found = migration(("film", film_folder, "")).items()
    assert list(found) == ["M\\xfcller_1\\x0a.tif"]
    outcome, item = found["M\\xfcller_1\\x0a.tif"]
    assert outcome.outcome == "done" and item["jacket"] == "M\\xfcller"


def test_a_source_that_is_gone_blocks_and_says_what_to_mend(migration: MakeMigration, film_folder: Path) -> None:
    made = migration(("film", film_folder, ""))
    film_folder.rmdir()
    with pytest.raises(StageBlockedError, match=r"'film'.*mount it"):
        made.listing()
