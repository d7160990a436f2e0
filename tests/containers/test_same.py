"""One disc in every container gives the same items and the same objects, but for the container in path and key."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.containers.disc import open_disc
from tasks.errors import QuarantineError
from tasks.stage import StageContext
from tasks.wrap.stage import wrap_batch
from tests.containers.conftest import DEEP, MAKERS
from tests.scan.conftest import MakeMigration, Migration, migration

__all__ = ["migration"]

_OWN = {"item_key", "path", "group_key", "group_files", "listed_by"}
_OWN_OF_OBJECT = {"object_key", "item_key", "group_key", "assembly_key", "path"}


def _items(made: Migration, prefix: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    found = {}
    for path, (outcome, item) in made.items().items():
        if path.startswith(prefix):
            facts = {name: value for name, value in item.items() if name not in _OWN}
            assert (item["listed_by"] or prefix + "DICOMDIR") == prefix + "DICOMDIR"
            found[path.removeprefix(prefix)] = outcome.outcome, outcome.reason, facts | {"listed": bool(item["listed_by"])}
    return found


def _objects(made: Migration, prefix: str) -> dict[str, dict[str, Any]]:
    context = StageContext(made.configuration, made.workspace, "wrap")
    rows = [dict(item) | {"duplicate_of": None} for outcome, item in made.items().values() if outcome.outcome == "done"]
    objects = {}
    for row in rows:
        for outcome in wrap_batch([row], context):
            assert outcome.outcome == "done", outcome.reason
            [made_of] = outcome.rows["objects"]
            facts = {name: value for name, value in made_of.items() if name not in _OWN_OF_OBJECT}
            staged = (context.staging / made_of["path"]).read_bytes() if made_of.get("path") else b""
            objects[row["path"].removeprefix(prefix)] = facts | {"staged": hashlib.sha256(staged).hexdigest()}
    return objects


@pytest.fixture
def as_folder(disc: Path, migration: MakeMigration, tmp_path: Path) -> Migration:
    folder = tmp_path / "plain"
    shutil.copytree(disc, folder / "set")
    return migration(("archive", folder / "set", ""))


def test_the_folder_itself_is_scanned_as_its_files_are(as_folder: Migration) -> None:
    items = _items(as_folder, "")
    outcomes = {path: outcome for path, (outcome, _, _) in items.items()}
    images = [path for path in items if path.startswith("PT")]
    assert len(images) == 5 and all(outcomes.pop(path) == "done" for path in images)
    assert outcomes == {
        "AUTORUN.INF": "excluded", "DICOMDIR": "excluded", "EMPTY": "quarantined", "README.TXT": "review",
        "VIEWER.EXE": "excluded", f"{DEEP}/IM": "review", "Übersicht und ein recht langer Name.txt": "review",
    }  # fmt: skip
    assert all(items[path][2]["listed"] and not items[path][2]["listing_conflict"] for path in images)
    assert items["DICOMDIR"][1] == "a DICOMDIR: it lists 5 objects, each an item of its own"


@pytest.mark.parametrize("name", MAKERS)
def test_a_container_gives_what_the_folder_gives(
    name: str, container: Callable[[str], Path], as_folder: Migration, migration: MakeMigration
) -> None:
    prefix = f"{name}!inner/disc.iso!" if name == "nested.zip" else f"{name}!"
    expected = _items(as_folder, ""), _objects(as_folder, "")
    made = migration(("archive", container(name).parent, ""))
    assert _items(made, prefix) == expected[0]
    assert _objects(made, prefix) == expected[1]
    outer = made.items()[name][0]
    assert (outer.outcome, outer.reason.split(":")[0]) == ("excluded", "an archive")


def test_an_empty_file_is_found_once_whatever_its_names(
    tmp_path: Path, debian_tool: Callable[[str], str], migration: MakeMigration
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "an empty file with a long name").touch()
    (tmp_path / "set" / "IM").write_bytes(b"1")
    (tmp_path / "source").mkdir()
    command = [debian_tool("genisoimage"), "-quiet", "-J", "-o", str(tmp_path / "source" / "a.iso"), str(tmp_path / "set")]
    subprocess.run(command, check=True, capture_output=True)
    reasons = migration(("archive", tmp_path / "source", "")).reasons()
    assert set(reasons) == {"a.iso", "a.iso!IM", "a.iso!an empty file with a long name"}


@pytest.mark.parametrize(
    "medium",
    ["--media-type=cdr --udfrev=0x0150", "--media-type=cdr --udfrev=0x0201", "--media-type=cdrw", "--media-type=hd -b 512"],
)
def test_the_root_of_udf_on_every_kind_of_medium_is_found(
    medium: str, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    """An empty volume has no member, and no folder that is damaged; without its last part, where write-once media have their
    table, it is refused.
    """
    image = tmp_path / "a.udf"
    subprocess.run([debian_tool("mkudffs"), "--new-file", *medium.split(), image, "20000"], check=True, capture_output=True)
    with image.open("rb") as file:
        opened = open_disc(file)
        assert (dict(opened.members), opened.fault) == ({}, "")
    if "cdr " in medium:
        image.write_bytes(image.read_bytes()[: -100 * 2048])
        with image.open("rb") as file, pytest.raises(QuarantineError, match="none of its volumes"):
            open_disc(file)


def test_an_apple_volume_beside_is_said(
    disc: Path, tmp_path: Path, debian_tool: Callable[[str], str], migration: MakeMigration
) -> None:
    (tmp_path / "source").mkdir()
    command = [debian_tool("genisoimage"), "-quiet", "-hfs", "-R", "-o", str(tmp_path / "source" / "a.iso"), str(disc)]
    subprocess.run(command, check=True, capture_output=True)
    reasons = migration(("archive", tmp_path / "source", "")).reasons()
    assert reasons["a.iso"][0] == "review" and "Apple volume" in reasons["a.iso"][1]
    assert reasons["a.iso!DICOMDIR"][0] == "excluded"


def test_without_other_names_those_of_iso_9660_are_taken_without_version(
    container: Callable[[str], Path], disc: Path, tmp_path: Path, debian_tool: Callable[[str], str], migration: MakeMigration
) -> None:
    folder = tmp_path / "iso"
    folder.mkdir()
    command = [debian_tool("genisoimage"), "-quiet", "-D", "-o", str(folder / "plain.iso"), str(disc)]
    subprocess.run(command, check=True, capture_output=True)
    paths = {path for path in migration(("archive", folder, "")).reasons() if "UBERS" not in path.upper()}
    assert {path.removeprefix("plain.iso!") for path in paths} >= {"AUTORUN.INF", "DICOMDIR", "EMPTY", f"{DEEP}/IM"}
