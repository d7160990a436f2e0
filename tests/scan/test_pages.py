import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import QuarantineError
from tasks.scan.pages import MOST_PAGES, pages_of, pdf_pages_of
from tests.scan.conftest import MakeMigration
from tests.wrap_film.pdfs import Page, image, pdf


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}])
@pytest.mark.parametrize("pages", [1, 2, 7])
def test_pages_are_those_of_tifffile(options: dict[str, object], pages: int) -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **options) as writer:
        for page in range(pages):
            writer.write(np.full((4, 5), page, np.uint8), subfiletype=1 if page == 2 else 0)
    assert pages_of(file) == [page == 2 for page in range(pages)]
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        assert len(tiff.pages) == pages


@pytest.mark.parametrize("folder", ["films/scans", "hostile"])
def test_pages_of_real_files_are_those_of_tifffile(realdata: Path, folder: str) -> None:
    seen = 0
    for path in sorted((realdata / folder).rglob("*.tif*")):
        with path.open("rb") as file:
            if file.read(4) not in (b"II*\0", b"MM\0*"):
                continue
            try:
                with tifffile.TiffFile(path) as tiff:
                    expected = len(tiff.pages)
            except Exception:
                expected = 1  # what cannot be opened is one page, judged where it is decoded
            assert len(pages_of(file)) == max(expected, 1), path.name
            seen += 1
    assert seen > 10


def chain(offsets: list[int]) -> io.BytesIO:
    """A TIFF of directories with one entry each; `offsets` says where each one's successor lies."""
    data = bytearray(struct.pack("<2sHI", b"II", 42, 8))
    for following in offsets:
        data += struct.pack("<HHHIII", 1, 256, 3, 1, 5, following)
    return io.BytesIO(data)


def test_a_chain_that_bites_its_tail_ends() -> None:
    assert pages_of(chain([26, 8])) == [False, False]
    assert pages_of(chain([8])) == [False]


def test_too_many_pages_are_refused() -> None:
    with pytest.raises(QuarantineError, match="10000 pages"):
        pages_of(chain([8 + 18 * (page + 1) for page in range(MOST_PAGES)] + [0]))


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]))
def test_any_bytes_have_pages(noise: bytes, magic: bytes) -> None:
    assert pages_of(io.BytesIO(magic + noise))


def test_a_pdf_of_films_has_an_item_a_page(migration: MakeMigration, film_folder: Path) -> None:
    page = Page(bytes(63), image(9, 7))
    (film_folder / "a.pdf").write_bytes(pdf(page, page, page))
    (film_folder / "b.pdf").write_bytes(b"%PDF-1.7\nno more of it")
    found = migration(("film", film_folder, "")).items()
    assert {path: (item["media_type"], item["pages"]) for path, (_, item) in found.items()} == {
        "a.pdf": ("application/pdf", 3),
        "a.pdf page 2": ("application/pdf", 3),
        "a.pdf page 3": ("application/pdf", 3),
        "b.pdf": ("application/pdf", 1),
    }


@pytest.mark.parametrize("pages", [1, 2, 7])
def test_pages_of_a_pdf(pages: int) -> None:
    assert pdf_pages_of(io.BytesIO(pdf(*[Page(bytes(63), image(9, 7))] * pages))) == [False] * pages


@given(st.binary(max_size=200))
def test_any_pdf_has_pages(noise: bytes) -> None:
    assert pdf_pages_of(io.BytesIO(b"%PDF-1.4\n" + noise))
