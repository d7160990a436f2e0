"""PDF files of films, written from ISO 32000-1 by hand: the image's own pixels come out, and what is paper is said to be."""

import io
import zlib
from contextlib import suppress
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tasks.errors import QuarantineError, ReviewError
from tasks.scan.pages import pdf_pages_of
from tasks.wrap.film.decode import decode
from tests.wrap_film.pdfs import Page, image, pdf
from tests.wrap_film.test_objects import picture, pil

GRAY, COLOUR = picture(8), picture(8, 3)
ROWS, COLUMNS = GRAY.shape
SMOOTH, SMOOTH_COLOUR = cv2.GaussianBlur(GRAY, (9, 9), 0), cv2.GaussianBlur(COLOUR, (9, 9), 0)


def film_of(data: bytes, page: int = 1) -> Any:
    return decode(data, "application/pdf", page)


def packed(pixels: NDArray[Any], bits: int) -> bytes:
    """Samples as 8.9.3 has them: rows begin at bytes, the most significant bit first."""
    samples = (pixels[..., None].astype(int) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(samples.reshape(len(pixels), -1).astype(np.uint8), axis=1).tobytes()


@given(
    rows=st.integers(2, 60),
    columns=st.integers(3, 60),
    bits=st.sampled_from([1, 2, 4, 8, 16]),
    seed=st.integers(0, 2**32 - 1),
    flate=st.booleans(),
    inverted=st.booleans(),
)
def test_gray(rows: int, columns: int, bits: int, seed: int, flate: bool, inverted: bool) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2**bits, (rows, columns)).astype(np.uint8 if bits <= 8 else np.uint16)
    pixels[0, 0], pixels[-1, -1], pixels[0, -1] = 0, 2**bits - 1, 2**bits - 1
    stream = packed(pixels, bits)
    more = ("/Filter /FlateDecode " if flate else "") + ("/Decode [1 0]" if inverted else "")
    film = film_of(pdf(Page(zlib.compress(stream) if flate else stream, image(rows, columns, bits, more=more))))
    assert np.array_equal(film.pixels, pixels)
    assert (film.bits_stored, film.ratio) == (bits, None)
    seen = len(np.unique(pixels[::7, ::7] >> max(0, bits - 8))) > 1
    assert film.photometric == ("MONOCHROME1" if inverted and seen else "MONOCHROME2") or not seen


@pytest.mark.parametrize("bits", [8, 16])
def test_predictors_are_undone(bits: int) -> None:
    pixels = picture(bits)
    octets = pixels.astype(">u2").view(np.uint8) if bits == 16 else pixels
    up = np.vstack([octets[:1], np.diff(octets, axis=0)])  # filter type 2 of PNG
    lines = np.hstack([np.full((ROWS, 1), 2, np.uint8), up])
    parameters = f"/DecodeParms << /Predictor 15 /Columns {COLUMNS} /BitsPerComponent {bits} >>"
    more = f"/Filter /FlateDecode {parameters}"
    film = film_of(pdf(Page(zlib.compress(lines.tobytes()), image(ROWS, COLUMNS, bits, more=more))))
    assert np.array_equal(film.pixels, pixels)


def test_colour_and_palettes() -> None:
    stream = zlib.compress(COLOUR.tobytes())
    film = film_of(pdf(Page(stream, image(ROWS, COLUMNS, space="/DeviceRGB", more="/Filter /FlateDecode"))))
    assert film.photometric == "RGB" and np.array_equal(film.pixels, COLOUR)
    indices = (GRAY > 127).astype(np.uint8)
    film = film_of(pdf(Page(indices.tobytes(), image(ROWS, COLUMNS, space="[/Indexed /DeviceRGB 1 <102030 a0b0c0>]"))))
    assert film.photometric == "RGB"
    assert np.array_equal(film.pixels, np.array([[0x10, 0x20, 0x30], [0xA0, 0xB0, 0xC0]], np.uint8)[indices])
    film = film_of(pdf(Page(indices.tobytes(), image(ROWS, COLUMNS, space="[/Indexed /DeviceGray 1 <30a0>]"))))
    assert film.photometric == "MONOCHROME2"
    assert np.array_equal(film.pixels, np.array([0x30, 0xA0], np.uint8)[indices])


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
def test_jpeg_streams_keep_their_entropy_coded_data(wrapped: bool, inverted: bool) -> None:
    stream = pil(SMOOTH, "JPEG", quality=90)
    more = "/Filter [/FlateDecode /DCTDecode]" if wrapped else "/Filter /DCTDecode"
    more += " /Decode [1 0]" if inverted else ""
    film = film_of(pdf(Page(zlib.compress(stream) if wrapped else stream, image(ROWS, COLUMNS, more=more))))
    assert film.codestream is not None and film.codestream[film.codestream.index(b"\xff\xda") :] in stream
    assert np.array_equal(film.pixels, imagecodecs.jpeg8_decode(stream))
    assert film.photometric == ("MONOCHROME1" if inverted else "MONOCHROME2")
    stream = pil(SMOOTH_COLOUR, "JPEG", quality=90)
    film = film_of(pdf(Page(stream, image(ROWS, COLUMNS, space="/DeviceRGB", more="/Filter /DCTDecode"))))
    assert (film.photometric, film.transfer_syntax) == ("YBR_FULL_422", "1.2.840.10008.1.2.4.50")


