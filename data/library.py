"""The film library of the sample migration: jackets with films, the vendor's index, and what goes wrong in a library."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from people import NOT_IN_INDEX, SEED, Patient
from pictures import Format, labelled, marked, phantom, save

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
HOSPITAL = "ST ELSEWHERE HOSPITAL"
VIEWS = (("PA", "LAT"), ("PA", "OBL"), ("AP", "LAT"))  # of chest, hand, skull
_FORMS: tuple[Format, ...] = ("jpeg8", "png8", "tiff8", "jpeg8", "tiff8", "png8", "jpeg8", "png8", "tiff8", "jpeg8")
_DEEP: dict[int, Format] = {4: "tiff12", 15: "tiff12", 26: "tiff12", 31: "tiff16", 37: "tiff12"}  # by the film's number

AGREES = "the label agrees with the index"
_NAMESAKE = "no identifier on the label, and a namesake or twin"


@dataclass
class Jacket:
    """One jacket: whose it is, its exams, and what is to become of its films."""

    name: str
    patient: Patient
    body: int
    exams: tuple[tuple[date, int], ...]  # (date, how many films)
    state: str = "verified"
    why: str = AGREES
    label: Patient | None = None  # where the label says something else than the patient's data
    identified: bool = True
    unlisted: int = 0  # films the vendor lists beyond those delivered


@dataclass
class Library:
    """What has been written so far."""

    folder: Path
    truth: list[dict[str, str]] = field(default_factory=list)
    manifest: list[dict[str, str]] = field(default_factory=list)
    number: int = 0

    def add(self, name: str, patient_id: str, state: str, why: str) -> None:
        """Adds a line of truth.csv."""
        self.truth.append({"file": f"scans/{name}", "patient_id": patient_id, "state": state, "why": why})

    def stem(self, jacket: Jacket, view: str) -> str:
        """The next film's name without suffix."""
        self.number += 1
        return f"{jacket.name}_{view}_{self.number:03d}"


def words(day: date) -> str:
    """A date as labels write it: 12 MAR 1931."""
    return f"{day.day:02d} {MONTHS[day.month - 1]} {day.year}"


def label_lines(patient: Patient, day: date, accession: str, *, identified: bool = True) -> list[str]:
    """The lines of a label."""
    identifier = [f"ID: {patient.patient_id}"] if identified else []
    return [
        f"NAME: {patient.family}, {patient.given}",
        *identifier,
        f"DOB: {words(patient.birth)}  SEX: {patient.sex}",
        f"DATE: {words(day)}",
        f"ACC: {accession}",
        HOSPITAL,
    ]


def jackets(people: Sequence[Patient]) -> list[Jacket]:
    """One jacket a patient; every third with a second exam, a year and some weeks later."""
    chosen = np.random.default_rng(SEED + 1)
    found = []
    for place, patient in enumerate(people):
        day = max(date(1957, 1, 1) + timedelta(days=int(chosen.integers(0, 12000))), patient.birth + timedelta(days=4000))
        exams = ((day, 2), (day + timedelta(days=400), 1)) if place % 3 == 0 else ((day, 2),)
        found.append(Jacket(f"J{700100 + 137 * place}", patient, place % 3, exams))
    for place in (21, 22, 23, 24):
        found[place].identified, found[place].state, found[place].why = False, "review", _NAMESAKE
        found[place].exams = found[place].exams[:1]
    found[19].label = replace(people[19], birth=people[19].birth.replace(year=people[19].birth.year + 9))
    found[19].why = "two digits of the birth date on the label are swapped; number and name agree with the index"
    # A twin has another given name, which the label shows; the manifest adds the number.
    found[24].state, found[24].why = "verified", "name and birth date on the label, the number in the manifest"
    found[NOT_IN_INDEX].state, found[NOT_IN_INDEX].why = "review", "the patient is not in the index"
    found[10].state, found[10].why = "review", "another patient's film lies in this jacket"
    found[13].state, found[13].why = "review", "another patient's film was saved into this jacket"
    found[7].unlisted = 1
    return found


