"""TIFF in all the ways it is written: pixels as they were written, or as libtiff (in OpenCV or Pillow) reads them."""

import io
import struct
import tracemalloc
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tasks.errors import QuarantineError, ReviewError
from tasks.wrap.film.decode import decode
from tests.wrap_film.test_objects import picture, pil, tiff

GRAY, COLOUR = picture(8), picture(8, 3)
SMOOTH = cv2.GaussianBlur(np.tile(picture(8), (3, 3)), (9, 9), 0)
SMOOTH_COLOUR = np.dstack([SMOOTH, SMOOTH[::-1], 255 - SMOOTH])


def film_of(data: bytes) -> Any:
    return decode(data, "image/tiff", 1)


def seen_by_libtiff(data: bytes) -> NDArray[Any]:
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert seen is not None
    return np.asarray(seen if seen.ndim == 2 else seen[:, :, ::-1])


def packed_tiff(pixels: NDArray[Any], bits: int, byteorder: str, photometric: int) -> bytes:
    """A TIFF of one strip whose samples follow each other bit by bit, whatever its byte order (TIFF 6.0, FillOrder 1)."""
    samples = (pixels[..., None].astype(int) >> np.arange(bits - 1, -1, -1)) & 1
    strip = np.packbits(samples.reshape(len(pixels), -1).astype(np.uint8), axis=1).tobytes()
    rows, columns = pixels.shape
    values = {256: columns, 257: rows, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: rows, 279: len(strip)}
    entries = b"".join(struct.pack(f"{byteorder}HHII", tag, 4, 1, value) for tag, value in values.items())
    header = struct.pack(f"{byteorder}2sHI", b"II" if byteorder == "<" else b"MM", 42, 8 + len(strip))
    return header + strip + struct.pack(f"{byteorder}H", len(values)) + entries + bytes(4)


@given(
    rows=st.integers(1, 70),
    columns=st.integers(1, 70),
    bits=st.sampled_from([1, 2, 4, 8, 10, 12, 14, 16]),
    seed=st.integers(0, 2**32 - 1),
    byteorder=st.sampled_from("<>"),
    bigtiff=st.booleans(),
    photometric=st.sampled_from(["minisblack", "miniswhite"]),
    compression=st.sampled_from([None, "lzw", "zlib", "packbits", "zstd", "lzma"]),
    layout=st.sampled_from([{}, {"tile": (16, 16)}, {"rowsperstrip": 3}]),
)
def test_gray(
    rows: int, columns: int, bits: int, seed: int, compression: str | None, layout: dict[str, Any], **options: Any
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns)).astype(np.uint8 if bits <= 8 else np.uint16)
    if bits in (8, 16):
        data = tiff(pixels, **options, compression=compression, **layout)
    else:
        data = packed_tiff(pixels, bits, options["byteorder"], 1 if options["photometric"] == "minisblack" else 0)
    film = film_of(data)
    assert np.array_equal(film.pixels, pixels)
    assert film.pixels.dtype.isnative
    assert film.photometric == {"minisblack": "MONOCHROME2", "miniswhite": "MONOCHROME1"}[options["photometric"]]
    assert (film.bits_stored, film.ratio) == (bits, None)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("tile", [None, (32, 32)])
def test_gray_as_libtiff_reads_it(compression: str | None, byteorder: Any, bits: int, tile: Any) -> None:
    data = tiff(picture(bits), compression=compression, byteorder=byteorder, tile=tile)
    assert np.array_equal(film_of(data).pixels, seen_by_libtiff(data))


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize(("compression", "tile"), [(None, None), ("lzw", None), ("lzw", (16, 32)), ("packbits", (16, 32))])
def test_colour(planes: bool, compression: str | None, tile: Any) -> None:
    stored = np.moveaxis(COLOUR, -1, 0) if planes else COLOUR
    options = {"planarconfig": "separate" if planes else "contig", "compression": compression, "tile": tile}
    data = tiff(stored, photometric="rgb", **options)
    film = film_of(data)
    assert (film.photometric, film.bits_stored) == ("RGB", 8)
    assert np.array_equal(film.pixels, COLOUR)
    assert np.array_equal(film.pixels, seen_by_libtiff(data))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("fill_order", [1, 2])
