import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import RetryLaterError
from tasks.printable import printable_path, raw_path
from tasks.sources import LARGEST_ITEM, read_item
from tests.scan.conftest import MakeMigration


@given(st.binary(max_size=60))
def test_a_printable_path_is_utf_8_without_control_characters_and_leads_back(raw: bytes) -> None:
    text = printable_path(raw)
    text.encode("utf-8")
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 or character == "!" for character in text)
    assert raw_path(text) == raw


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N")), max_size=40))
def test_letters_and_digits_of_any_script_stay_as_they_are(name: str) -> None:
    assert printable_path(name.encode()) == name


def test_bytes_are_those_that_were_scanned(migration: MakeMigration, disc_folder: Path) -> None:
    (disc_folder / "URGENT!").mkdir()
    (disc_folder / "URGENT!" / "a.dcm").write_bytes(b"one")
    with zipfile.ZipFile(disc_folder / "a.zip", "w") as archive:
        archive.writestr("x/y", b"two")
        with pytest.warns(UserWarning):
            archive.writestr("x/y", b"three")
    made = migration(("archive", disc_folder, ""))
    for path, data in (("URGENT\\x21/a.dcm", b"one"), ("a.zip!x/y", b"two"), ("a.zip!x/y!2", b"three")):
        assert read_item(made.configuration, "archive", path, sha256=hashlib.sha256(data).hexdigest()) == data


@pytest.mark.parametrize("path", ["a.zip!x", "a.zip!gone", "gone", "b"])
def test_what_changed_or_is_gone_waits(migration: MakeMigration, disc_folder: Path, path: str) -> None:
    (disc_folder / "b").write_bytes(b"other")
    with zipfile.ZipFile(disc_folder / "a.zip", "w") as archive:
        archive.writestr("x", b"other")
    made = migration(("archive", disc_folder, ""))
    with pytest.raises(RetryLaterError):
        read_item(made.configuration, "archive", path, sha256=hashlib.sha256(b"once").hexdigest())


def test_an_archive_put_in_the_place_of_another_is_read_anew(migration: MakeMigration, disc_folder: Path) -> None:
    made = migration(("archive", disc_folder, ""))
    for data in (b"first", b"second!"):
        with zipfile.ZipFile(disc_folder / "a.zip", "w") as archive:
            archive.writestr("x", data)
        assert read_item(made.configuration, "archive", "a.zip!x", sha256=hashlib.sha256(data).hexdigest()) == data


def test_a_file_above_the_bound_is_refused_unread(migration: MakeMigration, disc_folder: Path) -> None:
    with (disc_folder / "big").open("wb") as file:
        file.truncate(LARGEST_ITEM + 1)
    made = migration(("archive", disc_folder, ""))
    with pytest.raises(Exception, match="2 GiB"):
        read_item(made.configuration, "archive", "big", sha256="")
