"""Damaged and hostile scans become `quarantined` or `review` with a reason, and never a picture with pixels made up."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.errors import FilmroomError, QuarantineError, ReviewError
from tasks.wrap.film.decode import decode
from tests.wrap_film.test_objects import picture, pil, tiff

GRAY = picture(8)
PNG, JPEG = imagecodecs.png_encode(GRAY), pil(GRAY, "JPEG")
SCANS = {"image/tiff": tiff(GRAY), "image/png": PNG, "image/jpeg": JPEG}


@pytest.mark.parametrize("media_type", SCANS)
def test_every_truncation_is_quarantined(media_type: str) -> None:
    data = SCANS[media_type]
    for end in range(1, len(data) - 1, 37):
        with pytest.raises(QuarantineError):
            decode(data[:end], media_type, 1)


@given(data=st.binary(max_size=200), media_type=st.sampled_from(sorted(SCANS)), at=st.integers(0, 10_000))
def test_bytes_overwritten_anywhere_raise_only_our_errors(data: bytes, media_type: str, at: int) -> None:
    scan = bytearray(SCANS[media_type])
    at %= len(scan)
    scan[at : at + len(data)] = data
    try:
        film = decode(bytes(scan), media_type, 1)
    except FilmroomError:
        return
    assert film.pixels.size and film.pixels.dtype in (np.uint8, np.uint16)


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits"])
def test_a_strip_cut_short_is_quarantined(compression: str) -> None:
    data = bytearray(tiff(GRAY, compression=compression, rowsperstrip=61))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        place, length = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    data[place + length // 2 : place + length] = bytes(length - length // 2)
    with pytest.raises(QuarantineError):
        decode(bytes(data), "image/tiff", 1)


def test_png_bomb_is_refused_before_decoding() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(QuarantineError, match="60000 x 60000"):
        decode(bomb, "image/png", 1)


def test_tiff_bomb_is_refused_before_decoding() -> None:
    data = bytearray(tiff(GRAY, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        places = [file.pages[0].tags[name] for name in ("ImageWidth", "ImageLength")]
        for tag in places:
            size = 2 if tag.dtype == 3 else 4
            data[tag.valueoffset : tag.valueoffset + size] = (60_000).to_bytes(size, "little")
    with pytest.raises(QuarantineError, match="60000 x 60000"):
        decode(bytes(data), "image/tiff", 1)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (pil(GRAY, "GIF"), "image/gif"),
        (pil(np.dstack([GRAY] * 4), "BMP"), "image/bmp"),
        (tiff(picture(16, 3), photometric="rgb"), "image/tiff"),
        (tiff(GRAY.astype(np.float32)), "image/tiff"),
        (imagecodecs.png_encode(picture(16, 3)), "image/png"),
        (imagecodecs.png_encode(picture(8, 4)), "image/png"),
        (imagecodecs.png_encode(picture(16, 2)), "image/png"),
        (tiff(picture(8, 4), photometric="rgb", extrasamples=["unassalpha"]), "image/tiff"),
    ],
)
def test_what_is_not_wrapped_yet_goes_to_review_and_says_so(data: bytes, media_type: str) -> None:
    with pytest.raises(ReviewError, match=r"not (wrapped|converted) yet"):
        decode(data, media_type, 1)


def test_cmyk_goes_to_review() -> None:
    with pytest.raises(ReviewError):
        decode(pil(np.asarray(Image.fromarray(picture(8, 3)).convert("CMYK")), "TIFF"), "image/tiff", 1)


def test_png_keeps_only_declared_bits_that_its_pixels_fit() -> None:
    def with_sbit(pixels: np.ndarray[Any, Any]) -> bytes:
        body = b"sBIT\x0c"
        return (
            (data := imagecodecs.png_encode(pixels))[:33]
            + b"\x00\x00\x00\x01"
            + body
            + struct.pack(">I", zlib.crc32(body))
            + data[33:]
        )

    assert decode(with_sbit(picture(12)), "image/png", 1).bits_stored == 12
    assert decode(with_sbit(picture(12) << 4), "image/png", 1).bits_stored == 16


def test_duplicates_changed_files_and_missing_ones(wrap: Callable[..., Any], tmp_path: Path) -> None:
    outcome, _ = wrap("a.tif", SCANS["image/tiff"], row={"duplicate_of": "ffff"})
    assert (outcome.outcome, outcome.rows) == ("duplicate", {})
    assert "see duplicate_of" in outcome.reason
    outcome, staging = wrap("a.tif", SCANS["image/tiff"], row={"sha256": "0" * 64})
    assert outcome.outcome == "waiting"
    assert not staging.exists()


def test_public_hostile_files_raise_only_our_errors(realdata: Path) -> None:
    magic = {b"\x89PNG": "image/png", b"II*\0": "image/tiff", b"MM\0*": "image/tiff", b"\xff\xd8\xff\xe0": "image/jpeg"}
    seen = 0
    for file in sorted((realdata / "hostile").rglob("*")):
        data = file.read_bytes() if file.is_file() else b""
        if data[:4] in magic:
            seen += 1
            try:
                decode(data, magic[data[:4]], 1)
            except FilmroomError:
                continue
    assert seen > 30
