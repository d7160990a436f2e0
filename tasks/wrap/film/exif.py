"""What Exif segments (CIPA DC-008) of JPEG, PNG and WebP files say of a scan: how it lies, its resolution, when it was made."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image

_ORIENTATION, _ACROSS, _DOWN, _UNIT, _TIME = 274, 282, 283, 296, 306
# Orientation (274) of TIFF 6.0 and Exif: mirror left to right first, then this clockwise turn.
TURNS = {2: (0, True), 3: (180, False), 4: (180, True), 5: (270, True), 6: (90, False), 7: (90, True), 8: (270, False)}


@dataclass(frozen=True)
class Exif:
    """`dpi`, `scanned_at`, `turn` and `mirrored` as in `DecodedFilm`; `None` where nothing usable is said."""

    dpi: tuple[float, float] | None = None
    scanned_at: str | None = None
    turn: int | None = None
    mirrored: bool | None = None


def read_exif(data: bytes) -> Exif:
    """Reads the TIFF structure of an Exif segment, without the `Exif` signature; what is damaged says nothing."""
    exif = Image.Exif()
    try:
        exif.load(data)
        tags = {tag: exif.get(tag) for tag in (_ORIENTATION, _ACROSS, _DOWN, _UNIT, _TIME)}
        dpi = resolution(float(tags[_DOWN] or 0), float(tags[_ACROSS] or 0), tags[_UNIT] if tags[_UNIT] is not None else 2)
    except Exception:  # Pillow raises whatever it likes on damaged segments, which are no part of the picture
        return Exif()
    turn, mirrored = turn_of(tags[_ORIENTATION])
    return Exif(dpi, time_of(tags[_TIME]), turn, mirrored)


def turn_of(orientation: Any) -> tuple[int | None, bool | None]:
    """Turn in degrees and mirroring of an Orientation tag; (`None`, `None`) where it says upright, or nothing."""
    return TURNS.get(orientation, (None, None)) if isinstance(orientation, int) else (None, None)


def resolution(down: float, across: float, unit: Any) -> tuple[float, float] | None:
    """(down, across) in dots per inch of a ResolutionUnit (296) of 2, inch, or 3, centimetre; `None` of any other."""
    scale = {2: 1.0, 3: 2.54}.get(unit) if isinstance(unit, int) else None
    return (down * scale, across * scale) if scale and down > 0 and across > 0 else None


def time_of(value: Any) -> str | None:
    """YYYYMMDDHHMMSS of a DateTime tag (306), `YYYY:MM:DD HH:MM:SS`; `None` where it is no date of a scanner's time."""
    try:
        moment = datetime.strptime(str(value).strip("\x00 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    return moment.strftime("%Y%m%d%H%M%S") if moment.year >= 1980 else None
