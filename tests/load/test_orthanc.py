"""Load into a real Orthanc, and what Orthanc then holds, read by pydicom alone."""

import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID, HTJ2KLossless

from tasks.errors import StageBlockedError
from tasks.load.stage import load_batch
from tasks.load.target import check_target
from tasks.pixel_data import encapsulated_element, header_bytes
from tests.load import rows
from tests.load.rows import Place
from tests.orthanc import Orthanc, orthanc, start_orthanc

__all__ = ["orthanc"]

JPEG_LS, EXPLICIT, BASELINE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


def load(place: Place, batch: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(outcome.outcome, outcome.reason) for outcome in load_batch(batch, place.context)]


def receipts(place: Place, batch: list[dict[str, Any]]) -> list[Any]:
    outcomes = list(load_batch(batch, place.context))
    assert [outcome.outcome for outcome in outcomes] == ["done"] * len(batch), [outcome.reason for outcome in outcomes]
    return [outcome.rows["receipts"][0] for outcome in outcomes]


def everything(place: Place) -> list[dict[str, Any]]:
    return [rows.native(place, 1), rows.jpeg_ls(place, 2), rows.jpeg(place, 3, "b"), rows.document(place, 4, "b")]


def test_every_kind_is_sent_as_staged_and_proved(tmp_path: Path, orthanc: Orthanc, debian_tool: Callable[[str], str]) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    batch = everything(place)
    written = receipts(place, batch)
    assert [receipt["sent_syntax"] for receipt in written] == [EXPLICIT, JPEG_LS, BASELINE, EXPLICIT]
    assert [receipt["read_back_sha256"] for receipt in written] == [row["pixel_sha256"] for row in batch]
    assert all(receipt["verified"] and receipt["coerced"] == "[]" for receipt in written)
    assert {receipt["target"] for receipt in written} == {f"ORTHANC@127.0.0.1:{orthanc.dicom_port}"}
    held = {}
    for place_of, content in enumerate(orthanc.instances()):
        packed, plain = tmp_path / f"{place_of}.dcm", tmp_path / f"{place_of}.plain.dcm"
        packed.write_bytes(content)
        if pydicom.dcmread(packed).file_meta.TransferSyntaxUID == JPEG_LS:
            subprocess.run([debian_tool("dcmdjpls"), packed, plain], check=True)
            packed = plain
        found = pydicom.dcmread(packed)
        held[str(found.SOPInstanceUID)] = found
    assert held.keys() == {row["sop_instance_uid"] for row in batch}
    for number, row in enumerate(batch[:2], start=1):
        assert np.array_equal(held[row["sop_instance_uid"]].pixel_array, rows.picture(number))
        assert held[row["sop_instance_uid"]].PatientName == "Müller^a"
    assert held[batch[2]["sop_instance_uid"]].file_meta.TransferSyntaxUID == BASELINE
    assert held[batch[3]["sop_instance_uid"]].EncapsulatedDocument.startswith(b"%PDF")


