"""Renders the letters that lead markers are compared with: `tasks/wrap/film/letters.json`, from free fonts.

usage: python -m benchmarks.letters

Needs Debian's fonts-liberation and fonts-dejavu (both allow embedding). Every capital and digit is there, so that a marker is
read only where no other sign fits as well.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    "liberation/LiberationSans-Regular",
    "liberation/LiberationSans-Bold",
    "liberation/LiberationSans-Italic",
    "liberation/LiberationSansNarrow-Bold",
    "liberation/LiberationMono-Bold",
    "liberation/LiberationSerif-Bold",
    "dejavu/DejaVuSans",
    "dejavu/DejaVuSans-Bold",
    "dejavu/DejaVuSansCondensed-Bold",
)
FOLDER = Path("/usr/share/fonts/truetype")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SIZE = 24  # pixels of the longer side
TARGET = Path(__file__).resolve().parent.parent / "tasks" / "wrap" / "film" / "letters.json"


def glyph(letter: str, font: ImageFont.FreeTypeFont) -> NDArray[np.bool_]:
    """The letter, cut to its ink, its longer side `SIZE` pixels."""
    page = Image.new("L", (400, 400))
    ImageDraw.Draw(page).text((100, 60), letter, fill=255, font=font)
    ink = page.crop(page.getbbox())
    scale = SIZE / max(ink.size)
    small = ink.resize((max(1, round(ink.width * scale)), max(1, round(ink.height * scale))), Image.Resampling.BOX)
    return np.asarray(small) >= 128


def main() -> None:
    """Writes the file anew."""
    letters: dict[str, list[list[str]]] = {letter: [] for letter in LETTERS}
    for name in FONTS:
        font = ImageFont.truetype(FOLDER / f"{name}.ttf", 200)
        for letter in LETTERS:
            rows = ["".join(".#"[int(ink)] for ink in row) for row in glyph(letter, font)]
            letters[letter].append(rows)
    TARGET.write_text(json.dumps(letters, separators=(",", ":")) + "\n")
    print(f"{TARGET.name}: {len(LETTERS)} letters of {len(FONTS)} fonts, {TARGET.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
