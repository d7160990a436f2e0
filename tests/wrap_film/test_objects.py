"""Every kind of scan becomes a valid object with the pixels of its source: judged by dciodvfy, pydicom and DCMTK."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tasks.pixel_data import decoded_frames
from tasks.validate.iod import check
from tests.validate.raw_objects import elements_of
from tests.wrap_film.objects import save, whole_object

BYTE, WORD, COLOUR, BIT, CLASSIC = (f"1.2.840.10008.5.1.4.1.1.7{tail}" for tail in (".2", ".3", ".4", ".1", ""))
CODECS = ("jpeg-ls", "jpeg2000", "htj2k", "rle", "none")


def picture(bits: int, samples: int = 1) -> NDArray[Any]:
    """A film-like gradient with noise: 61 rows x 83 columns [x 3]."""
    shape = (61, 83) if samples == 1 else (61, 83, samples)
    noise = np.random.default_rng(bits).integers(0, 2**bits, shape)
    ramp = np.linspace(0, 2**bits - 1, shape[1]).astype(int)
    ramp = ramp[:, None] if samples > 1 else ramp
    return ((noise + 3 * ramp) // 4).astype(np.uint8 if bits <= 8 else np.uint16)


def tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, resolution=(200, 200), resolutionunit=2, **options)
    return buffer.getvalue()


def pil(pixels: NDArray[Any], form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def kinds() -> dict[str, tuple[str, bytes, str, NDArray[Any] | None]]:
    """By name: file name, file, SOP class, pixels expected (`None` where lossy decoders decide)."""
    gray8, gray12, gray16, colour = picture(8), picture(12), picture(16), picture(8, 3)
    bit = (picture(8) > 127).astype(np.uint8)
    ycc = {"quality": 90}
    return {
        "tiff 8": ("a.tif", tiff(gray8), BYTE, gray8),
        "tiff 8 lzw": ("a.tif", tiff(gray8, compression="lzw"), BYTE, gray8),
        "tiff 12 in 16": ("a.tif", tiff(gray12, extratags=[(281, 3, 1, 4095, True)]), WORD, gray12),
        "tiff 16 big endian": ("a.tif", tiff(gray16, byteorder=">"), WORD, gray16),
        "tiff 16 tiles": ("a.tif", tiff(gray16, tile=(16, 16), compression="zlib"), WORD, gray16),
        "tiff white is zero": ("a.tif", tiff(gray16, photometric="miniswhite"), CLASSIC, gray16),
        "tiff 1 bit": ("a.tif", tiff(bit.astype(bool), photometric="minisblack"), BIT, bit),
        "tiff 1 bit white is zero": ("a.tif", tiff(bit.astype(bool), photometric="miniswhite"), CLASSIC, bit),
        "tiff colour": ("a.tif", tiff(colour, photometric="rgb"), COLOUR, colour),
        "tiff colour planes": (
            "a.tif",
            tiff(np.moveaxis(colour, -1, 0), photometric="rgb", planarconfig="separate"),
            COLOUR,
            colour,
        ),
        "png 8": ("a.png", imagecodecs.png_encode(gray8), BYTE, gray8),
        "png 16": ("a.png", imagecodecs.png_encode(gray16), WORD, gray16),
        "png 1 bit": ("a.png", pil(bit.astype(bool), "PNG"), BIT, bit),
        "png colour": ("a.png", imagecodecs.png_encode(colour), COLOUR, colour),
        "jpeg gray": ("a.jpg", pil(gray8, "JPEG", **ycc), BYTE, None),
        "jpeg progressive": ("a.jpg", pil(gray8, "JPEG", progressive=True), BYTE, None),
        "jpeg colour 4:2:0": ("a.jpg", pil(colour, "JPEG", subsampling=2), COLOUR, None),
        "jpeg colour 4:2:2": ("a.jpg", pil(colour, "JPEG", subsampling=1), COLOUR, None),
        "jpeg colour 4:4:4": ("a.jpg", pil(colour, "JPEG", subsampling=0), COLOUR, None),
        "jpeg RGB": ("a.jpg", imagecodecs.jpeg8_encode(colour, colorspace="RGB", outcolorspace="RGB"), CLASSIC, None),
        "jpeg-ls 12 bit": ("a.jls", bytes(imagecodecs.jpegls_encode(gray12)), WORD, gray12),
        "jpeg-ls near-lossless": ("a.jls", bytes(imagecodecs.jpegls_encode(gray8, level=2)), BYTE, None),
        "jpeg 2000": (
            "a.jp2",
            bytes(imagecodecs.jpeg2k_encode(gray16, level=0, codecformat="jp2", reversible=True)),
            WORD,
            gray16,
        ),
        "jpeg 2000 irreversible": (
            "a.jp2",
            bytes(imagecodecs.jpeg2k_encode(gray8, level=30, codecformat="jp2", reversible=False)),
            BYTE,
            None,
        ),
        "bmp": ("a.bmp", pil(gray8, "BMP"), BYTE, gray8),
        "bmp 1 bit": ("a.bmp", pil(bit.astype(bool), "BMP"), BIT, bit),
        "bmp colour": ("a.bmp", pil(colour, "BMP"), COLOUR, colour),
        "graymap 12 bit": ("a.pgm", b"P5 83 61 4095\n" + gray12.astype(">u2").tobytes(), WORD, gray12),
        "bitmap": ("a.pgm", b"P4 83 61\n" + np.packbits(bit, axis=1).tobytes(), CLASSIC, bit),
        "webp lossless": ("a.webp", pil(colour, "WEBP", lossless=True), COLOUR, colour),
        "webp": ("a.webp", pil(colour, "WEBP", quality=80), COLOUR, None),
        "jpeg progressive colour": ("a.jpg", pil(colour, "JPEG", progressive=True), COLOUR, None),
    }


KINDS = kinds()
Wrap = Callable[..., Any]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dpi", [150.0, None])
def test_object_passes_dciodvfy(
    kind: str, dpi: float | None, wrap: Wrap, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    name, data, sop_class, _ = KINDS[kind]
    outcome, staging = wrap(name, data, dpi=dpi)
    assert outcome.outcome == "done", outcome.reason
    (row,) = outcome.rows["objects"]
    assert row["sop_class_uid"] == (sop_class if dpi or name == "a.tif" else CLASSIC)
    file = save(row, staging, tmp_path / "object.dcm")
    done = subprocess.run([debian_tool("dciodvfy"), "-new", file], capture_output=True, text=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "Warning"))]
    # "is only permitted to be empty when actually unknown": which it is.
    assert [line for line in complaints if not line.startswith("Warning - </Laterality(0020,0060)>")] == []
    assert check(elements_of(file)) == []


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", [kind for kind, (_, _, _, pixels) in KINDS.items() if pixels is not None])
def test_pixels_are_those_of_the_scan(kind: str, codec: str, wrap: Wrap) -> None:
    name, data, _, pixels = KINDS[kind]
    outcome, staging = wrap(name, data, codec=codec)
    assert outcome.outcome == "done", outcome.reason
    dataset = whole_object(outcome.rows["objects"][0], staging)
    assert pixels is not None
    # pydicom has no JPEG-LS and HTJ2K decoder without plugins; those are OpenJPEG's and CharLS's here, and DCMTK's below.
    decoded = next(decoded_frames(dataset)) if codec in ("jpeg-ls", "htj2k") else dataset.pixel_array
    np.testing.assert_array_equal(decoded, pixels)
    assert dataset.LossyImageCompression == "00"


@pytest.mark.parametrize("kind", ["tiff 16 tiles", "tiff 8", "png colour", "tiff 1 bit"])
@pytest.mark.parametrize("codec", ["jpeg-ls", "rle", "none"])
def test_dcmtk_reads_the_same_pixels(
    kind: str, codec: str, wrap: Wrap, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    name, data, _, pixels = KINDS[kind]
    outcome, staging = wrap(name, data, codec=codec)
    file = save(outcome.rows["objects"][0], staging, tmp_path / "object.dcm")
    tool = {"jpeg-ls": "dcmdjpls", "rle": "dcmdrle", "none": "dcmconv"}[codec if kind != "tiff 1 bit" else "none"]
    subprocess.run([debian_tool(tool), file, tmp_path / "plain.dcm"], check=True, capture_output=True)
    plain = pydicom.dcmread(tmp_path / "plain.dcm")
    if plain.get("PlanarConfiguration") == 1:
        np.testing.assert_array_equal(
            np.moveaxis(np.frombuffer(plain.PixelData, np.uint8)[: 3 * 61 * 83].reshape(3, 61, 83), 0, -1), pixels
        )
    else:
        np.testing.assert_array_equal(plain.pixel_array, pixels)


def test_twelve_bits_declared_in_a_sixteen_bit_container(wrap: Wrap) -> None:
    outcome, _ = wrap(*KINDS["tiff 12 in 16"][:2])
    assert outcome.rows["objects"][0]["bits_stored"] == 12
    undeclared, _ = wrap("b.tif", tiff(picture(12)))
    assert undeclared.rows["objects"][0]["bits_stored"] == 16


def test_jpeg_keeps_its_entropy_coded_data_and_loses_names(wrap: Wrap) -> None:
    clean = KINDS["jpeg gray"][1]
    named = clean[:2] + b"\xff\xfe\x00\x0aDOE JANE" + b"\xff\xe1\x00\x0aEXIFNAME" + clean[2:] + b"DOE JANE" + clean
    outcome, staging = wrap("a.jpg", named)
    (row,) = outcome.rows["objects"]
    element = (staging / row["path"]).read_bytes()
    assert b"DOE" not in element and b"EXIF" not in element
    dataset = whole_object(row, staging)
    np.testing.assert_array_equal(dataset.pixel_array, imagecodecs.jpeg_decode(clean))
    scan = clean[clean.index(b"\xff\xda") :]
    assert scan in element
    assert row["pixel_hash_kind"] == "codestream"
    assert dataset.LossyImageCompression == "01" and dataset.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(dataset.LossyImageCompressionRatio) == pytest.approx(61 * 83 / len(clean), rel=0.05)


@pytest.mark.parametrize(
    ("resolution", "expected"), [((300, 300), 300), ((72, 72), 150), ((96, 96), 150), ((10, 10), 150), ((9600, 9600), 150)]
)
def test_implausible_resolution_gives_way_to_the_digitizer(resolution: tuple[int, int], expected: int, wrap: Wrap) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, picture(8), resolution=resolution, resolutionunit=2)
    outcome, staging = wrap("a.tif", buffer.getvalue())
    dataset = whole_object(outcome.rows["objects"][0], staging)
    assert [float(v) for v in dataset.NominalScannedPixelSpacing] == pytest.approx([25.4 / expected] * 2, rel=1e-6)
    assert "PixelSpacing" not in dataset


def test_unequal_resolution_gives_row_then_column_spacing(wrap: Wrap) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, picture(8), resolution=(254, 127), resolutionunit=2)  # across, down
    outcome, staging = wrap("a.tif", buffer.getvalue())
    dataset = whole_object(outcome.rows["objects"][0], staging)
    assert [float(v) for v in dataset.NominalScannedPixelSpacing] == pytest.approx([0.2, 0.1])


def test_header_says_who_scanned_and_when(wrap: Wrap) -> None:
    outcome, staging = wrap("a.tif", tiff(picture(8), datetime="1999:03:04 05:06:07"))
    dataset = whole_object(outcome.rows["objects"][0], staging)
    assert (dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture) == ("19990304", "050607")
    assert (dataset.ConversionType, dataset.Modality, dataset.BurnedInAnnotation) == ("DF", "RG", "YES")
    (item,) = dataset.ContributingEquipmentSequence
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "FILMD"
    assert item.DeviceSerialNumber == dataset.SecondaryCaptureDeviceID == "4711"
    assert dataset.PatientOrientation == "" or dataset.PatientOrientation is None
