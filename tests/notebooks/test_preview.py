"""Previews of staged pixels: what is dark is dark, whatever the header calls it."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from tasks.errors import QuarantineError
from tasks.preview import Region, crops, jpeg, preview, staged_object

RAMP = np.tile(np.arange(0, 4000, 10, dtype=np.uint16), (300, 1))  # dark on the left


def dataset(pixels: np.ndarray[Any, Any], photometric: str = "MONOCHROME2", **attributes: Any) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SamplesPerPixel = 3 if pixels.shape[-1] == 3 else 1
    made.PlanarConfiguration = 0
    made.PhotometricInterpretation = photometric
    made.Rows, made.Columns = pixels.shape[:2]
    made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
    made.HighBit = made.BitsStored - 1
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    made.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def rises(picture: np.ndarray[Any, Any]) -> bool:
    """Black on the left, white on the right."""
    return bool(picture[:, 0].max() < 8 and picture[:, -1].min() > 247 and (np.diff(picture[5].astype(int)) >= 0).all())


@pytest.mark.parametrize(
    ("pixels", "attributes"),
    [
        (RAMP, {}),
        (RAMP[:, ::-1], {"photometric": "MONOCHROME1"}),
        (RAMP.astype(np.int16) - 1024, {}),
        (RAMP | 0x8000, {"BitsStored": 12, "HighBit": 11}),  # an overlay above Bits Stored
        ((RAMP // 16).astype(np.uint8), {}),
    ],
    ids=["unsigned", "monochrome1", "signed", "overlay", "8 bits"],
)
def test_gray(pixels: np.ndarray[Any, Any], attributes: dict[str, Any]) -> None:
    picture = preview(dataset(np.ascontiguousarray(pixels), **attributes), 100)
    assert picture.dtype == np.uint8
    assert picture.shape == (75, 100)
    assert rises(picture)


def test_twelve_bits_signed() -> None:
    values = RAMP.astype(np.int16) - 2000
    picture = preview(dataset((values & 0x0FFF).astype(np.uint16), BitsStored=12, HighBit=11, PixelRepresentation=1), 100)
    assert rises(picture)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_label_is_cut_out_upright(turn: int, mirrored: bool) -> None:
    label = np.full((40, 90), 3000, np.uint16)
    label[:10, :30] = 0  # dark in the upper left corner
    lying = np.rot90(label, turn // 90)  # undoes a clockwise turn
    lying = lying[:, ::-1] if mirrored else lying
    film = np.full((300, 400), 1500, np.uint16)
    film[100 : 100 + lying.shape[0], 200 : 200 + lying.shape[1]] = lying
    (crop,) = crops(dataset(film), [Region(200, 100, lying.shape[1], lying.shape[0], turn, mirrored)], 500)
    assert crop.shape == (48, 98)  # a tenth of its height around it
    assert np.array_equal(crop[4:-4, 4:-4], np.where(label == 0, 0, 255))


def test_colours_stay_and_reach_the_file() -> None:
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 200
    assert (preview(dataset(red, "RGB"), 100)[5, 5] == (200, 0, 0)).all()
    ycc = np.tile(np.array([76, 85, 255], np.uint8), (40, 60, 1))  # red by PS3.3 C.7.6.3.1.2
    shown = preview(dataset(ycc, "YBR_FULL"), 100)[5, 5].astype(int)
    assert shown[0] > 240 and shown[1:].max() < 15
    file = cv2.imdecode(np.frombuffer(jpeg(preview(dataset(red, "RGB"), 100)), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert abs(file[20, 30].astype(int) - (200, 0, 0)).max() < 6


def test_palette() -> None:
    pixels = np.zeros((40, 60), np.uint8)
    pixels[:, 30:] = 1
    made = dataset(pixels, "PALETTE COLOR")
    for colour, second in (("Red", 0), ("Green", 0xFFFF), ("Blue", 0)):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [2, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", np.array([0, second], "<u2").tobytes())
    picture = preview(made, 100)
    assert (picture[5, 5] == (0, 0, 0)).all() and (picture[5, 55] == (0, 255, 0)).all()
    del made.RedPaletteColorLookupTableData
    with pytest.raises(QuarantineError, match="colours cannot be shown"):
        preview(made, 100)


def test_the_middle_frame_of_several() -> None:
    frames = [np.full((20, 20), value, np.uint8) for value in (0, 0, 0)]
    frames[1][:, 10:] = 9
    picture = preview(dataset(frames[0], NumberOfFrames=3, PixelData=b"".join(frame.tobytes() for frame in frames)), 100)
    assert (picture[:, :10] == 0).all() and (picture[:, 10:] == 255).all()


def test_a_few_marks_on_a_sheet_are_seen_and_an_even_one_is_shown() -> None:
    sheet = np.zeros((300, 300), np.uint16)
    assert preview(dataset(sheet), 300).max() == 0
    sheet[100:103, 100:103] = 700
    assert preview(dataset(sheet), 300)[101, 101] == 255


def test_pixels_that_are_gone(tmp_path: Path) -> None:
    with pytest.raises(QuarantineError, match="gone"):
        staged_object(tmp_path, {"path": "00/none.pixels", "sha256": ""})
