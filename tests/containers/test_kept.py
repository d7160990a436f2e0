import io
import os
import threading
from pathlib import Path

import pytest

from tasks.containers import kept as module
from tasks.containers.kept import IN_MEMORY, Growing, kept

LARGE = bytes(IN_MEMORY) + b"1"
KEYS = [f"{number:032x}" for number in range(4)]


def _fill(data: bytes, calls: list[int]) -> object:
    def fill(growing: Growing) -> None:
        calls.append(1)
        for at in range(0, len(data), 2**20):
            growing.write(data[at : at + 2**20])

    return fill


def test_what_is_large_is_unpacked_once_for_all_who_ask_at_the_same_time(tmp_path: Path) -> None:
    calls: list[int] = []
    contents: list[bytes] = []

    def ask() -> None:
        with kept(tmp_path, KEYS[0], _fill(LARGE, calls)) as file:
            contents.append(file.read())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents == [LARGE] * 4 and len(calls) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEYS[0]]


def test_what_is_small_is_not_written_to_disk(tmp_path: Path) -> None:
    with kept(tmp_path, KEYS[0], _fill(b"small", [])) as file:
        assert isinstance(file, io.BytesIO) and file.getvalue() == b"small"
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    def fail(growing: Growing) -> None:
        growing.write(LARGE)
        raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        kept(tmp_path, KEYS[0], fail)
    assert not list(tmp_path.iterdir())
    with kept(tmp_path, KEYS[0], _fill(LARGE, [])) as file:
        assert file.read() == LARGE


def test_the_one_not_used_for_longest_makes_room_and_who_has_it_open_reads_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_KEPT", 2 * len(LARGE))
    files = [kept(tmp_path, key, _fill(LARGE, [])) for key in KEYS[:2]]
    for second, key in enumerate(KEYS[:2]):
        os.utime(tmp_path / key, (second, second))
    kept(tmp_path, KEYS[0], _fill(LARGE, [])).close()  # now the second is the older one
    kept(tmp_path, KEYS[2], _fill(LARGE, [])).close()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {KEYS[0], KEYS[2]}
    for file in files:
        assert file.read() == LARGE
        file.close()


def test_one_that_needs_another_on_the_way_gets_it(tmp_path: Path) -> None:
    def fill(growing: Growing) -> None:
        with kept(tmp_path, KEYS[1], _fill(LARGE, [])) as other:
            growing.write(other.read(3))

    with kept(tmp_path, KEYS[0], fill) as file:
        file.seek(0)
        assert file.read() == LARGE[:3]


def test_truncation_cuts_off_in_memory_and_on_disk(tmp_path: Path) -> None:
    for number, size in enumerate((10, len(LARGE))):
        growing = Growing(tmp_path / str(number))
        growing.write(bytes(size))
        growing.truncate(size - 4)
        growing.write(b"end")
        file = growing.finished() or (tmp_path / str(number)).open("rb")
        file.seek(0)
        assert file.read() == bytes(size - 4) + b"end"
        file.close()
