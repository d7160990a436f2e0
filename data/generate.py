"""Makes the sample migration, the same bytes each time: `python data/generate.py [OUT]` (default: data/sample).

OUT is emptied first. README.md beside this file says what is in it.
"""

import csv
import shutil
import sys
from pathlib import Path

from discs import make_media
from library import make_library
from people import index, patients

HERE = Path(__file__).resolve().parent


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Writes rows, all with the same keys, under a header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def generate(out: Path) -> None:
    """Writes the sample migration into `out`; raises `SystemExit` where that folder holds something else."""
    if out.exists() and any(out.iterdir()) and not (out / "truth.csv").exists():
        raise SystemExit(f"{out}: holds something else than a sample: name an empty folder")
    shutil.rmtree(out, ignore_errors=True)
    (out / "scans").mkdir(parents=True)
    (out / "media").mkdir()
    people = patients()
    library = make_library(out / "scans", people)
    truth = library.truth + make_media(out / "media", people)
    write_csv(out / "mpi.csv", index(people))
    write_csv(out / "jackets.csv", library.manifest)
    write_csv(out / "truth.csv", sorted(truth, key=lambda row: row["file"]))
    shutil.copyfile(HERE / "sample.toml", out / "filmroom.toml")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "sample")
