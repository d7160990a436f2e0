import json
from pathlib import Path

import pytest

from tasks.errors import ConfigurationError
from tests.scan.conftest import MakeMigration, Migration


def listed(
    migration: MakeMigration, folder: Path, text: str, more: str = "", encoding: str = "utf-8"
) -> tuple[Migration, dict[str, tuple[dict[str, str], int]]]:
    manifest = folder.parent / "jackets.csv"
    manifest.write_bytes(text.encode(encoding))
    made = migration(("film", folder, f'manifest = "{manifest}"\n{more}'))
    rows = [row for row in made.listing() if row["entry"] == "manifest"]
    return made, {row["jacket"]: (json.loads(row["listing"]), row["listed_films"]) for row in rows}


def test_a_jacket_s_line_stands_on_its_films(migration: MakeMigration, film_folder: Path) -> None:
    (film_folder / "J1_PA.tif").write_bytes(b"II*\0")
    (film_folder / "J9_PA.tif").write_bytes(b"II*\0")
    text = "jacket,patient_id,name,box,films\nJ1,0042, Doe^Jane ,B7,2\nJ2,,,,1\n"
    made, lines = listed(migration, film_folder, text)
    assert lines["J1"] == ({"jacket": "J1", "patient_id": "0042", "name": "Doe^Jane", "box": "B7", "films": "2"}, 2)
    found = made.items()
    assert list(found) == ["J1_PA.tif", "J9_PA.tif", "jackets.csv#J1/2", "jackets.csv#J2/1"]
    outcome, item = found["J1_PA.tif"]
    assert json.loads(item["listing"]) == lines["J1"][0]
    assert (item["box"], item["listed_by"]) == ("B7", "jackets.csv")
    assert found["J9_PA.tif"][1]["listing"] is None
    outcome, item = found["jackets.csv#J1/2"]
    assert (outcome.outcome, outcome.reason) == ("waiting", "listed by jackets.csv, not received")
    assert (item["bytes"], item["sha256"], item["kind"], item["jacket"]) == (0, None, "film", "J1")
    assert item["group_key"] == found["J1_PA.tif"][1]["group_key"]
    rows = {row["item_key"]: row for row in made.listing()}
    assert rows[outcome.input_key or ""]["path"] == "jackets.csv#J1"


def test_a_manifest_s_row_is_no_item(migration: MakeMigration, film_folder: Path) -> None:
    made, _ = listed(migration, film_folder, "jacket,films\nJ1,0\n")
    [outcome] = made.scan()
    assert outcome.outcome == "done" and not outcome.rows


def test_columns_are_mapped_and_latin_1_is_read(migration: MakeMigration, film_folder: Path) -> None:
    text = "Tüte;Name des Patienten;Filme\nT1;Müller^Jürgen;3.0\n"
    more = 'columns = { jacket = "Tüte", name = "Name des Patienten", films = "Filme" }'
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        _, lines = listed(migration, film_folder, text, more, encoding)
        assert lines == {"T1": ({"jacket": "T1", "name": "Müller^Jürgen", "films": "3"}, 3)}


def test_lines_of_one_jacket_are_added_up_and_what_differs_is_not_believed(migration: MakeMigration, film_folder: Path) -> None:
    text = "jacket,patient_id,study_date,films\nJ1,42,19640404,2\nJ1,42,19700101,1\nJ1,42,19640404,2\n"
    _, lines = listed(migration, film_folder, text)
    assert lines == {"J1": ({"jacket": "J1", "patient_id": "42", "films": "3"}, 3)}


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("folder,films\nJ1,1\n", "", "no column 'jacket'"),
        ("jacket,films\nJ1,two\n", "", "'films' is no number"),
        ("jacket,films\nJ1,50012036\n", "", "'films' is no number"),
        ("jacket,films\nJ1,-1\n", "", "'films' is no number"),
        ("jacket,films\n,1\n", "", "'jacket' is empty in 1 lines"),
        ("jacket,films\nJ1,1\n", 'columns = { name = "Patient" }', "no column 'Patient'"),
        ("jacket,films\nJ1,1\n", 'columns = { surname = "jacket" }', "'surname' is no column of ours"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_one_line(
    migration: MakeMigration, film_folder: Path, text: str, more: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        listed(migration, film_folder, text, more)
    assert "\n" not in str(caught.value)


def test_an_error_carries_no_line_of_the_manifest(migration: MakeMigration, film_folder: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        listed(migration, film_folder, "jacket,name,films\nJ1,Doe^Jane,x\n")
    assert "Doe" not in str(caught.value)


def test_a_film_in_the_folder_of_another_jacket_goes_to_a_person(migration: MakeMigration, film_folder: Path) -> None:
    (film_folder / "J1").mkdir()
    (film_folder / "J1" / "J2_PA.tif").write_bytes(b"II*\0")
    made, _ = listed(migration, film_folder, "jacket,films\nJ1,1\nJ2,0\n")
    outcome, reason = made.reasons()["J1/J2_PA.tif"]
    assert outcome == "review" and "folder" in reason
