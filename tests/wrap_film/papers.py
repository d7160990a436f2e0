"""Sheets of paper made on the spot: a typed report as a scan, and as a PDF of text (ISO 32000-1 by hand)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

REPORT = """ST ELSEWHERE HOSPITAL
DEPARTMENT OF RADIOLOGY

PATIENT: ABERNATHY, MARGARET
PATIENT ID: 4471936
BIRTH DATE: 03/14/1931
DATE OF EXAM: 11/02/1987

EXAMINATION: CHEST PA AND LATERAL

The heart is not enlarged. The lungs are clear of infiltrate.
There is minimal blunting of the left costophrenic angle, which
was present on the examination of 06/12/1984 and is unchanged.
The bony thorax is intact. No pneumothorax is seen.

IMPRESSION: No active disease in the chest.""".splitlines()


def sheet(
    dpi: int = 150,
    paper: tuple[int, int, int] = (250, 248, 240),
    ink: tuple[int, int, int] = (30, 30, 40),
    noise: float = 3,
    tilt: float = 0,
    lines: Sequence[str] = REPORT,
) -> NDArray[np.uint8]:
    """A letter-size page of type, rows x columns x 3."""
    picture = Image.new("RGB", (round(8.5 * dpi), 11 * dpi), paper)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=dpi * 11 / 72)
    for number, line in enumerate(lines):
        draw.text((0.8 * dpi, (0.9 + 0.2 * number) * dpi), line, fill=ink, font=font)
    tilted = np.asarray(picture.rotate(tilt, resample=Image.Resampling.BICUBIC, fillcolor=paper)).astype(np.float32)
    tilted += np.random.default_rng(1).normal(0, noise, tilted.shape)
    return np.clip(tilted, 0, 255).astype(np.uint8)


def text_pdf(*pages: Sequence[str]) -> bytes:
    """A PDF whose pages are text in Helvetica, with nothing else on them."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, lines in enumerate(pages):
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        shown = " ".join(f"({line.replace('(', '').replace(')', '')}) Tj T*" for line in lines)
        content = f"BT /F1 11 Tf 15 TL 60 720 Td {shown} ET".encode()
        bodies.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    return _file(bodies)


def _file(bodies: Sequence[bytes]) -> bytes:
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(bodies) + 1, table)
    return data + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