def test_what_is_there_is_proved_and_not_sent_again(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    batch = everything(place)
    receipts(place, batch[:2])
    changes = orthanc.rest("/statistics")
    again = receipts(place, batch)
    assert [receipt["sent_syntax"] for receipt in again] == [EXPLICIT, JPEG_LS, BASELINE, EXPLICIT]
    assert [receipt["read_back_sha256"] for receipt in again] == [row["pixel_sha256"] for row in batch]
    assert changes["CountInstances"] == 2
    assert orthanc.rest("/statistics")["CountInstances"] == 4


def test_other_pixels_under_a_known_uid_are_for_a_person(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    receipts(place, [rows.native(place, 1)])
    other = rows.native(place, 2)
    dataset = rows.header(1, rows.GRAY_WORD, rows.picture(2), 12)
    other |= {"header": header_bytes(dataset), "sop_instance_uid": str(dataset.SOPInstanceUID)}
    [(outcome, reason)] = load(place, [other])
    assert outcome == "review"
    assert reason == "the target holds another object under this UID: its pixels are others"
    assert len(orthanc.instances()) == 1


def test_a_study_under_another_patient_is_not_added_to(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    receipts(place, [rows.native(place, 1)])
    batch = [rows.native(place, 1), rows.native(place, 2), rows.native(place, 3, "b")]
    for row in batch[:2]:
        dataset = rows.header(int(row["item_key"][4:]), rows.GRAY_WORD, rows.picture(1), 12)
        dataset.PatientID = "SOMEONE-ELSE"
        row["header"] = header_bytes(dataset)
    outcomes = load(place, batch)
    assert outcomes[:2] == [("review", "the target holds this study under another patient")] * 2
    assert outcomes[2] == ("done", "")
    assert len(orthanc.instances()) == 2


def test_a_uid_in_another_study_is_found_there(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    receipts(place, [rows.native(place, 1, "a")])
    [(outcome, reason)] = load(place, [rows.native(place, 1, "b")])
    assert (outcome, "in another study" in reason) == ("review", True)
    assert len(orthanc.instances()) == 1


def test_staged_pixels_that_changed_or_went_stop_only_themselves(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    batch = [rows.native(place, number) for number in (1, 2, 3)]
    staged = place.context.staging / batch[0]["path"]
    content = bytearray(staged.read_bytes())
    content[100] ^= 1
    staged.write_bytes(content)
    (place.context.staging / batch[1]["path"]).unlink()
    outcomes = load(place, batch)
    assert [outcome for outcome, _ in outcomes] == ["quarantined", "quarantined", "done"]
    assert "changed on disk" in outcomes[0][1]
    assert len(orthanc.instances()) == 1


def test_a_syntax_it_refuses_goes_decoded_and_proved(tmp_path: Path) -> None:
    with start_orthanc(tmp_path, JpegLosslessTransferSyntaxAccepted=False) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port)
        batch = [rows.jpeg_ls(place, 1)]
        [receipt] = receipts(place, batch)
        assert receipt["sent_syntax"] == EXPLICIT
        assert receipt["read_back_sha256"] == batch[0]["pixel_sha256"]
        [held] = map(pydicom.dcmread, map(BytesIO, orthanc.instances()))
        assert np.array_equal(held.pixel_array, rows.picture(1))


def test_htj2k_which_orthanc_refuses(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    colour = rows.picture(1, (64, 48, 3), 8)
    batch = []
    for number, pixels in ((1, rows.picture(1)), (2, colour)):
        codestream = imagecodecs.htj2k_encode(pixels, reversible=True)
        dataset = rows.header(number, rows.GRAY_WORD if number == 1 else rows.CLASSIC, pixels, 12 if number == 1 else 8)
        batch.append(rows.row(place, dataset, encapsulated_element([codestream]), str(HTJ2KLossless)))
    assert [receipt["sent_syntax"] for receipt in receipts(place, batch)] == [EXPLICIT, EXPLICIT]
    held = {int(found.InstanceNumber): found for found in map(pydicom.dcmread, map(BytesIO, orthanc.instances()))}
    assert np.array_equal(held[1].pixel_array, rows.picture(1))
    assert np.array_equal(held[2].pixel_array, colour)


def test_a_lossy_object_it_refuses_is_for_a_person(tmp_path: Path) -> None:
    with start_orthanc(tmp_path, JpegTransferSyntaxAccepted=False) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port)
        outcomes = load(place, [rows.jpeg(place, 1), rows.native(place, 2)])
        assert [outcome for outcome, _ in outcomes] == ["review", "done"]
        assert "as they are" in outcomes[0][1]


def test_a_target_that_stores_in_another_syntax_is_proved_by_decoding(tmp_path: Path) -> None:
    with start_orthanc(tmp_path, IngestTranscoding=EXPLICIT) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port)
        batch = [rows.jpeg_ls(place, 1)]
        [receipt] = receipts(place, batch)
        assert (receipt["sent_syntax"], receipt["read_back_sha256"]) == (JPEG_LS, batch[0]["pixel_sha256"])
        [held] = map(pydicom.dcmread, map(BytesIO, orthanc.instances()))
        assert held.file_meta.TransferSyntaxUID == EXPLICIT


def test_a_lossy_object_that_was_transcoded_is_for_a_person(tmp_path: Path) -> None:
    with start_orthanc(tmp_path, IngestTranscoding=EXPLICIT) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port)
        [(outcome, reason)] = load(place, [rows.jpeg(place, 1)])
        assert (outcome, "decompressed" in reason) == ("review", True)


def test_a_sop_class_it_does_not_take(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    strange = rows.native(place, 1)
    dataset = rows.header(1, "1.2.840.99999.7", rows.picture(1), 12)
    strange |= {"header": header_bytes(dataset), "sop_class_uid": "1.2.840.99999.7"}
    assert load(place, [strange, rows.native(place, 2)]) == [
        ("review", "the target does not take SOP class 1.2.840.99999.7"),
        ("done", ""),
    ]


def test_more_sop_classes_than_one_association_can_propose(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    classes = [uid for uid in _storage_classes() if uid not in (rows.PDF,)][:70]
    batch = []
    for number, sop_class in enumerate(classes, start=1):
        pixels = rows.picture(number, (4, 4))
        codestream = imagecodecs.jpegls_encode(pixels)
        dataset = rows.header(number, sop_class, pixels, 12)
        batch.append(rows.row(place, dataset, encapsulated_element([codestream]), JPEG_LS))
    outcomes = load(place, batch)
    assert len(outcomes) == 70
    assert {outcome for outcome, _ in outcomes} <= {"done", "review"}
    assert sum(outcome == "done" for outcome, _ in outcomes) == len(orthanc.instances()) >= 60


def _storage_classes() -> list[UID]:
    from pynetdicom import AllStoragePresentationContexts

    return [context.abstract_syntax for context in AllStoragePresentationContexts]


def test_a_target_that_is_down(tmp_path: Path) -> None:
    with start_orthanc(tmp_path) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port)
    with pytest.raises(StageBlockedError, match=r"is down.*start it"):
        load(place, [rows.native(place, 1)])
    with pytest.raises(StageBlockedError, match="is down"):
        check_target(place.context.configuration)


def test_a_target_that_is_called_otherwise(tmp_path: Path) -> None:
    with start_orthanc(tmp_path, DicomCheckCalledAet=True) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port, ae_title="NOBODY")
        with pytest.raises(StageBlockedError, match="rejects our association: it is not called so"):
            load(place, [rows.native(place, 1)])


def test_a_target_that_does_not_know_us(tmp_path: Path) -> None:
    options = {f"DicomAlwaysAllow{what}": False for what in ("Store", "Find", "Get", "Move", "Echo")}
    with start_orthanc(tmp_path, **options) as orthanc:
        place = Place(tmp_path / "w", orthanc.dicom_port, our_ae_title="STRANGER")
        with pytest.raises(StageBlockedError, match=r"STRANGER|allow"):
            load(place, [rows.native(place, 1)])
        assert orthanc.instances() == []


def test_the_doctor_hears_what_it_takes(tmp_path: Path, orthanc: Orthanc) -> None:
    place = Place(tmp_path / "w", orthanc.dicom_port)
    line = check_target(place.context.configuration)
    assert "JPEG-LS Lossless" in line
    assert "\n" not in line