def test_fax(compression: str, fill_order: int) -> None:
    bits = GRAY > 127
    buffer = io.BytesIO()
    Image.fromarray(bits).save(buffer, "TIFF", compression=compression, tiffinfo={266: fill_order})
    film = film_of(buffer.getvalue())
    shown = film.pixels.astype(bool) ^ (film.photometric == "MONOCHROME1")
    assert np.array_equal(shown, np.asarray(Image.open(io.BytesIO(buffer.getvalue()))))
    assert np.array_equal(shown, bits)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_jpeg_of_the_whole_page_keeps_its_entropy_coded_data(photometric: str) -> None:
    data = tiff(SMOOTH, compression="jpeg", compressionargs={"level": 90}, photometric=photometric)
    film = film_of(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    assert film.codestream is not None
    scan = film.codestream[film.codestream.index(b"\xff\xda") :]
    assert scan in data[start : start + count]
    assert np.array_equal(imagecodecs.jpeg8_decode(film.codestream), film.pixels)
    assert film.photometric == {"minisblack": "MONOCHROME2", "miniswhite": "MONOCHROME1"}[photometric]
    assert film.ratio == pytest.approx(SMOOTH.size / count, rel=0.05)
    assert np.abs(film.pixels.astype(int) - SMOOTH).max() <= 12


@pytest.mark.parametrize("options", [{"tile": (64, 64)}, {"rowsperstrip": 32}])
@pytest.mark.parametrize("pixels", [SMOOTH, SMOOTH_COLOUR], ids=["gray", "colour"])
def test_jpeg_in_pieces_is_decoded_and_marked_lossy(pixels: NDArray[Any], options: dict[str, Any]) -> None:
    photometric = "ycbcr" if pixels.ndim == 3 else "minisblack"
    data = tiff(pixels, compression="jpeg", compressionargs={"level": 90}, photometric=photometric, **options)
    film = film_of(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        stored = sum(file.pages[0].databytecounts)
    assert (film.codestream, film.method) == (None, "ISO_10918_1")
    assert film.ratio == pytest.approx(pixels.nbytes / stored)
    assert np.abs(film.pixels.astype(int) - seen_by_libtiff(data)).max() <= 2  # two libraries' colour conversions


def test_lossless_jpeg_in_pieces_is_not_lossy() -> None:
    data = tiff(GRAY, compression="jpeg", compressionargs={"lossless": True}, tile=(32, 32))
    film = film_of(data)
    assert np.array_equal(film.pixels, GRAY)
    assert film.ratio is None


@pytest.mark.parametrize("scale", [257, 256, 1])
def test_palettes(scale: int) -> None:
    def with_palette(entries: NDArray[Any]) -> bytes:
        return tiff(GRAY, photometric="palette", colormap=(entries.astype(np.uint16) * scale).T)

    ramp = np.repeat(np.arange(256)[:, None], 3, axis=1)
    film = film_of(with_palette(ramp))
    assert (film.photometric, film.bits_stored) == ("MONOCHROME2", 8)
    assert np.array_equal(film.pixels, GRAY)
    film = film_of(with_palette(ramp[::-1]))
    assert np.array_equal(film.pixels, 255 - GRAY)
    coloured = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 7)], axis=1)
    film = film_of(with_palette(coloured))
    assert film.photometric == "RGB"
    assert np.array_equal(film.pixels, coloured[GRAY])


def test_a_palette_finer_than_eight_bits_goes_to_review() -> None:
    fine = np.repeat(np.arange(256)[:, None], 3, axis=1).astype(np.uint16) * 255 + 3
    with pytest.raises(ReviewError, match="palette"):
        film_of(tiff(GRAY, photometric="palette", colormap=fine.T))


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("kind", ["gray 8", "gray 16", "colour"])
def test_opaque_alpha_is_left_out_and_said_so(kind: str, planes: bool) -> None:
    pixels = {"gray 8": GRAY, "gray 16": picture(16), "colour": COLOUR}[kind]
    opaque = np.full(GRAY.shape, np.iinfo(pixels.dtype).max, pixels.dtype)

    def with_alpha(alpha: NDArray[Any]) -> bytes:
        stored = np.dstack([pixels, alpha])
        stored = np.moveaxis(stored, -1, 0) if planes else stored
        photometric = "rgb" if kind == "colour" else "minisblack"
        config = "separate" if planes else "contig"
        return tiff(stored, photometric=photometric, planarconfig=config, extrasamples=["unassalpha"])

    film = film_of(with_alpha(opaque))
    assert np.array_equal(film.pixels, pixels)
    assert film.left_out == ("an opaque alpha channel",)
    opaque[3, 4] -= 1
    with pytest.raises(ReviewError, match="transparency"):
        film_of(with_alpha(opaque))


def test_signed_and_floating_numbers_go_to_review() -> None:
    for kind in (np.int16, np.float32, np.float16):
        with pytest.raises(ReviewError, match="number format"):
            film_of(tiff(GRAY.astype(kind)))


def test_an_uncompressed_film_takes_no_second_array() -> None:
    data = tiff(np.zeros((4000, 4000), np.uint16))
    tracemalloc.start()
    film = film_of(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert film.pixels.nbytes == 32_000_000
    assert peak < 2_000_000


def test_a_blank_picture_out_of_a_few_bytes_is_decoded_only_where_it_is_small() -> None:
    small = tiff(np.zeros((2000, 2000), np.uint8), compression="zlib")
    assert film_of(small).pixels.shape == (2000, 2000)
    with pytest.raises(QuarantineError, match="bomb"):
        film_of(tiff(np.zeros((9000, 9000), np.uint8), compression="zlib"))


def test_resolution_in_centimetres_and_none() -> None:
    assert film_of(tiff(GRAY)).dpi == pytest.approx((200, 200))
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, resolution=(100, 50), resolutionunit=3)
    assert film_of(buffer.getvalue()).dpi == pytest.approx((127, 254))
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GRAY, resolution=(100, 50), resolutionunit=1)
    assert film_of(buffer.getvalue()).dpi is None


def test_turned_films_say_so() -> None:
    data = pil(GRAY, "TIFF", tiffinfo={274: 6})
    assert (film_of(data).turn, film_of(data).mirrored) == (90, False)
    assert np.array_equal(np.rot90(film_of(data).pixels, -1), np.asarray(_upright(data)))


def _upright(data: bytes) -> Image.Image:
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert turned is not None
    return turned