def test_jpeg_2000_streams_are_decoded() -> None:
    for pixels, bits in ((GRAY, 8), (picture(16), 16)):
        stream = bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="jp2", reversible=True))
        film = film_of(pdf(Page(stream, image(ROWS, COLUMNS, bits, more="/Filter /JPXDecode"))))
        assert np.array_equal(film.pixels, pixels)
        assert (film.bits_stored, film.ratio) == (bits, None)


@pytest.mark.parametrize("black_is_1", [False, True])
def test_fax_streams(black_is_1: bool) -> None:
    ones = GRAY > 127
    buffer = io.BytesIO()
    Image.fromarray(ones).save(buffer, "TIFF", compression="group4")
    with Image.open(buffer) as tiff:
        assert tiff.tag_v2[262] == 1  # type: ignore[attr-defined]
        start, count = tiff.tag_v2[273][0], tiff.tag_v2[279][0]  # type: ignore[attr-defined]
    parameters = f"<< /K -1 /Columns {COLUMNS} /Rows {ROWS} /BlackIs1 {str(black_is_1).lower()} >>"
    more = f"/Filter /CCITTFaxDecode /DecodeParms {parameters}"
    film = film_of(pdf(Page(buffer.getvalue()[start : start + count], image(ROWS, COLUMNS, 1, more=more))))
    # The coder's black runs are the ones of the TIFF; PDF shows 0 as black unless told otherwise (table 11).
    assert np.array_equal(film.pixels, ones if black_is_1 else ~ones)
    assert (film.bits_stored, film.photometric) == (1, "MONOCHROME2")


