"""The patient index and the model; FEBRL 4 (Christen 2008) is a regression check, its truth is in `rec_id`."""

from pathlib import Path

import pytest

from benchmarks.linkage import febrl3, febrl4, our_pairs
from tasks.configuration import Patients
from tasks.errors import ConfigurationError
from tasks.reconcile.candidates import Query, find_candidates
from tasks.reconcile.index import check_index, index_version, read_index

from .rows import INDEX_HEAD, context


def test_an_index_is_read_as_spelled_and_found_in_normal_form(tmp_path: Path) -> None:
    path = tmp_path / "mpi.csv"
    path.write_text("\ufeffnr;Nachname;Vorname;geb;sex\n 0 12a ;Müller;Jörg;1931-03-12;male\n", encoding="utf-8")
    columns = {"patient_id": "nr", "family_name": "Nachname", "given_name": "Vorname", "birth_date": "geb"}
    index = read_index(Patients(index=path, columns=columns), tmp_path)
    (person,) = index.with_identifier("012A")
    assert (person.name, person.birth_date, person.sex, person.patient_id) == ("Müller^Jörg", "19310312", "M", "0 12a")
    assert index.with_identifier("12A") == []
    assert index.with_identifier("") == []


def test_empty_cells_are_nothing_known(tmp_path: Path) -> None:
    index = read_index(context(tmp_path, INDEX_HEAD + "7,,,,,\n,SMITH,ANN,no date,?,\n").configuration.patients, tmp_path)
    (person,) = index.with_identifier("7")
    assert (person.name, person.birth_date, person.sex, index.size) == ("", "", "", 2)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"patient_id,family_name,given_name,sex\n", "birth_date"),
        (b"", "patient_id"),
        (b"patient_id,family_name,given_name,birth_date,sex\n1,SECRET\n", "correct the file"),
        ("patient_id,family_name,given_name,birth_date,sex\n1,SECRÉT,A,,\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_an_index_that_cannot_serve_is_named_in_one_line_without_its_patients(tmp_path: Path, text: bytes, named: str) -> None:
    path = tmp_path / "mpi.csv"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError) as caught:
        read_index(Patients(index=path), tmp_path)
    message = str(caught.value)
    assert named in message and "mpi.csv" in message and "\n" not in message and "SECR" not in message


def test_the_version_follows_the_content_and_needs_the_columns(tmp_path: Path) -> None:
    first = index_version(context(tmp_path).configuration)
    assert first == index_version(context(tmp_path).configuration)
    assert first != index_version(context(tmp_path, INDEX_HEAD).configuration)
    assert index_version(context(tmp_path, None).configuration) is None
    with pytest.raises(ConfigurationError):
        check_index(context(tmp_path, "patient_id\n").configuration.patients)


def test_names_count_in_either_order_and_what_is_missing_is_neutral(tmp_path: Path) -> None:
    index = read_index(context(tmp_path).configuration.patients, tmp_path)
    queries = [
        Query("swapped", None, "Mary Ann", "ONeil", "19310312", None),
        Query("whole", "1001", "O'Neil", "Mary Ann", "19310312", "F"),
        Query("nobody", "7", "OTHER", "NAME", "19990101", None),
        Query("empty", None, None, None, None, None),
    ]
    found = find_candidates(queries, index, 0.05)
    assert [len(found[name]) for name in ("swapped", "whole", "nobody", "empty")] == [1, 1, 0, 0]
    assert found["swapped"][0].probability > 0.99
    assert found["whole"][0].probability > 0.9999
    assert found == find_candidates(queries, index, 0.05)


def test_nothing_of_a_patient_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    index = read_index(context(tmp_path).configuration.patients, tmp_path)
    find_candidates([Query("x", "1001", "O'NEIL", "MARY ANN", "19310312", "F")], index, 0.05)
    assert capfd.readouterr() == ("", "")


def test_febrl4(realdata: Path) -> None:
    """All of FEBRL 4-B against 4-A, every pair at p >= 0.5 counted."""
    score, _, _ = febrl4(realdata / "linkage" / "febrl", our_pairs)
    assert score >= 0.9995


def test_febrl3(realdata: Path) -> None:
    """All of FEBRL 3 against itself, every pair at p >= 0.5 counted."""
    score, _, _ = febrl3(realdata / "linkage" / "febrl", our_pairs)
    assert score >= 0.997


def test_a_common_name_stays_common_in_the_other_order(tmp_path: Path) -> None:
    lines = [f"{number},SMITH,MARY,19{number % 90 + 10}0{number % 9 + 1}11,F,STE\n" for number in range(1000)]
    index = read_index(context(tmp_path, INDEX_HEAD + "".join(lines)).configuration.patients, tmp_path)
    asked = [Query(name, None, *parts, "19500411", "F") for name, parts in (("a", ("SMITH", "MARY")), ("b", ("MARY", "SMITH")))]
    found = find_candidates(asked, index, 0)
    # A thousand of that name, a birth date of a century: 1000 / 36525 of them by chance, and no fewer when turned.
    assert all(found[name][0].strangers >= 0.027 for name in ("a", "b"))
