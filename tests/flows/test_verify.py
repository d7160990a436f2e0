"""Loaded objects looked at again in archives that changed, lost or doubled some of them."""

from io import BytesIO
from pathlib import Path

import pydicom

from flows.embedded import embedded_pacs
from flows.verify import Verified, verify
from tests.flows.loaded import EMBEDDED, Loading, loading
from tests.orthanc import AE_TITLE, start_orthanc

FILMS = 4


def verified(migration: Loading, sample: float = 1.0) -> Verified:
    return verify(migration.engine.configuration, migration.engine.workspace, sample)


def findings(migration: Loading) -> list[tuple[str, str]]:
    sql = "SELECT sop_instance_uid, expectation FROM findings WHERE suite = 'aftercare' AND severity = 'blocking' ORDER BY ALL"
    return [(str(uid), str(kind)) for uid, kind in migration.engine.query(sql)]


def test_what_rots_in_the_embedded_pacs(tmp_path: Path) -> None:
    migration = loading(tmp_path / "m", FILMS, EMBEDDED)
    migration.run()
    assert verified(migration) == Verified(FILMS, {})
    rotten, lost, *_ = sorted(migration.receipts("sop_instance_uid"))
    with embedded_pacs(migration.engine.configuration, migration.engine.workspace) as pacs:
        assert pacs is not None
        pacs.delete([lost])
        file = pacs.store.path(rotten)
    sound = file.read_bytes()
    file.write_bytes(sound[:-100] + bytes([sound[-100] ^ 1]) + sound[-99:])  # one bit of one pixel
    assert verified(migration) == Verified(FILMS, {"object_changed": 1, "object_vanished": 1})
    assert findings(migration) == sorted([(rotten, "object_changed"), (lost, "object_vanished")])
    assert migration.states() == {"verified": FILMS}
    file.write_bytes(sound)
    assert verified(migration) == Verified(FILMS, {"object_vanished": 1})
    assert findings(migration) == [(lost, "object_vanished")]


def test_what_stands_twice_in_an_orthanc(tmp_path: Path) -> None:
    with start_orthanc(tmp_path) as orthanc:
        target = f'kind = "dimse"\nhost = "127.0.0.1"\nport = {orthanc.dicom_port}\nae_title = "{AE_TITLE}"\n'
        migration = loading(tmp_path / "m", 2, target)
        migration.run()
        copy = pydicom.dcmread(BytesIO(orthanc.instances()[0]))
        copy.StudyInstanceUID, copy.SeriesInstanceUID, copy.PatientID = "1.2.3", "1.2.3.1", "SOMEBODY"
        buffer = BytesIO()
        copy.save_as(buffer)
        orthanc.rest("/instances", "POST", buffer.getvalue())
        assert verified(migration).changes == {"object_changed": 1, "object_stands_twice": 1}
        assert set(findings(migration)) == {
            (str(copy.SOPInstanceUID), f"object_{what}") for what in ("changed", "stands_twice")
        }
        assert "SOMEBODY" not in str(migration.engine.query("SELECT message FROM findings WHERE suite = 'aftercare'"))


def test_a_sample_is_a_share_and_can_be_drawn_again(tmp_path: Path) -> None:
    migration = loading(tmp_path / "m", FILMS, EMBEDDED)
    migration.run()
    assert verified(migration, 0.5) == verified(migration, 0.5)
    assert verified(migration, 0.000001).objects == 0
