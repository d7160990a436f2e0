"""Bad films, discs and folders: each item has its state and a reason, what is good beside it is done, the balance adds up."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.conftest import absent
from tests.flows.command import FILMROOM, INDEX, film, new_migration, said

_WITHOUT_ROOTS_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
REVIEW = ("review", "no patient could be read")

# The reason (or its beginning) of each bad item.
BAD = {
    "empty.tif": ("quarantined", "the file is empty"),
    "truncated.tif": ("quarantined", "a truncated TIFF: its image data end before they should"),
    "torn-head.tif": ("quarantined", "a damaged TIFF"),
    "huge.tif": ("quarantined", "a picture of 60000 x 60000 pixels is none that can be wrapped"),
    "noise.tif": ("quarantined", "not an image format known here"),
    "bomb.zip": ("quarantined", "an archive of 1 members that unpack to 1500000000 bytes: not opened, it may be a bomb"),
    "broken.zip": ("quarantined", "a damaged zip archive"),
    "nested.zip": ("excluded", "an archive: its 2 members are items of their own"),
    "nested.zip!inner.zip": (
        "quarantined",
        "an archive of 1 members that unpack to 1500000000 bytes: not opened, it may be a bomb",
    ),
    "nested.zip!../../slip.tif": ("quarantined", "its path leads out of the archive"),
    "pipe.tif": ("excluded", "not a file but a pipe"),
    "link.tif": ("excluded", "a link, which is not followed"),
    "caf\\xe9.tif": REVIEW,
}


def write_bad_items(folder: Path) -> None:
    tiff = folder / "truncated.tif"
    tifffile.imwrite(tiff, film(100))
    whole = tiff.read_bytes()
    tiff.write_bytes(whole[:-200])
    (folder / "torn-head.tif").write_bytes(whole[:60])
    (folder / "empty.tif").touch()
    (folder / "noise.tif").write_bytes(np.random.default_rng(1).bytes(5000))
    tifffile.imwrite(
        folder / "huge.tif", shape=(60000, 60000), dtype=np.uint8, compression="zlib", data=iter([b"\0"]), rowsperstrip=60000
    )
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("film.tif", bytes(100_000))
        bomb.infolist()[0].file_size = 1_500_000_000
    shutil.copy(folder / "bomb.zip", folder / "inner.zip")
    with zipfile.ZipFile(folder / "nested.zip", "w") as nested:
        nested.write(folder / "inner.zip", "inner.zip")
        tifffile.imwrite(folder / "slip.tif", film(101))
        nested.write(folder / "slip.tif", "../../slip.tif")
    (folder / "inner.zip").unlink()
    (folder / "slip.tif").unlink()
    (folder / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(500))
    os.mkfifo(folder / "pipe.tif")
    (folder / "link.tif").symlink_to("J1_1.tif")
    tifffile.imwrite(folder / "plain.tif", film(102))
    os.rename(folder / "plain.tif", os.fsencode(folder) + b"/caf\xe9.tif")  # noqa: PTH104 (pathlib takes no bytes)


@pytest.mark.slow
def test_bad_items_stop_nothing(tmp_path: Path, prefect: str) -> None:
    """The patient index breaks far below its first lines, too: that stops a stage, and not those before it."""
    migration = new_migration(tmp_path / "migration", films=2, prefect=prefect)
    write_bad_items(migration.scans)
    index = migration.folder / "mpi.csv"
    index.write_bytes(INDEX.encode() + INDEX.splitlines()[1].encode().join([b"\n"] * 500) + b"X\xc9,X,X,X,X\n")
    first = migration.run()
    assert first.code == 1
    assert f"filmroom: reconcile: {index}: the patient index cannot be read as CSV in UTF-8: correct the file" == first.fault
    states = migration.states()
    assert states.keys() == {*BAD, "J1_1.tif", "J1_2.tif"}
    assert {states[path][0] for path, expected in {**BAD, "J1_1.tif": REVIEW}.items() if expected == REVIEW} == {"waiting"}
    assert migration.status()["waiting"] == 3

    index.write_text(INDEX)
    second = migration.run()
    assert (second.code, second.faults) == (0, ())
    states = migration.states()
    assert states["J1_1.tif"] == states["J1_2.tif"] == REVIEW
    for path, (state, reason) in BAD.items():
        assert states[path][0] == state, (path, states[path])
        assert states[path][1].startswith(reason), (path, states[path])
    assert sum(migration.status().values()) == len(states)
    assert not (tmp_path / "slip.tif").exists()
    migration.assert_whole()


@pytest.mark.slow
def test_what_cannot_be_read_now_is_done_when_it_can(tmp_path: Path, prefect: str) -> None:
    """A source that may not be listed stops the scan; a film that grows while it is scanned waits, and is taken up again."""
    migration = new_migration(tmp_path / "migration", films=2, prefect=prefect)
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            absent("setpriv, which makes root obey permissions, is not installed (Debian's util-linux)")
        prefix = _WITHOUT_ROOTS_RIGHTS
    migration.scans.chmod(0)
    try:
        first = migration.run(prefix=prefix)
    finally:
        migration.scans.chmod(0o700)
    assert first.code == 1
    assert "scan: source 'scans' cannot be listed (Permission denied): mount it or mend its permissions" in first.fault
    assert migration.status() == {}

    growing_film = migration.scans / "J1_2.tif"
    size = growing_film.stat().st_size
    os.truncate(growing_film, 10**9)  # takes a while to read
    grower = "import sys, time\nwhile True:\n open(sys.argv[1], 'ab').write(b'x'); time.sleep(0.01)"
    growing = subprocess.Popen([sys.executable, "-c", grower, str(growing_film)])
    with subprocess.Popen(
        [FILMROOM, "run", "-c", migration.file],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PREFECT_API_URL": prefect},
    ) as run:
        assert run.stderr is not None
        try:
            first_line = run.stderr.readline()  # the first scan is through
        finally:
            growing.kill()
            growing.wait()
            os.truncate(growing_film, size)
        out, err = run.communicate(timeout=120)
    second = said(run.returncode, out, first_line + err)
    assert (second.code, second.faults) == (0, ())
    waited = "SELECT outcome, reason FROM raw_outcomes WHERE stage = 'scan' AND outcome = 'waiting'"
    assert migration.query(waited) == [{"outcome": "waiting", "reason": "changed while it was read"}]
    assert migration.states() == {"J1_1.tif": REVIEW, "J1_2.tif": REVIEW}
    migration.assert_whole()