def make_library(folder: Path, people: Sequence[Patient]) -> Library:
    """Writes the scans; gives back what they are and the vendor's index."""
    library = Library(folder)
    for place, jacket in enumerate(jackets(people)):
        accession = f"R{5000000 + 1013 * place}"
        last = ""
        for exam, (day, films) in enumerate(jacket.exams):
            for view in VIEWS[jacket.body][:films]:
                shown = jacket.label or jacket.patient
                lines = label_lines(shown, day, f"{accession[:-1]}{exam}", identified=jacket.identified)
                last = _film(library, jacket, view, lines)
        before = library.number
        _exceptions(library, place, jacket, people, last)
        listed = sum(films for _, films in jacket.exams) + library.number - before + jacket.unlisted
        _list(library, place, jacket, accession, listed)
    return library


def _film(library: Library, jacket: Jacket, view: str, lines: list[str], *, blurred: bool = False) -> str:
    stem = library.stem(jacket, view)
    number = library.number
    film = phantom(number, jacket.body)
    film = labelled(film, lines, flash=number % 4 == 3, blurred=blurred) if lines else film
    name = save(library.folder, stem, marked(film, "RL"[number % 2]), _DEEP.get(number, _FORMS[number % len(_FORMS)]))
    if lines and not blurred:
        library.add(name, jacket.patient.patient_id, jacket.state, jacket.why)
    return name


def _list(library: Library, place: int, jacket: Jacket, accession: str, listed: int) -> None:
    """A line of the vendor's index: a date only where a jacket has one exam, some jackets by their number alone."""
    bare = place % 6 == 5
    one = len(jacket.exams) == 1 and place not in (10, 13)
    library.manifest.append(
        {
            "jacket": jacket.name,
            "patient_id": "" if bare else jacket.patient.patient_id,
            "name": "" if bare else f"{jacket.patient.family}, {jacket.patient.given}",
            "accession": f"{accession[:-1]}0" if one and not bare else "",
            "study_date": jacket.exams[0][0].strftime("%Y%m%d") if one and not bare else "",
            "films": str(listed),
        }
    )
    if jacket.unlisted:
        library.add(f"jackets.csv#{jacket.name}/{listed}", "", "waiting", "listed by the vendor and not delivered")


def _exceptions(library: Library, place: int, jacket: Jacket, people: Sequence[Patient], last: str) -> None:
    """What goes wrong in a film library, once each, in the jacket where it happens; `last` is the jacket's last film."""
    view = VIEWS[jacket.body][0]
    whole = library.folder / last
    match place:
        case 4:
            name = f"{library.stem(jacket, view)}{whole.suffix}"
            shutil.copyfile(whole, library.folder / name)
            library.add(name, jacket.patient.patient_id, "duplicate", "the same file twice in one jacket")
        case 9:
            name = _film(library, jacket, view, [])
            library.add(name, jacket.patient.patient_id, "review", "no label: only its jacket says whose it is")
        case 10:
            stranger = people[2]
            name = _film(library, jacket, view, label_lines(stranger, date(1971, 5, 5), "R9999990"))
            library.truth[-1]["patient_id"] = stranger.patient_id
            library.truth[-1]["why"] = "mis-filed: the label names another patient than the jacket"
        case 12:
            library.truth[-1]["state"], library.truth[-1]["why"] = "review", "the same picture lies in the next jacket as well"
        case 13:
            twice = library.folder / sorted(path.name for path in library.folder.iterdir() if path.name < jacket.name)[-1]
            name = f"{library.stem(jacket, view)}{twice.suffix}"
            shutil.copyfile(twice, library.folder / name)
            library.add(name, people[12].patient_id, "review", "the last film of one jacket saved again into the next")
        case 15:
            lines = label_lines(jacket.patient, jacket.exams[0][0], "R5015190")
            name = _film(library, jacket, view, lines, blurred=True)
            library.add(name, jacket.patient.patient_id, "review", "the label cannot be read")
        case 16:
            torn = next(path for path in sorted(library.folder.iterdir()) if path.suffix == ".tif").read_bytes()
            name = f"{library.stem(jacket, view)}.tif"
            (library.folder / name).write_bytes(torn[: len(torn) // 2])
            library.add(name, "", "quarantined", "a TIFF that ends before its picture does")
        case 17:
            name = f"{library.stem(jacket, view)}.tif"
            (library.folder / name).write_bytes(b"")
            library.add(name, "", "quarantined", "an empty file")
