"""DICOMDIRs, right, wrong and damaged, compared with the disc in both directions."""

import io
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import generate_uid

from flows.stages import STAGES
from tasks.scan.directory import is_directory_name, normalised, read_directory
from tests.containers.conftest import disc
from tests.flows.fakes import Engine
from tests.scan.conftest import MakeMigration, Migration

__all__ = ["disc"]

Edit = Callable[[Dataset], object]


def _edited(file: Path, edit: Edit) -> None:
    dataset = dcmread(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the edits write is wrong on purpose
        for record in dataset.DirectoryRecordSequence:
            if "ReferencedFileID" in record:
                edit(record)
        dcmwrite(file, dataset, enforce_file_format=False)


def _spelled(spell: Callable[[str], str]) -> Edit:
    def edit(record: Dataset) -> None:
        record.ReferencedFileID = [spell(part) for part in record.ReferencedFileID]

    return edit


def _with_slashes(record: Dataset) -> None:
    record.ReferencedFileID = "./" + "/".join(record.ReferencedFileID)


@pytest.fixture
def cd(disc: Path, disc_folder: Path) -> Path:
    shutil.copytree(disc, disc_folder / "CD1")
    return disc_folder / "CD1"


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("PT*/**/*") if path.is_file())


def _made(cd: Path, migration: MakeMigration, zipped: bool) -> tuple[Migration, str]:
    """The migration of the disc as a folder, or in a zip; and what stands before its paths."""
    if not zipped:
        return migration(("archive", cd.parent, "")), "CD1/"
    with zipfile.ZipFile(cd.parent / "cd.zip", "w") as archive:
        for path in sorted(cd.rglob("*")):
            archive.write(path, path.relative_to(cd))
    shutil.rmtree(cd)
    return migration(("archive", cd.parent, "")), "cd.zip!"


@pytest.mark.parametrize("zipped", [False, True])
def test_what_is_listed_and_not_there_waits_and_what_is_there_and_not_listed_says_so(
    cd: Path, migration: MakeMigration, zipped: bool
) -> None:
    first, *others = _images(cd)
    first.rename(cd / "ELSEWHERE")
    listed = {path.relative_to(cd).as_posix() for path in others}
    missing = first.relative_to(cd).as_posix()
    made, before = _made(cd, migration, zipped)
    found = {path.removeprefix(before): pair for path, pair in made.items().items()}
    outcome, item = found[f"DICOMDIR#{missing}"]
    assert (outcome.outcome, outcome.reason) == ("waiting", "listed by DICOMDIR, not received")
    assert (item["kind"], item["sha256"], item["bytes"], item["listed_by"]) == ("dicom", None, 0, f"{before}DICOMDIR")
    assert found["DICOMDIR"][0].reason == "a DICOMDIR: it lists 5 objects, each an item of its own; 1 of them not received"
    assert found["ELSEWHERE"][0].outcome == "done"
    assert (found["ELSEWHERE"][1]["listed_by"], found["ELSEWHERE"][1]["listing_conflict"]) == (None, "not listed")
    for path in listed:
        assert (found[path][1]["listed_by"], found[path][1]["listing_conflict"]) == (f"{before}DICOMDIR", None)


@pytest.mark.parametrize("zipped", [False, True])
def test_wrong_uids_of_the_list_are_said_of_the_object_which_goes_on(cd: Path, migration: MakeMigration, zipped: bool) -> None:
    uids = [str(dcmread(path).SOPInstanceUID) for path in _images(cd)]
    paths = [path.relative_to(cd).as_posix() for path in _images(cd)]

    def edit(record: Dataset) -> None:
        number = uids.index(record.ReferencedSOPInstanceUIDInFile)
        if number in (0, 2):
            record.ReferencedSOPClassUIDInFile = "1.2.840.10008.5.1.4.1.1.88.11"
        if number in (1, 2):
            record.ReferencedSOPInstanceUIDInFile = generate_uid()

    classes = [dcmread(path).SOPClassUID for path in _images(cd)]
    assert "1.2.840.10008.5.1.4.1.1.88.11" not in (classes[0], classes[2])
    _edited(cd / "DICOMDIR", edit)
    made, before = _made(cd, migration, zipped)
    found = made.items()
    conflicts = [found[before + path][1]["listing_conflict"] for path in paths]
    assert conflicts == ["SOP Class UID", "SOP Instance UID", "SOP Class UID, SOP Instance UID", None, None]
    assert all(found[before + path][0].outcome == "done" for path in paths)


