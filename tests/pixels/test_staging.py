"""A staged element is whole and synced before it has its name, and stays only where the proof that runs beside it succeeds."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from tasks.pixel_data import SEQUENCE_DELIMITER, Part, encapsulated_element, encapsulated_parts, native_element, native_parts
from tasks.staging import read_element, stage_element, staged_meanwhile

KEY = "ab" + "0" * 30
PARTS: list[Part] = [b"head", memoryview(b"pixels" * 1000), b"", b"tail"]
WHOLE = b"head" + b"pixels" * 1000 + b"tail"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@given(st.binary(min_size=1, max_size=40), st.sampled_from([bytes, memoryview]))
def test_pieces_make_the_elements_of_the_standard(value: bytes, kind: type) -> None:
    # PS3.5 7.1.2: tag, VR, two reserved bytes, length; a value of odd length is padded (8.1.1).
    padded = value + b"\0" * (len(value) % 2)
    native = b"\xe0\x7f\x10\x00OW\0\0" + len(padded).to_bytes(4, "little") + padded
    assert b"".join(native_parts(kind(value), "OW")) == native_element(value, "OW") == native
    # PS3.5 A.4, the fragments by pydicom's own encapsulation.
    element = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + encapsulate([value], has_bot=False) + SEQUENCE_DELIMITER
    assert b"".join(encapsulated_parts(kind(value))) == encapsulated_element([value]) == element


def test_what_is_put_down_meanwhile_is_what_is_put_down_at_once(tmp_path: Path) -> None:
    with staged_meanwhile(tmp_path / "a", KEY, PARTS) as staged:
        pass
    assert staged == stage_element(tmp_path / "b", KEY, WHOLE)
    assert (staged.bytes, staged.sha256) == (len(WHOLE), hashlib.sha256(WHOLE).hexdigest())
    assert read_element(tmp_path / "a", staged.path, staged.sha256) == WHOLE
    assert len(files(tmp_path)) == 2


def test_the_file_is_synced_before_it_has_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    sync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(("synced", "folder" if place.is_dir() else place.name))
        assert place.is_dir() or place.read_bytes() == WHOLE
        sync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        done.append(("renamed", self.name))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    with staged_meanwhile(tmp_path, KEY, PARTS) as staged:
        pass
    temporary = f".{Path(staged.path).name}.{os.getpid()}"
    assert done == [("synced", temporary), ("renamed", temporary), ("synced", "folder")]


def test_nothing_stays_where_the_proof_fails_but_what_lay_there_before(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not proved"), staged_meanwhile(tmp_path, KEY, PARTS):
        raise ValueError("not proved")
    assert files(tmp_path) == []
    before = stage_element(tmp_path, KEY, WHOLE)
    with pytest.raises(ValueError, match="not proved"), staged_meanwhile(tmp_path, KEY, PARTS):
        raise ValueError("not proved")
    assert read_element(tmp_path, before.path, before.sha256) == WHOLE


def test_a_disk_that_does_not_take_it_is_told_after_the_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), staged_meanwhile(tmp_path, KEY, PARTS):
        pass
    assert files(tmp_path) == []
