"""The invented people of the sample migration: those with films, and the rest of the hospital's patient index."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

SEED = 20261101
ISSUER = "STELSEWHERE"
FAMILIES = (
    "HALVORSEN", "KELLER", "MORENO", "TANAKA", "OKAFOR", "LINDQVIST", "PETROV", "DUBOIS", "ROSSI", "NOVAK", "SILVA",
    "JANSSEN", "BAKER", "COHEN", "IVERSEN", "SCHMIDT", "WALSH", "FERRARI", "HORVAT", "LARSEN", "MENDEZ", "KOWALSKI", "YILMAZ",
)  # fmt: skip
GIVEN = {
    "F": ("INGRID", "ROSA", "GRETA", "OLGA", "ELENA", "TERESA", "ALMA", "HANNA", "MARY", "NINA"),
    "M": ("PETER", "KENJI", "ERIK", "MARC", "JAN", "WIM", "DAVID", "SVEN", "LUCA", "IVAN"),
}
NOT_IN_INDEX = 20  # place in `patients()` of the one whom the index has forgotten


@dataclass(frozen=True)
class Patient:
    """An invented patient."""

    patient_id: str
    family: str
    given: str
    birth: date
    sex: str


def patients() -> list[Patient]:
    """The 25 patients with films; the last four are two namesakes born the same day, and a pair of twins."""
    chosen = np.random.default_rng(SEED)
    people = []
    for number in range(21):
        sex = "FM"[number % 2]
        birth = date(1915, 1, 1) + timedelta(days=int(chosen.integers(0, 16000)))
        given = GIVEN[sex][number // 2 % 10]
        people.append(Patient(str(40000123 + 7919 * number), FAMILIES[number], given, birth, sex))
    people.append(Patient("40900111", "HANSEN", "ANNA", date(1931, 3, 12), "F"))
    people.append(Patient("40900222", "HANSEN", "ANNA", date(1931, 3, 12), "F"))
    people.append(Patient("40900333", "BERG", "KARL", date(1940, 6, 1), "M"))
    people.append(Patient("40900344", "BERG", "KURT", date(1940, 6, 1), "M"))
    return people


def index(people: list[Patient]) -> list[dict[str, str]]:
    """Lines of the patient index: those with films (but one), namesakes of two of them, and 300 others; by identifier."""
    chosen = np.random.default_rng(SEED + 2)
    known = [patient for place, patient in enumerate(people) if place != NOT_IN_INDEX]
    namesakes = [
        replace(people[place], patient_id=str(60000007 + place), birth=people[place].birth + timedelta(days=3210))
        for place in (5, 14)
    ]
    others = []
    for number in range(300):
        sex = "FM"[number % 2]
        family, given = FAMILIES[int(chosen.integers(0, 23))], GIVEN[sex][int(chosen.integers(0, 10))]
        birth = date(1910, 1, 1) + timedelta(days=int(chosen.integers(0, 20000)))
        others.append(Patient(str(50000000 + 31 * number), family, given, birth, sex))
    return [
        {
            "patient_id": patient.patient_id,
            "family_name": patient.family,
            "given_name": patient.given,
            "birth_date": patient.birth.strftime("%Y%m%d"),
            "sex": patient.sex,
            "postcode": str(5000 + int(patient.patient_id) % 900),
            "issuer": ISSUER,
        }
        for patient in sorted([*known, *namesakes, *others], key=lambda patient: patient.patient_id)
    ]