@pytest.mark.parametrize(
    "edit", [_spelled(str.lower), _with_slashes, _spelled(lambda part: part + ";1"), _spelled(lambda part: part + ".")]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_file_ids_are_read_as_they_are_written_in_the_field(
    cd: Path, migration: MakeMigration, zipped: bool, edit: Edit
) -> None:
    _edited(cd / "DICOMDIR", edit)
    (cd / "DICOMDIR").rename(cd / "dicomdir")
    made, before = _made(cd, migration, zipped)
    images = [item for outcome, item in made.items().values() if item["kind"] == "dicom"]
    assert len(images) == 5
    assert {(item["listed_by"], item["listing_conflict"]) for item in images} == {(f"{before}dicomdir", None)}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("cut", [0.4, 0.9])
def test_a_damaged_dicomdir_is_named_and_the_disc_walked(cd: Path, migration: MakeMigration, zipped: bool, cut: float) -> None:
    data = (cd / "DICOMDIR").read_bytes()
    (cd / "DICOMDIR").write_bytes(data[: int(len(data) * cut)])
    made, before = _made(cd, migration, zipped)
    found = made.items()
    assert found[f"{before}DICOMDIR"][0].outcome == "review" and "damaged" in found[f"{before}DICOMDIR"][0].reason
    images = [outcome.outcome for outcome, item in found.values() if item["kind"] == "dicom"]
    assert images == ["done"] * 5


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("implicit", [False, True])
def test_a_dicomdir_cut_off_anywhere_is_never_taken_for_a_shorter_list(disc: Path, undefined: bool, implicit: bool) -> None:
    dataset = dcmread(disc / "DICOMDIR")
    dataset["DirectoryRecordSequence"].is_undefined_length = undefined
    for record in dataset.DirectoryRecordSequence:
        record.is_undefined_length_sequence_item = undefined
    file = io.BytesIO()
    dcmwrite(file, dataset, implicit_vr=implicit, little_endian=True, force_encoding=True, enforce_file_format=False)
    data = file.getvalue()
    whole = read_directory("DICOMDIR", data).references
    assert whole is not None and len(whole) == 5
    for size in range(140, len(data), 11):
        assert read_directory("DICOMDIR", data[:size]).references in (None, whole)


@pytest.mark.parametrize("zipped", [False, True])
def test_the_dicomdir_that_lies_deepest_counts(cd: Path, migration: MakeMigration, zipped: bool) -> None:
    inner = cd / "COPY"
    shutil.copytree(cd, inner)
    missing = _images(inner)[0].relative_to(cd).as_posix()
    (cd / missing).unlink()
    made, before = _made(cd, migration, zipped)
    found = {path.removeprefix(before): pair for path, pair in made.items().items()}
    by = {item["listed_by"].removeprefix(before) for path, (_, item) in found.items() if path.startswith("COPY/PT")}
    assert by == {"COPY/DICOMDIR"}
    assert [path for path, (outcome, _) in found.items() if outcome.outcome == "waiting"] == [
        f"COPY/DICOMDIR#{missing.removeprefix('COPY/')}"
    ]


def test_an_inactive_record_lists_nothing(disc: Path, tmp_path: Path) -> None:
    shutil.copy(disc / "DICOMDIR", tmp_path / "DICOMDIR")
    _edited(tmp_path / "DICOMDIR", lambda record: setattr(record, "RecordInUseFlag", 0))
    assert read_directory("DICOMDIR", (tmp_path / "DICOMDIR").read_bytes()).references == {}


def test_what_was_missing_is_scanned_when_it_comes_under_whatever_spelling(disc: Path, tmp_path: Path) -> None:
    engine = Engine(tmp_path, stages=tuple(replace(stage, rows=4) for stage in STAGES if stage.name == "scan"))
    engine.file.write_text(
        '[project]\nname = "t"\nworkspace = "ws"\n[[source]]\nkind = "archive"\nname = "a"\npath = "media"\n'
    )
    shutil.copytree(disc, tmp_path / "media" / "CD1")
    first, second, *_ = _images(tmp_path / "media" / "CD1")
    kept = first.read_bytes(), second.read_bytes()
    first.unlink()
    second.unlink()
    missing = "SELECT path, state, reason FROM items WHERE kind = 'dicom' AND sha256 IS NULL ORDER BY path"
    paths = [f"CD1/DICOMDIR#{path.relative_to(tmp_path / 'media' / 'CD1').as_posix()}" for path in (first, second)]
    engine.run()
    assert engine.query(missing) == [(path, "waiting", "listed by DICOMDIR, not received") for path in paths]
    before = engine.snapshot
    engine.run()
    assert engine.snapshot == before and engine.balance.balanced
    first.write_bytes(kept[0])
    second.with_name(second.name.lower()).write_bytes(kept[1])
    engine.run()
    assert engine.query(missing) == [(path, "excluded", "listed, and received since") for path in paths]
    received = "kind = 'dicom' AND sha256 IS NOT NULL"
    scans = f"SELECT count(*) FROM raw_outcomes JOIN items USING (item_key) WHERE {received} GROUP BY item_key"
    assert engine.query(scans) == [(1,)] * 5
    assert engine.query("SELECT count(*) FROM items WHERE sha256 IS NOT NULL AND listed_by = 'CD1/DICOMDIR'") == [(5,)]
    assert engine.balance.balanced
    before = engine.snapshot
    engine.run()
    assert engine.snapshot == before


PART = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=8)


@given(st.lists(PART, min_size=1, max_size=8), st.sampled_from(["", ";1", "."]), st.booleans(), st.sampled_from("/\\"))
def test_a_path_is_the_same_however_it_is_spelled(parts: list[str], end: str, lower: bool, separator: str) -> None:
    path = "/".join(parts)
    spelled = separator.join(parts).replace("\\", "\\x5c") + end
    assert normalised(spelled.lower() if lower else spelled) == normalised(path)


@pytest.mark.parametrize(("path", "is_one"), [("DICOMDIR", True), ("CD1/dicomdir.;1", True), ("DICOMDIR.bak", False)])
def test_the_name_of_a_dicomdir_is_told_from_others(path: str, is_one: bool) -> None:
    assert is_directory_name(path) == is_one


def test_real_file_sets_agree_with_their_dicomdirs(realdata: Path, migration: MakeMigration) -> None:
    """What pydicom ships: a DICOMDIR with all its files, and one of which one directory is a copy."""
    found = migration(("archive", realdata / "dicom" / "pydicom" / "test_files" / "dicomdirtests", "")).items()
    listed = [item for _, item in found.values() if item["listed_by"] == "DICOMDIR"]
    assert len(listed) == 31 and {item["listing_conflict"] for item in listed} == {None}
    tiny = [item for _, item in found.values() if item["listed_by"] == "TINY_ALPHA/DICOMDIR"]
    assert len(tiny) == 50