UPRIGHT, LEFT, OVER, RIGHT = (
    (200, 0, 0, 100, 0, 0),
    (0, 100, -200, 0, 200, 0),
    (-200, 0, 0, -100, 200, 100),
    (0, -100, 200, 0, 0, 100),
)
MIRRORED = (-200, 0, 0, 100, 200, 0)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("matrix", [UPRIGHT, LEFT, OVER, RIGHT, MIRRORED])
def test_placement_is_as_the_page_is_drawn(matrix: tuple[int, ...], rotation: int) -> None:
    corner = np.full((ROWS, COLUMNS), 255, np.uint8)
    corner[:20, :30] = 0
    corner[0, 30:60] = 128
    box = "/MediaBox [0 0 200 200]" if matrix in (LEFT, RIGHT) else "/MediaBox [0 0 200 100]"
    data = pdf(Page(corner.tobytes(), image(ROWS, COLUMNS), matrix, f"/Rotate {rotation} /CropBox {box[9:]}"))
    film = film_of(data)
    shown = np.rot90(np.fliplr(film.pixels) if film.mirrored else film.pixels, -(film.turn or 0) // 90)
    drawn = pypdfium2.PdfDocument(data)[0].render(scale=1).to_numpy()[:, :, 0]
    if matrix in (LEFT, RIGHT):
        drawn = _without_border(drawn, matrix, rotation)
    seen = cv2.resize(shown, drawn.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(seen.astype(int) - drawn).mean() < 3


def _without_border(drawn: NDArray[Any], matrix: tuple[int, ...], rotation: int) -> NDArray[Any]:
    """The drawn page where its image lies: 200 points wide and 100 high before the page is turned, at its foot."""
    height = 100
    return {0: drawn[-height:], 90: drawn[:, :height], 180: drawn[:height], 270: drawn[:, -height:]}[rotation]


def test_resolution_is_that_of_the_placement() -> None:
    # 2 x 1 inches, of 83 columns and 61 rows
    film = film_of(pdf(Page(GRAY.tobytes(), image(ROWS, COLUMNS), (144, 0, 0, 72, 0, 0))))
    assert film.dpi == pytest.approx((61, 41.5))
    assert (film.turn, film.mirrored) == (None, None)
    film = film_of(pdf(Page(GRAY.tobytes(), image(ROWS, COLUMNS), (0, 72, -144, 0, 144, 0))))
    assert film.dpi == pytest.approx((30.5, 83))


def test_each_page_is_its_own() -> None:
    sixteen = picture(16)
    data = pdf(Page(GRAY.tobytes(), image(ROWS, COLUMNS)), Page(sixteen.astype(">u2").tobytes(), image(ROWS, COLUMNS, 16)))
    assert pdf_pages_of(io.BytesIO(data)) == [False, False]
    assert np.array_equal(film_of(data, 1).pixels, GRAY)
    assert np.array_equal(film_of(data, 2).pixels, sixteen)


PAPER = {
    "drawings": Page(GRAY.tobytes(), image(ROWS, COLUMNS), content="0 0 10 10 re f"),
    "a second image": Page(GRAY.tobytes(), image(ROWS, COLUMNS), content="q 10 0 0 10 0 0 cm /Im Do Q"),
}
OTHERWISE = {
    "a stencil": Page(packed(GRAY > 127, 1), f"/Width {COLUMNS} /Height {ROWS} /BitsPerComponent 1 /ImageMask true"),
    "CMYK": Page(np.dstack([GRAY] * 4).tobytes(), image(ROWS, COLUMNS, space="/DeviceCMYK")),
    "other colours": Page(COLOUR.tobytes(), image(ROWS, COLUMNS, space="/DeviceRGB", more="/Decode [1 0 1 0 1 0]")),
    "colour of 16 bits": Page(picture(16, 3).astype(">u2").tobytes(), image(ROWS, COLUMNS, 16, "/DeviceRGB")),
    "askew": Page(GRAY.tobytes(), image(ROWS, COLUMNS), (100, 30, -30, 100, 50, 0)),
}


@pytest.mark.parametrize("kind", PAPER | OTHERWISE)
def test_what_is_no_film_or_not_wrapped_yet_goes_to_review(kind: str) -> None:
    with pytest.raises(ReviewError, match="PDF"):
        film_of(pdf((PAPER | OTHERWISE)[kind]))


def test_a_page_without_an_image_is_paper() -> None:
    data = pdf(Page(GRAY.tobytes(), image(ROWS, COLUMNS))).replace(b"/Im Do", b"      ")
    with pytest.raises(ReviewError, match="paper"):
        film_of(data)


def test_an_encrypted_file_is_quarantined(realdata: Any) -> None:
    data = pdf(Page(GRAY.tobytes(), image(ROWS, COLUMNS)))
    locked = data.replace(
        b"/Root 1 0 R",
        b"/Root 1 0 R /Encrypt << /Filter /Standard /V 1 /R 2 /O <"
        + b"00" * 32
        + b"> /U <"
        + b"11" * 32
        + b"> /P -4 >> /ID [<00> <00>]",
    )
    with pytest.raises(QuarantineError, match="password"):
        film_of(locked)


@given(data=st.data())
def test_damage_raises_only_our_errors(data: st.DataObject) -> None:
    whole = pdf(Page(zlib.compress(GRAY.tobytes()), image(ROWS, COLUMNS, more="/Filter /FlateDecode")))
    at = data.draw(st.integers(0, len(whole) - 1))
    with suppress(QuarantineError, ReviewError):
        film_of(whole[:at])
    noise = data.draw(st.binary(min_size=1, max_size=20))
    with suppress(QuarantineError, ReviewError):
        film_of(whole[:at] + noise + whole[at + len(noise) :])


def test_a_blank_picture_out_of_a_few_bytes_is_not_decoded() -> None:
    blank = zlib.compress(bytes(9000 * 9000), 9)
    with pytest.raises(QuarantineError, match="bomb"):
        film_of(pdf(Page(blank, image(9000, 9000, more="/Filter /FlateDecode"))))
