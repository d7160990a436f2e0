"""PDF files made on the spot, one image a page, with what a test wants in the image's dictionary and on the page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """An image stream, its dictionary, the matrix that places it (points) and what else the page has."""

    stream: bytes
    image: str
    matrix: tuple[float, ...] = (200, 0, 0, 100, 0, 0)
    page: str = ""
    content: str = ""


def image(rows: int, columns: int, bits: int = 8, space: str = "/DeviceGray", more: str = "") -> str:
    """An image's dictionary."""
    return f"/Width {columns} /Height {rows} /BitsPerComponent {bits} /ColorSpace {space} {more}"


def pdf(*pages: Page) -> bytes:
    """The file (ISO 32000-1 7.5): header, objects, cross-reference table, trailer."""
    bodies = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{3 + 3 * number} 0 R" for number in range(len(pages)))
    bodies.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    for number, page in enumerate(pages):
        first = 3 + 3 * number
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents {first + 1} 0 R {page.page} "
            f"/Resources << /XObject << /Im {first + 2} 0 R >> >> >>".encode()
        )
        drawn = f"q {' '.join(map(str, page.matrix))} cm /Im Do Q {page.content}".encode()
        bodies.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawn), drawn))
        head = f"<< /Type /XObject /Subtype /Image {page.image} /Length {len(page.stream)} >>\nstream\n"
        bodies.append(head.encode() + page.stream + b"\nendstream")
    data, places = b"%PDF-1.5\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(places) + 1} /Root 1 0 R >>\n"
    return data + end.encode() + f"startxref\n{len(data)}\n%%EOF\n".encode()
