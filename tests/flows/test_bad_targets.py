"""A target that is down, is called otherwise or refuses us: the load stops with one line, the rest is done; then it goes on."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flows.command import INDEX, PERSON, Migration, filmroom, new_migration
from tests.load.test_peers import running
from tests.orthanc import free_port, start_orthanc
from tests.pacs.objects import image

# DCMTK's archive, which takes associations from the peers of a table alone.
_TABLE = """
NetworkTCPPort = {port}
MaxPDUSize = 16384
MaxAssociations = 16
HostTable BEGIN
friend = (FRIEND, localhost, 11112)
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
ARCHIVE {folder} RW (200, 1024mb) friend
AETable END
"""


def point_at(migration: Migration, port: int, ae_title: str) -> str:
    """Makes a DIMSE target of the migration's, and gives back how lines name it."""
    text = migration.file.read_text().partition("[target]")[0]
    target = (
        f'[target]\nkind = "dimse"\nhost = "127.0.0.1"\nport = {port}\nae_title = "{ae_title}"\n[run]\nrunner = "threads"\n'
    )
    migration.file.write_text(text + target)
    return f"{ae_title}@127.0.0.1:{port}"


def stopped(migration: Migration) -> str:
    """The line with which a run ends whose load could not go on; all before it is done, and nothing is lost."""
    answer = migration.run()
    assert answer.code == 1
    assert answer.fault.startswith("filmroom: load: target ")
    assert migration.status() == {"waiting": 2, "review": 1}
    return answer.fault


def examined(migration: Migration) -> str:
    """What the doctor says of the target."""
    answer = filmroom("doctor", "-c", migration.file)
    assert (answer.code, answer.faults) == (1, ())
    lines = [line for line in answer.out.splitlines() if "target" in line]
    assert len(lines) == 1
    assert lines[0].startswith("FAIL")
    return lines[0]


@contextmanager
def mute(port: int) -> Iterator[None]:
    """What listens and speaks another protocol."""
    with socket.create_server(("127.0.0.1", port)) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        ended.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(5)


@pytest.mark.slow
def test_targets_that_will_not_have_us(tmp_path: Path, prefect: str, debian_tool: Callable[[str], str]) -> None:
    migration = new_migration(tmp_path / "migration", prefect=prefect)
    person = {"PatientName": "^".join(PERSON), "PatientBirthDate": "19310312"}
    (migration.folder / "media").mkdir()
    for number in (1, 2):
        image(1, 1, number, "4711", size=32, **person).save_as(
            migration.folder / "media" / f"IM{number}", enforce_file_format=True
        )
    text = migration.file.read_text()
    migration.file.write_text(text.replace("[patients]", '[[source]]\nkind = "archive"\npath = "media"\n\n[patients]'))
    assert INDEX in (migration.folder / "mpi.csv").read_text()

    name = point_at(migration, free_port(), "ARCHIVE")
    down = f"target {name} is down (Connection refused): start it or correct [target], then run again"
    assert down in stopped(migration)
    assert down in examined(migration)

    with mute(port := free_port()):
        name = point_at(migration, port, "ARCHIVE")
        assert f"what listens at {name} does not speak DICOM: correct [target] host and port" in examined(migration)

    with start_orthanc(tmp_path, executable=debian_tool("Orthanc"), DicomCheckCalledAet=True) as orthanc:
        name = point_at(migration, orthanc.dicom_port, "NOTORTHANC")
        assert f"target {name} rejects our association" in (line := stopped(migration))
        assert "check [target] ae_title" in line
        assert f"target {name} rejects our association" in examined(migration)

        name = point_at(migration, orthanc.dicom_port, orthanc.ae_title)
        again = migration.run()
        assert (again.code, again.faults) == (0, ())
        assert migration.status() == {"verified": 2, "review": 1}
        assert len(orthanc.instances()) == 2
    migration.assert_whole()


@pytest.mark.parametrize(
    ("ae_title", "named"),
    [("OTHER", "make it know AE title 'FILMROOM', and check [target] ae_title"), ("ARCHIVE", "AE title")],
    ids=["called otherwise", "not in its table"],
)
def test_the_doctor_of_an_archive_that_refuses_us(
    tmp_path: Path, debian_tool: Callable[[str], str], ae_title: str, named: str
) -> None:
    port = free_port()
    (tmp_path / "archive").mkdir()
    (tmp_path / "dcmqrscp.cfg").write_text(_TABLE.format(port=port, folder=tmp_path / "archive"))
    migration = new_migration(tmp_path / "migration")
    name = point_at(migration, port, ae_title)
    with running(port, debian_tool("dcmqrscp"), "-c", tmp_path / "dcmqrscp.cfg"):
        line = examined(migration)
    assert f"target {name}" in line
    assert named in line


def test_the_doctor_of_an_archive_that_refuses_everybody(tmp_path: Path, debian_tool: Callable[[str], str]) -> None:
    port = free_port()
    migration = new_migration(tmp_path / "migration")
    name = point_at(migration, port, "ARCHIVE")
    with subprocess.Popen([debian_tool("storescp"), "--refuse", str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL) as server:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert server.poll() is None
            line = examined(migration)
        finally:
            server.kill()
    assert f"target {name} rejects our association: it gives no reason" in line
