"""Finding all studies of a PACS that gives out no more than some number of them at once, and may not say so.

An answer is known to be whole if the peer ended it with success and it is shorter than the longest answer it ever gave: a
limit would have cut that one too. All else is asked again in parts:

1. by Study Date, in halves down to a day; a day by Study Time, in halves down to a second, then by modality;
2. since a date never matches a study without one, by Patient ID: by what it begins with, a character more each time; one
   patient by modality.

A peer that ignores a key gives the same answer to different windows; it is then asked by the next key. What remains over the
limit is told: nothing is taken for whole that is not known to be.
"""

import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from pydicom.dataset import Dataset

Keys = Mapping[str, str]
Find = Callable[[Keys], tuple[list[Dataset], bool]]  # answers to a STUDY level query with these keys, and whether they are all
Interval = tuple[int, int]  # both ends are in it

MOST_ANSWERS = 5000  # to one query; then it is cancelled and asked in parts, so that nobody has to keep more in memory
LEAST_LIMIT = 10  # no peer gives out fewer at once
_BEFORE, _DAYS, _AFTER = "-18991231", (date(1900, 1, 1).toordinal(), date(2099, 12, 31).toordinal()), "21000101-"
_SECONDS = 0, 24 * 60 * 60 - 1
_LONGEST_PATIENT_ID = 64
_MODALITIES = (
    *("CT", "MR", "CR", "DX", "US", "XA", "RF", "NM", "PT", "MG", "SC", "OT", "IO", "PX", "RG", "ES", "XC", "GM", "SM", "OP"),
    *("OPT", "OCT", "IVUS", "IVOCT", "ECG", "EPS", "HD", "BMD", "SR", "KO", "PR", "DOC", "HC", "AU", "TG", "BI", "SEG", "REG"),
    *("RTIMAGE", "RTDOSE", "RTSTRUCT", "RTPLAN", "RTRECORD", "FID", "LS", "CD", "DD", "DG", "ST", "MA", "MS", "AS", "CF", "DF"),
)
# What a Patient ID may hold: no wildcards, no backslash, which parts values; beyond ASCII, what some answer has shown.
_CHARACTERS = "".join(character for character in string.printable[:95] if character not in "*?\\")
# Some peers take these for wildcards too, and would find everything again beneath them, at every step.
_WILD = frozenset("%_")


@dataclass(frozen=True)
class Window:
    """The answers to some keys; `whole` where it is known that the peer has no others that match."""

    keys: Keys
    answers: Sequence[Dataset]
    whole: bool

    @property
    def studies(self) -> frozenset[str]:
        """Their Study Instance UIDs."""
        return frozenset(str(answer.get("StudyInstanceUID", "")) for answer in self.answers)


class StudyWindows:
    """Asks for all studies; see the module's text. Windows overlap; those that are not whole could not be parted further."""

    def __init__(self, find: Find):
        self._find = find
        self._longest = 0
        self._characters = dict.fromkeys(_CHARACTERS)

    def dated(self) -> Iterator[Window]:
        """Windows of all studies that have a date."""
        for keys in ({"StudyDate": _BEFORE}, {"StudyDate": _AFTER}):
            yield from self._modalities(self._ask(keys))
        whole_range = self._ask(_dates(*_DAYS))
        yield from self._halves(whole_range, _DAYS, _dates, self._day)

    def patients(self) -> Iterator[Window]:
        """Windows of all studies that have a Patient ID."""
        yield from self._beginning(self._ask({"PatientID": ""}), "")

    def _ask(self, keys: Keys) -> Window:
        answers, whole = self._find(keys)
        whole = whole and (len(answers) < max(self._longest, LEAST_LIMIT))
        self._longest = max(self._longest, len(answers))
        for answer in answers:
            self._characters |= dict.fromkeys(str(answer.get("PatientID", "") or ""))
        return Window(keys, answers, whole)

    def _halves(
        self,
        window: Window,
        interval: Interval,
        keys: Callable[[int, int], Keys],
        otherwise: Callable[[Window], Iterator[Window]],
    ) -> Iterator[Window]:
        """Parts of a window by an interval of `keys`; what this cannot part is parted by `otherwise`."""
        first, last = interval
        if window.whole:
            yield window
            return
        if first == last:
            yield from otherwise(window)
            return
        middle = (first + last) // 2
        parts = [(first, middle), (middle + 1, last)]
        halves = [self._ask(keys(*part)) for part in parts]
        if halves[0].studies and halves[0].studies == halves[1].studies:
            yield from otherwise(window)
            return
        for half, part in zip(halves, parts, strict=True):
            yield from self._halves(half, part, keys, otherwise)

    def _day(self, window: Window) -> Iterator[Window]:
        """Parts of a day by time, and the day itself, never whole: a time does not match a study without one."""
        yield from self._halves(window, _SECONDS, partial(_times, window.keys), self._modalities)
        yield window

    def _modalities(self, window: Window) -> Iterator[Window]:
        """Parts of a window by modality, and the window itself, never whole: other modalities may be hidden."""
        if not window.whole:
            found: set[str] = set()
            for modality in _MODALITIES:
                part = self._ask({**window.keys, "ModalitiesInStudy": modality})
                if part.studies == window.studies and found >= window.studies:
                    break  # a second modality with the same answer: the peer ignores the key
                found |= part.studies
                yield part
        yield window

    def _beginning(self, window: Window, prefix: str) -> Iterator[Window]:
        """Parts of a window by the next character of the Patient ID."""
        if window.whole or len(prefix) == _LONGEST_PATIENT_ID:
            yield window
            return
        if prefix:
            yield from self._modalities(self._ask({"PatientID": prefix}))
        alike = ""
        for character in list(self._characters):
            if character in "*?\\" or (character == " " and not prefix):  # spaces at the start do not count
                continue
            part = self._ask({"PatientID": f"{prefix}{character}*"})
            if character in _WILD and not _begin(part, prefix + character):
                continue
            if part.studies and part.studies == window.studies:
                if alike and alike != character.casefold():  # the peer ignores the key, or knows no wildcards
                    yield window
                    return
                alike = character.casefold()
            yield from self._beginning(part, prefix + character)


def _begin(window: Window, prefix: str) -> bool:
    """Whether any answer's Patient ID begins so."""
    return any(str(answer.get("PatientID", "")).casefold().startswith(prefix.casefold()) for answer in window.answers)


def _dates(first: int, last: int) -> Keys:
    ends = [date.fromordinal(day).strftime("%Y%m%d") for day in (first, last)]
    return {"StudyDate": ends[0] if first == last else "-".join(ends)}


def _times(keys: Keys, first: int, last: int) -> Keys:
    """The lower end as short as it can be said, the upper end as long: some peers compare times as text."""
    low = f"{first // 3600:02}{first // 60 % 60:02}{first % 60:02}"
    while low.endswith("00") and len(low) > 2:
        low = low[:-2]
    return {**keys, "StudyTime": f"{low}-{last // 3600:02}{last // 60 % 60:02}{last % 60:02}.999999"}
