"""A made-up population and the labels of its films, with who is on each film known: for the patient index and the policy.

Hard on purpose: numbers are dense, so that a digit misread is often somebody else's number; twins have neighbouring numbers;
sons bear their fathers' names; women are filed under maiden names; numbers were given out again; labels are of people whom the
index does not know, some of them relatives of those it does. Noise is what readers of print confuse. All from one seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from nicknames import name_triplets
from numpy.typing import NDArray

FIRST_NUMBER = 10_000_000
DENSITY = 2  # numbers that could have been given out for each that was

# Letters and digits that readers of print take for each other.
CONFUSED = {
    **dict(zip("0123456789", ("86", "7", "7", "8", "9", "6", "85", "1", "3", "4"), strict=True)),
    **{"B": "8R", "C": "G", "D": "O", "E": "F", "F": "E", "G": "C", "H": "N", "I": "L", "L": "I", "M": "N", "N": "M"},
    **{"O": "D", "Q": "O", "R": "B", "S": "5", "U": "V", "V": "U", "Z": "2", "A": "R", "T": "I", "Y": "V"},
}
_SYLLABLES = ("BA", "BER", "CAR", "DEN", "DOR", "FIN", "GAR", "HAL", "KEN", "LAN", "LIN", "MAR", "MOR", "NOR", "PAL", "RAN",
              "SAN", "SEL", "TAN", "TOR", "VAN", "WAL", "WIN", "ZEL")  # fmt: skip
_ENDS = ("SON", "TON", "LEY", "FORD", "MAN", "BERG", "SKI", "INI", "EZ", "", "ER", "WOOD", "S", "LAND", "WELL")


@dataclass(frozen=True)
class Population:
    """Persons as arrays of one length; `former_family` and `former_number` are empty where there are none."""

    number: NDArray[np.str_]
    family: NDArray[np.str_]
    given: NDArray[np.str_]
    birth_date: NDArray[np.str_]
    sex: NDArray[np.str_]
    former_family: NDArray[np.str_]
    former_number: NDArray[np.str_]

    def table(self) -> pa.Table:
        """The patient index as a table with the columns that `[patients]` reads."""
        columns = {
            "patient_id": self.number,
            "family_name": self.family,
            "given_name": self.given,
            "birth_date": self.birth_date,
            "sex": self.sex,
            "former_family_name": self.former_family,
            "former_patient_id": self.former_number,
        }
        return pa.table({name: pa.array(values.tolist(), pa.string()) for name, values in columns.items()})


@dataclass(frozen=True)
class Label:
    """What was read on a film, and the place of its owner in the population, or -1.

    `legible`: number, full name and full birth date were shown and read as they stand on the label.
    """

    owner: int
    number: str
    name: str
    birth_date: str
    study_date: str
    legible: bool
    why: str = field(default="")


def make_population(persons: int, seed: int) -> Population:
    """A population of so many persons."""
    random = np.random.default_rng(seed)
    families, given_names = _families(random), _given_names()
    sex = random.choice(["F", "M"], persons)
    family = families[_zipf(random, len(families), persons)]
    given = given_names[_zipf(random, len(given_names), persons)]
    middle = given_names[_zipf(random, len(given_names), persons)]
    given = np.where(random.random(persons) < 0.3, np.char.add(np.char.add(given, " "), middle), given)
    birth = _dates(random, 1895, 2005, persons)
    birth[random.random(persons) < 0.003] = "19000101"  # what is typed where nobody knows
    order = random.choice(persons * DENSITY, persons, replace=False)
    order.sort()
    number = (order + FIRST_NUMBER).astype(str)
    first = np.arange(0, persons - 1, 2)
    random.shuffle(first)
    twins, juniors, namesakes, recycled = np.split(first, np.cumsum([persons // 100, persons // 100, persons // 1000]))[:4]
    family[twins + 1], birth[twins + 1] = family[twins], birth[twins]
    number[twins + 1] = (order[twins] + FIRST_NUMBER + 1).astype(str)  # registered one after the other
    family[juniors + 1], given[juniors + 1], sex[juniors + 1] = family[juniors], given[juniors], sex[juniors]
    family[namesakes + 1], given[namesakes + 1], birth[namesakes + 1] = family[namesakes], given[namesakes], birth[namesakes]
    recycled = recycled[: persons // 500]
    number[recycled + 1] = number[recycled]
    married = (sex == "F") & (random.random(persons) < 0.15)
    maiden = np.where(married, families[_zipf(random, len(families), persons)], "")
    old = np.where(random.random(persons) < 0.05, (random.integers(0, persons, persons) + 60_000_000).astype(str), "")
    return Population(number, family, given, birth, sex, maiden, old)


def make_labels(population: Population, labels: int, seed: int, noise: float = 0.004) -> list[Label]:
    """Labels of films of the population's persons and, one in fifteen, of others; `noise` is the rate of misread signs."""
    random = np.random.default_rng([seed, 1])
    strangers = make_population(max(2000, labels // 5), seed + 1)
    return [_label(random, population, strangers, noise) for _ in range(labels)]


def _label(random: np.random.Generator, population: Population, strangers: Population, noise: float) -> Label:
    at = int(random.integers(len(population.number)))
    owner, person, why = at, _row(population, at), ""
    if random.random() < 1 / 15:
        owner, person, why = -1, *_outsider(random, person, _row(strangers, int(random.integers(len(strangers.number)))))
    if owner >= 0:
        if person["former_family"] and random.random() < 0.5:
            person["family"], why = person["former_family"], "maiden name"
        if person["former_number"] and random.random() < 0.5:
            person["number"], why = person["former_number"], "old number"
        elif random.random() < 0.02:
            person["number"], why = (
                str(random.integers(FIRST_NUMBER, FIRST_NUMBER + 2 * len(population.number))),
                "foreign number",
            )
    shown = {name: random.random() < rate for name, rate in (("number", 0.93), ("name", 0.98), ("birth_date", 0.93))}
    given = person["given"].split(" ")[0] if random.random() < 0.5 else person["given"]
    full = True
    if random.random() < 0.06:
        given, full = given[0], False
    name = f"{given}^{person['family']}" if random.random() < 0.1 else f"{person['family']}^{given}"
    birth = person["birth_date"]
    if random.random() < 0.01 and _is_date(swapped := birth[:4] + birth[6:] + birth[4:6]):
        birth, full = swapped, False
    typed = {"number": person["number"], "name": name, "birth_date": birth}
    read = {field: _noisy(random, text, noise) if shown[field] else "" for field, text in typed.items()}
    if read["birth_date"] and not _is_date(read["birth_date"]):
        read["birth_date"] = ""
    legible = owner >= 0 and full and read == typed
    year = int(random.integers(min(int(person["birth_date"][:4]) + 1, 2009), 2010))
    return Label(owner, read["number"], read["name"], read["birth_date"], f"{year}0615", legible, why)


def _row(population: Population, at: int) -> dict[str, str]:
    return {name: str(values[at]) for name, values in vars(population).items()}


def _outsider(random: np.random.Generator, member: dict[str, str], stranger: dict[str, str]) -> tuple[dict[str, str], str]:
    """Somebody whom the index does not know, and what makes them hard to tell from somebody it does."""
    near = str(int(member["number"]) + int(random.integers(1, 4)))
    kinds: dict[str, Callable[[], dict[str, str]]] = {
        "stranger": lambda: stranger,
        "stranger with a member's number": lambda: stranger | {"number": member["number"]},
        "twin of a member": lambda: stranger | {"family": member["family"], "birth_date": member["birth_date"], "number": near},
        "namesake of a member": lambda: stranger | {"family": member["family"], "given": member["given"], "number": near},
    }
    why = str(random.choice(list(kinds)))
    return dict(kinds[why]()), why


def _noisy(random: np.random.Generator, text: str, noise: float) -> str:
    misread = random.random(len(text)) < noise
    if not misread.any():
        return text
    signs = [
        str(random.choice(list(CONFUSED.get(sign, sign)))) if wrong else sign for sign, wrong in zip(text, misread, strict=True)
    ]
    return "".join(signs)


def _is_date(text: str) -> bool:
    try:
        np.datetime64(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
    except ValueError:
        return False
    return len(text) == 8


def _families(random: np.random.Generator) -> NDArray[np.str_]:
    made = {a + b + end for a in _SYLLABLES for b in ("", *_SYLLABLES) for end in _ENDS}
    made |= {a + b + c + end for a in _SYLLABLES for b in _SYLLABLES for c in _SYLLABLES for end in ("SON", "ER", "EZ", "SKI")}
    hyphened = {f"{a}-{b}" for a, b in zip(sorted(made)[:500], sorted(made)[900:1400], strict=True)}
    names = np.array(sorted(made | hyphened | {"O'NEIL", "D'ARCY", "DE LA CRUZ", "VAN DYKE", "MÜLLER", "GARCÍA", "NUÑEZ"}))
    random.shuffle(names)
    return names


def _given_names() -> NDArray[np.str_]:
    found = dict.fromkeys(str(name).upper() for triplet in name_triplets() for name in (triplet.name1, triplet.name2))
    return np.array([name for name in found if name.isalpha()])


def _zipf(random: np.random.Generator, kinds: int, size: int) -> NDArray[np.int64]:
    """Ranks, as frequent as names are: the commonest of one in a hundred, the tail long."""
    weights = 1 / (np.arange(kinds) + 12.0)
    return random.choice(kinds, size, p=weights / weights.sum())


def _dates(random: np.random.Generator, first: int, last: int, size: int) -> NDArray[np.str_]:
    days = random.integers(0, int((np.datetime64(f"{last}-01-01") - np.datetime64(f"{first}-01-01")).astype(int)), size)
    dates = np.datetime64(f"{first}-01-01") + days.astype("timedelta64[D]")
    return np.char.replace(dates.astype(str), "-", "")
