"""Films with labels made up on the spot, and what each label says: more kinds of them than any one collection holds.

Film `number` is the same on every machine that has the same fonts. Layouts, headings, date styles, typefaces, contrast, blur,
grain, skew, turn and mirroring vary on their own; names and numbers are drawn from lists and belong to nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONT_FOLDERS = (Path("/usr/share/fonts/truetype"), Path("/usr/share/fonts/opentype"))
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSansCondensed", "DejaVuSerif", "LiberationSans-Regular",
    "LiberationSans-Bold", "LiberationSansNarrow-Regular", "LiberationMono-Regular", "LiberationMono-Bold",
    "LiberationSerif-Regular", "NimbusMonoPS-Regular", "NimbusMonoPS-Bold", "NimbusSans-Regular", "NimbusSansNarrow-Bold",
    "C059-Roman", "URWGothic-Book", "NotoSansMono-Regular", "P052-Roman",
)  # fmt: skip
FAMILIES = (
    "ABBOTT", "BRZEZINSKI", "CASTELLANO", "D'AMICO", "EKSTROM", "FAIRWEATHER", "GOLDBLUM", "HUTCHINGS", "IVERSEN", "JAKOBSEN",
    "KOWALCZYK", "LINDQVIST", "MACALLISTER", "NAKAMURA", "O'LEARY", "PEMBERTON", "QUIGLEY", "ROSENTHAL", "SALAZAR",
    "THIBODEAUX", "UNDERHILL", "VANDERBERG", "WESTERFIELD", "YAMAGUCHI", "ZIMMERMANN", "LEE", "COX", "HALL-BAKER", "NOVOTNY",
    "FISCHER",
)  # fmt: skip
GIVENS = (
    "AGNES", "BERTRAM", "CLARA", "DMITRI", "EDITH", "FLORENCE", "GUSTAV", "HAZEL", "IRVING", "JOSEPHINE", "KATHLEEN", "LEWIS",
    "MILDRED", "NORMAN", "OPAL", "PERCY", "QUENTIN", "ROSALIND", "STANLEY", "THELMA", "URSULA", "VICTOR", "WINIFRED", "XAVIER",
    "YVONNE", "ZACHARY", "ANN", "JO", "MAX", "IDA",
)  # fmt: skip
INSTITUTIONS = (
    "ST LUKES HOSPITAL", "RIVERSIDE CLINIC", "NORTHERN GENERAL", "LAKEVIEW MEDICAL CENTER", "ROYAL INFIRMARY",
    "EASTGATE RADIOLOGY",
)  # fmt: skip
YEARS = (1955, 2004)
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_HEADINGS = {
    "patient_name": ("NAME: ", "PATIENT: ", "PT: ", "PATIENT NAME: ", "NAME ", "", ""),
    "patient_id": ("ID: ", "MRN ", "MRN: ", "PAT NO ", "HOSP NO ", "CHART NO: ", "UNIT NO ", "PID ", "#", "PT ID "),
    "birth_date": ("DOB ", "DOB: ", "D.O.B. ", "BORN ", "BIRTH DATE ", "BD: "),
    "study_date": ("EXAM ", "DATE ", "DATE: ", "STUDY DATE: ", "TAKEN ", "EXAM DATE ", ""),
    "accession": ("ACC ", "ACC NO ", "XR NO ", "ACCESSION ", "X-RAY NO ", "FILM NO "),
}
_STYLES = ("overlay", "flash_dark", "flash_light", "flash_faint", "sticker", "sticker", "typed90")


@dataclass(frozen=True)
class LabelFilm:
    """A film (rows x columns, 8 or 12 bits in uint8 or uint16), the kind of its label and what that says, by field."""

    pixels: NDArray[Any]
    style: str
    fields: dict[str, str]
    barcode: str
    turn: int  # clockwise degrees that set the label upright, after undoing the mirroring
    mirrored: bool


@lru_cache(maxsize=1)
def font_files() -> tuple[Path, ...]:
    """Files of `FONTS` that are on this machine."""
    there = {path.stem: path for folder in FONT_FOLDERS for path in sorted(folder.rglob("*.[to]tf"))}
    return tuple(there[name] for name in FONTS if name in there)


def label_film(number: int, grounds: Sequence[Path] = ()) -> LabelFilm:
    """Film `number`; `grounds` are radiographs to put its label on, else a ground is made up."""
    random = np.random.default_rng(number)
    style = _STYLES[number % len(_STYLES)]
    ground = _radiograph(random, grounds[number % len(grounds)]) if grounds else _made_up_ground(random)
    lines, fields = _label_lines(random)
    barcode = (
        fields["patient_id"] if "patient_id" in fields and random.random() < 0.3 and style in ("sticker", "typed90") else ""
    )
    picture = _with_label(random, ground, style, lines, barcode)
    picture = _degraded(random, picture)
    mirrored, quarter = bool(random.random() < 0.08), int(random.integers(4))
    picture = np.ascontiguousarray(np.rot90(np.fliplr(picture) if mirrored else picture, quarter))
    if random.random() < 0.3:
        picture = picture.astype(np.uint16) * 16 + random.integers(0, 16, picture.shape, dtype=np.uint16)
    turn = ((-90 if mirrored else 90) * quarter + (90 if style == "typed90" else 0)) % 360
    return LabelFilm(picture, style, fields, barcode, turn, mirrored)


def _label_lines(random: np.random.Generator) -> tuple[list[str], dict[str, str]]:
    """Lines of a label and its fields: names FAMILY^GIVEN, dates YYYYMMDD."""

    def pick(choices: Sequence[str]) -> str:
        return choices[int(random.integers(len(choices)))]

    family, given = pick(FAMILIES), pick(GIVENS)
    if random.random() < 0.15:
        given = f"{given} {pick('ABCDEFGHJKLMNPRSTW')}"
    fields = {"patient_name": f"{family}^{given}"}
    study = int(random.integers(*YEARS)), int(random.integers(1, 13)), int(random.integers(1, 29))
    born = study[0] - int(random.integers(1, 90)), int(random.integers(1, 13)), int(random.integers(1, 29))
    style = _DATE_STYLES[int(random.integers(len(_DATE_STYLES)))]
    name_heading = pick(_HEADINGS["patient_name"])
    forms = [f"{family}, {given}", f"{family}, {given}", f"{family}^{given.replace(' ', '^')}"]
    forms += [f"{family} {given}"] if name_heading else [f"{given} {family}"]
    texts = {"patient_name": name_heading + pick(forms)}
    if random.random() < 0.85:
        fields["patient_id"] = pick(("", "", "", "A", "MR")) + str(random.integers(10**5, 10 ** int(random.integers(6, 10))))
        texts["patient_id"] = pick(_HEADINGS["patient_id"]) + fields["patient_id"]
    if random.random() < 0.85:
        fields["birth_date"] = "{:04}{:02}{:02}".format(*born)
        texts["birth_date"] = pick(_HEADINGS["birth_date"]) + style(*born)
        if random.random() < 0.4:
            fields["sex"] = pick("MF")
            texts["birth_date"] += pick(("  ", " SEX: ", "  SEX ")) + fields["sex"]
    if random.random() < 0.95:
        fields["study_date"] = "{:04}{:02}{:02}".format(*study)
        texts["study_date"] = pick(_HEADINGS["study_date"]) + style(*study)
    if random.random() < 0.4:
        fields["accession"] = pick(("", "A", "R", "X")) + str(random.integers(10**6, 10**8))
        texts["accession"] = pick(_HEADINGS["accession"]) + fields["accession"]
    if len(texts) < 2 or not any(texts[field][:2].isalpha() for field in texts if field != "patient_name"):
        fields["patient_id"] = "4711" + str(random.integers(10**3, 10**4))
        texts["patient_id"] = "ID: " + fields["patient_id"]
    lines = list(texts.values())
    if random.random() < 0.5:
        lines.insert(0 if random.random() < 0.7 else len(lines), pick(INSTITUTIONS))
    if random.random() < 0.25:
        lines.append(pick(("CHEST PA", "PORTABLE", "LEFT HAND", "SUPINE")))
    return lines, fields


_DATE_STYLES: tuple[Callable[[int, int, int], str], ...] = (
    lambda year, month, day: f"{day:02}-{_MONTHS[month - 1]}-{year}",
    lambda year, month, day: f"{day} {_MONTHS[month - 1]} {year}",
    lambda year, month, day: f"{month:02}/{day:02}/{year}",
    lambda year, month, day: f"{month}/{day}/{year}",
    lambda year, month, day: f"{day:02}.{month:02}.{year}",
    lambda year, month, day: f"{year}-{month:02}-{day:02}",
)


def _made_up_ground(random: np.random.Generator) -> NDArray[np.uint8]:
    """Something like a radiograph: slow shading, a few soft shapes, ribs of light, grain."""
    height, width = int(random.integers(1400, 2300)), int(random.integers(1200, 2200))
    slow = cv2.resize(random.normal(110, 45, (5, 4)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    shapes = np.zeros((height, width), np.float32)
    for _ in range(int(random.integers(6, 16))):
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = (int(random.integers(40, width // 3)), int(random.integers(20, height // 4)))
        thickness = int(random.choice([-1, 12, 30]))
        cv2.ellipse(shapes, centre, axes, float(random.uniform(0, 180)), 0, 360, float(random.uniform(-50, 60)), thickness)
    texture = cv2.GaussianBlur(random.normal(0, 30, (height, width)).astype(np.float32), (0, 0), 4)
    return _clipped(slow + cv2.GaussianBlur(shapes, (0, 0), 5) + texture * 2)


def _radiograph(random: np.random.Generator, path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    scale = float(random.uniform(1400, 2300)) / max(picture.shape)
    return np.asarray(
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    )


def _with_label(
    random: np.random.Generator, ground: NDArray[np.uint8], style: str, lines: list[str], barcode: str
) -> NDArray[np.uint8]:
    """The film with the label in or near one of its corners, turned by some degrees."""
    fonts = font_files()
    size = int(random.integers(20, 42))
    font = ImageFont.truetype(fonts[int(random.integers(len(fonts)))], size) if fonts else ImageFont.load_default(size)
    spacing = float(random.uniform(1.25, 1.8)) * size
    width = int(max(font.getlength(line) for line in lines)) + 2 * size
    bars = np.asarray(zxingcpp.create_barcode(barcode, zxingcpp.BarcodeFormat.Code128).to_image(scale=3)) if barcode else None
    height = int(spacing * len(lines)) + 2 * size + (bars.shape[0] + size if bars is not None else 0)
    width = max(width, bars.shape[1] + size if bars is not None else 0)
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    for line, text in enumerate(lines):
        draw.text((size, size * 0.7 + line * spacing), text, fill=255, font=font)
    ink = np.asarray(canvas, np.float32) / 255
    if bars is not None:
        ink[-bars.shape[0] - size // 2 :, size // 2 : size // 2 + bars.shape[1]][: bars.shape[0]] = 1 - bars / 255.0
    ink = cv2.GaussianBlur(ink, (0, 0), float(random.uniform(0.3, 1.6 if style.startswith("flash") else 1.0)))
    turn = float(random.uniform(-2.5, 2.5) if style == "sticker" else random.uniform(-5, 5) if style.startswith("flash") else 0)
    if style == "typed90":
        ink = np.ascontiguousarray(np.rot90(ink))
    return _placed(random, ground, ink, style, turn)


def _placed(
    random: np.random.Generator, ground: NDArray[np.uint8], ink: NDArray[np.float32], style: str, turn: float
) -> NDArray[np.uint8]:
    """The film with ink (0 to 1) and the label's own ground laid over it, both turned."""
    rows, columns = ground.shape
    scale = min(1.0, 0.9 * rows / ink.shape[0], 0.9 * columns / ink.shape[1])
    ink = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = ink.shape
    edge = int(random.integers(15, 60))
    left, top = (int(random.choice([edge, max(edge, all_ - part - edge)])) for all_, part in ((columns, width), (rows, height)))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    matrix[:, 2] += (left, top)
    warp = lambda layer: cv2.warpAffine(layer, matrix, (columns, rows), flags=cv2.INTER_CUBIC)  # noqa: E731
    ink, patch = np.clip(warp(ink), 0, 1), np.clip(warp(np.ones((height, width), np.float32)), 0, 1)
    dark, light = float(random.uniform(5, 45)), float(random.uniform(200, 245))
    if style == "overlay":
        ground = _clipped(ground * 0.75)
        return _clipped(ground + (light - ground.astype(np.float32)) * ink)
    paper, letters = (dark, light) if style == "flash_dark" else (light, dark)
    if style == "flash_faint":
        paper = float(random.uniform(40, 190))
        letters = paper + float(random.choice([-1, 1])) * float(random.uniform(28, 55))
    shade = np.linspace(0, float(random.uniform(-25, 25)), columns, dtype=np.float32)[None, :]
    label = paper + shade * (style != "sticker") + (letters - paper) * ink
    return _clipped(ground * (1 - patch) + label * patch)


def _degraded(random: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grain, a scratch, lossy compression."""
    grain = random.normal(0, float(random.uniform(0.5, 7)), picture.shape)
    worn = _clipped(picture + grain)
    if random.random() < 0.3:
        ends = [(int(random.integers(worn.shape[1])), int(random.integers(worn.shape[0]))) for _ in range(2)]
        cv2.line(worn, ends[0], ends[1], int(random.integers(60, 255)), 1, cv2.LINE_AA)
    if random.random() < 0.4:
        quality = int(random.integers(60, 96))
        worn = cv2.imdecode(cv2.imencode(".jpg", worn, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    return np.asarray(worn)


def _clipped(picture: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(picture, 0, 255).astype(np.uint8))
