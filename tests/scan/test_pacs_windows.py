"""A made-up PACS with any studies, limit and habits: every study is listed, or it is told that some may not be."""

from fnmatch import fnmatchcase

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tasks.scan.pacs.windows import LEAST_LIMIT, Keys, StudyWindows

_DATES = st.sampled_from(["", "18950101", "19991231", "20000101", "20000102", "21500601"])
_TIMES = st.sampled_from(["", "00", "0000", "115959.9", "115959", "12", "120000", "235959.999999"])
_PATIENTS = st.text(alphabet="0aA_% -^", min_size=1, max_size=3).map(str.strip).filter(bool)
_MODALITIES = st.sampled_from(["CT", "CR", "XYZ"])
_STUDY = st.tuples(_DATES, _TIMES, _PATIENTS, _MODALITIES)
_STUDIES = st.one_of(st.lists(_STUDY, max_size=12), st.lists(_STUDY, min_size=20, max_size=60))


class Pacs:
    """Answers as PS3.4 C.2.2.2 says, but for its limit, whether it says so, and the keys it ignores."""

    def __init__(self, studies, limit: int, says_so: bool, ignores: frozenset[str]):
        self.studies, self.limit, self.says_so, self.ignores = studies, limit, says_so, ignores
        self.queries = 0

    def find(self, keys: Keys) -> tuple[list[Dataset], bool]:
        self.queries += 1
        found = [number for number, study in enumerate(self.studies) if self.matches(study, keys)]
        answers = []
        for number in found[: self.limit]:
            answer = Dataset()
            answer.StudyInstanceUID, answer.PatientID = f"1.2.{number}", self.studies[number][2]
            answers.append(answer)
        return answers, len(found) <= self.limit or not self.says_so

    def matches(self, study, keys: Keys) -> bool:
        date, time, patient, modality = study
        for keyword, wanted in keys.items():
            if keyword in self.ignores or not wanted:
                continue
            if keyword == "PatientID" and not fnmatchcase(patient, wanted.replace("[", "[[]")):
                return False
            if keyword == "ModalitiesInStudy" and modality != wanted:
                return False
            if keyword == "StudyDate" and not (date and within(date, wanted, lambda text: text)):
                return False
            if keyword == "StudyTime" and not (time and within(time, wanted, seconds)):
                return False
        return True


def within(value, wanted, measure) -> bool:
    first, dash, last = wanted.partition("-")
    last = last if dash else first
    return (not first or measure(first) <= measure(value)) and (not last or measure(value) <= measure(last))


def seconds(time: str) -> float:
    """A TM value (PS3.5 6.2)."""
    return int(time[:2]) * 3600 + int(time[2:4] or 0) * 60 + float(time[4:] or 0)


_HIDDEN = [*(("", "", "0", "CT"),) * 7, *(("", "", "0", "CR"),) * 3, ("", "", "0", "XYZ")]  # behind those that are shown
_UNTIMED = [*(("20000101", "12", "0", "CT"),) * 30, ("20000101", "", "0", "CT")]


@settings(max_examples=40)
@example(_HIDDEN, 10, True, "")
@example(_UNTIMED, 25, True, "PatientID")
@given(
    _STUDIES, st.sampled_from([10, 13, 25, 100]), st.booleans(), st.sampled_from(["", "StudyDate", "StudyTime", "PatientID"])
)
def test_nothing_is_missed_without_being_told(studies, limit, says_so, ignored) -> None:
    pacs = Pacs(studies, limit, says_so, frozenset({ignored}))
    asked = StudyWindows(pacs.find)
    dated, patients = list(asked.dated()), list(asked.patients())
    found = {uid for window in (*dated, *patients) for uid in window.studies}
    if all(window.whole for window in patients):
        assert len(found) == len(studies)
    if all(window.whole for window in dated):
        assert found >= {f"1.2.{number}" for number, study in enumerate(studies) if study[0]}
    if len(studies) < LEAST_LIMIT:
        assert pacs.queries == 4  # one for each part of time, and one for all patients
