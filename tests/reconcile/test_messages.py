"""The index from messages: HL7 v2 (chapter 3, its triggers), FHIR R4 Patient, DICOM worklists; real ones and by hand."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.configuration import Patients
from tasks.errors import ConfigurationError
from tasks.reconcile.index import PatientIndex, Person, read_index
from tasks.reconcile.registry.event import Event, UnreadableError
from tasks.reconcile.registry.gather import gather
from tasks.reconcile.registry.history import lives
from tasks.reconcile.registry.hl7 import read_message, split_messages

from .adt import adt, pid

MARY = pid("1^^^STE^MR", "SMITH^MARY", "19310312", "F")


def index_of(folder: Path, *messages: bytes) -> PatientIndex:
    """The index of a folder of messages, one a file, the last first."""
    source = folder / "adt"
    source.mkdir(exist_ok=True)
    for number, message in enumerate(messages):
        (source / f"{len(messages) - number:04}.hl7").write_bytes(message)
    return read_index(Patients(index=source), folder)


def one(index: PatientIndex, number: str) -> Person:
    (person,) = index.with_identifier(number)
    return person


@pytest.mark.parametrize("trigger", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_who_is_known(tmp_path: Path, trigger: str) -> None:
    person = one(index_of(tmp_path, adt(trigger, "2001", MARY)), "1")
    assert (person.name, person.birth_date, person.sex, person.issuer) == ("SMITH^MARY", "19310312", "F", "STE")


def test_a_name_and_a_birth_date_that_were_corrected_still_find_the_person(tmp_path: Path) -> None:
    maiden = pid("1", "JONES^MARY", "19310212", "F")
    person = one(index_of(tmp_path, adt("A04", "1955", maiden), adt("A08", "1960", MARY)), "1")
    assert (person.name, person.birth_date) == ("SMITH^MARY", "19310312")
    assert person.former_names == (("JONES", "MARY"),)
    assert person.former_birth_dates == ("19310212",)


@pytest.mark.parametrize("trigger", ["A18", "A34", "A40", "A47"])
def test_merges_keep_the_survivor_and_the_old_number(tmp_path: Path, trigger: str) -> None:
    index = index_of(
        tmp_path,
        adt("A04", "1955", pid("9", "JONES^MARY", "19310312", "F")),
        adt("A04", "1956", MARY),
        adt(trigger, "1960", MARY, "MRG|9^^^STE^MR"),
        adt("A08", "1961", pid("9", "JONES^MARY", "19310312", "F")),  # a late message under the number that is out of use
    )
    assert index.size == 1
    person = one(index, "9")
    assert person == one(index, "1")
    assert (person.patient_id, person.name, person.former_ids) == ("1", "SMITH^MARY", (("9", "STE"),))


def test_a_merge_of_persons_names_the_prior_in_mrg_4(tmp_path: Path) -> None:
    merge = adt("A39", "1960", MARY, "MRG|||||".replace("|||||", "||||9^^^STE"))
    index = index_of(tmp_path, adt("A04", "1955", pid("9", "JONES^MARY", "19310312")), adt("A04", "1956", MARY), merge)
    assert one(index, "9").patient_id == "1"


def test_a_chain_of_merges_ends_at_the_last_survivor(tmp_path: Path) -> None:
    merges = [adt("A40", f"19{60 + at}", pid(f"{at + 1}", "SMITH^MARY", "19310312"), f"MRG|{at}^^^STE") for at in range(1, 5)]
    index = index_of(tmp_path, adt("A04", "1950", MARY), *merges)
    assert index.size == 1
    assert {one(index, str(number)).patient_id for number in range(1, 6)} == {"5"}


def test_links_are_made_and_undone(tmp_path: Path) -> None:
    other = pid("2", "SMITH^MARIE", "19310312")
    known = (adt("A04", "1955", MARY), adt("A04", "1955", other, control="2"))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    linked = index_of(tmp_path / "a", *known, adt("A24", "1960", MARY, other))
    assert linked.size == 2
    assert one(linked, "1").linked == one(linked, "2").line
    # Whom only the link tells of is somebody too.
    (tmp_path / "c").mkdir()
    assert index_of(tmp_path / "c", adt("A24", "1960", MARY, other)).size == 2
    undone = index_of(tmp_path / "b", *known, adt("A24", "1960", MARY, other), adt("A37", "1961", MARY, other))
    assert (one(undone, "1").linked, one(undone, "2").linked) == (-1, -1)


def test_a_moved_number_finds_whom_it_was_moved_to(tmp_path: Path) -> None:
    wrong = pid("5^^^STE^MR~7^^^LAB^PI", "JONES^BOB", "19400404", external="5^^^STE")
    move = adt("A43", "1960", pid("7^^^LAB^PI", "SMITH^MARY", "19310312", external="1^^^STE"), "MRG|7^^^LAB^PI|||5^^^STE")
    index = index_of(tmp_path, adt("A04", "1955", wrong), adt("A04", "1956", MARY), move)
    assert one(index, "7").patient_id == "1"
    assert one(index, "5").former_ids == ()


def test_an_account_that_moves_moves_no_number(tmp_path: Path) -> None:
    move = adt("A44", "1960", MARY, "MRG|5^^^STE||88")
    index = index_of(tmp_path, adt("A04", "1955", pid("5", "JONES^BOB", "19400404")), adt("A04", "1956", MARY), move)
    assert (index.size, one(index, "5").patient_id) == (2, "5")


def test_a_number_given_out_anew_is_of_two_persons(tmp_path: Path) -> None:
    index = index_of(tmp_path, adt("A04", "1955", MARY), adt("A04", "1999", pid("1", "DOE^JOHN", "19990101", "M")))
    assert sorted(person.name for person in index.with_identifier("1")) == ["DOE^JOHN", "SMITH^MARY"]


def test_what_tables_and_messages_say_of_one_number_is_one_person(tmp_path: Path) -> None:
    table = tmp_path / "mpi.csv"
    table.write_text(
        "patient_id,family_name,given_name,birth_date,sex,issuer,former_patient_id,former_family_name\n"
        "1,JONES,MARY,19310312,F,STE,,\n2,BROWN,ANN,19400101,F,STE,77;78,GREY\n3,GREEN,TOM,19500101,M,STE,,\n"
    )
    (tmp_path / "adt.hl7").write_bytes(
        adt("A08", "1960", MARY) + adt("A04", "1961", pid("3", "DOE^JOHN", "19990101")) + adt("A28", "1962", pid("4", "X^Y"))
    )
    index = read_index(Patients(index=[table, tmp_path / "adt.hl7"]), tmp_path)
    person = one(index, "1")
    assert (person.name, person.former_names) == ("SMITH^MARY", (("JONES", "MARY"),))
    assert len(index.with_identifier("3")) == 2
    assert index.size == 5
    assert (one(index, "78").patient_id, one(index, "77").former_names) == ("2", (("GREY", "ANN"),))


def test_messages_are_read_in_the_characters_they_declare() -> None:
    wide = adt("A04", "1955", pid("1", "ŁUKASZ^A"), charset="UNICODE UTF-16").decode().encode("utf-16")
    assert read_message(split_messages(wide)[0])[0].facts.names == (("ŁUKASZ", "A"),)
    for charset, name in (("8859/1", "MÜLLER"), ("8859/2", "WAŁĘSA"), ("UNICODE UTF-8", "МАРИЯ"), ("", "ПЁТР")):
        (message,) = split_messages(
            b"\x0b" + adt("A04", "1955", pid("1", f"{name}^A", "19310312"), charset=charset) + b"\x1c\r"
        )
        (event,) = read_message(message)
        assert event.facts.names == ((name, "A"),)


def test_escapes_separators_and_subcomponents() -> None:
    message = adt("A04", "1955", pid(r"1\T\2^^^STE&2.16&ISO^MR", r"O\F\NEIL&O^MARY^ANN~BORN^MARY^^^^^M", "1931031211"))
    (event,) = read_message(message.replace(b"|", b"#").replace(b"^", b"@"))
    assert event.identifiers == (("1&2", "STE"),)
    assert event.facts.names == (("O#NEIL".replace("#", "|"), "MARY ANN"), ("BORN", "MARY"))
    assert event.facts.birth_date == "19310312"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no HL7 message"),
        (b"PID|1|SECRET", "no HL7 message"),
        (b"MSH|", "cut off"),
        (adt("A99", "1955", MARY), "ADT event A99"),
        (adt("SECRET", "1955", MARY), "ADT event:"),
        (adt("A04", "1955"), "no segment PID"),
        (adt("A04", "1955", "PID|1|||||SECRET"), "no identifier"),
        (adt("A40", "1955", MARY), "MRG-1"),
        (adt("A24", "1955", MARY), "no second person"),
        (adt("A43", "1955", MARY, "MRG|7"), "MRG-4"),
        (adt("A04", "1955", MARY, charset="SECRET"), "character set"),
        (adt("A04", "1955", pid("1", "MÜLLER")).decode().encode("latin-1"), "MSH-18 names no character set"),
    ],
)
def test_what_cannot_be_read_says_why_and_nothing_of_a_patient(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        for message in split_messages(content):
            read_message(message)
    assert reason in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("SECRET", "SMITH", "1931", "LLER"))


numbers = st.sampled_from(["1", "2", "3", "4"])
persons = st.builds(
    pid,
    numbers,
    st.sampled_from(["SMITH^MARY", "JONES^MARY", "DOE^JOHN"]),
    st.sampled_from(["19310312", "19990101", ""]),
    st.sampled_from(["F", "M", ""]),
    external=numbers,
)
messages = st.builds(
    lambda trigger, at, sent, control, person, other, prior: adt(
        trigger,
        at,
        person,
        *([other] if trigger in ("A24", "A37") else [f"MRG|{prior}^^^STE|||{prior}"]),
        sent=sent,
        control=control,
    ),
    st.sampled_from(["A04", "A08", "A31", "A40", "A47", "A24", "A37", "A43"]),
    st.sampled_from(["19600101", "196001011200+0100", "1961", ""]),
    st.sampled_from(["1960", "1961"]),
    st.sampled_from(["a", "b", "c"]),
    persons,
    persons,
    numbers,
)


def events_of(found: list[bytes]) -> list[Event]:
    return [event for message in found for event in read_message(message)]


@settings(max_examples=150)
@given(st.lists(messages, max_size=9), st.randoms(use_true_random=False))
def test_adt_in_any_order_gives_the_same_index(found: list[bytes], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    told = [[vars(life) | {"linked": None} for life in lives(events_of(order))] for order in (found, shuffled)]
    assert told[0] == told[1]
    # Nobody's number is lost on the way.
    said = {identifier for event in events_of(found) for identifier in event.identifiers}
    held = {identifier for life in lives(events_of(found)) for identifier in life.identifiers}
    assert said <= held


def test_the_files_order_does_not_count_either(tmp_path: Path) -> None:
    found = [adt("A04", "1955", MARY), adt("A40", "1960", pid("2", "SMITH^MARY"), "MRG|1^^^STE"), adt("A04", "1956", pid("2"))]
    for folder, order in (("a", found), ("b", found[::-1])):
        (tmp_path / folder).mkdir()
        index_of(tmp_path / folder, *order)
    a, b = (gather([tmp_path / folder / "adt"], {}) for folder in "ab")
    assert a == b


def bundle(*patients: dict[str, object]) -> bytes:
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": patient} for patient in patients]}).encode()


def patient(number: str, family: str, **more: object) -> dict[str, object]:
    names = [
        {"use": "maiden", "family": "JONES", "given": ["MARY"]},
        {"use": "official", "family": family, "given": ["MARY", "ANN"]},
    ]
    identifiers = [
        {"system": "urn:ssn", "value": "9", "type": {"coding": [{"code": "SS"}]}},
        {"system": "STE", "value": number},
    ]
    common = {"resourceType": "Patient", "id": f"p{number}", "identifier": identifiers, "name": names}
    return {**common, "gender": "female", "birthDate": "1931-03-12", "deceasedDateTime": "1990-01-02T00:00:00Z", **more}


def test_fhir_patients_and_those_replaced(tmp_path: Path) -> None:
    replaced = patient("2", "BROWN", link=[{"other": {"reference": "Patient/p1"}, "type": "replaced-by"}])
    (tmp_path / "b.json").write_bytes(bundle(replaced, patient("1", "SMITH")))
    index = read_index(Patients(index=tmp_path / "b.json"), tmp_path)
    person = one(index, "2")
    assert index.size == 1
    assert (person.patient_id, person.name, person.birth_date, person.sex) == ("1", "SMITH^MARY ANN", "19310312", "F")
    assert person.death_date == "19900102"
    assert set(person.former_names) == {("JONES", "MARY"), ("BROWN", "MARY ANN")}
    assert index.with_identifier("9") == []  # a social security number is on no film


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b'{"resourceType": "Patient"}', b'{"resourceType":"Patient","name":3}']
)
def test_resources_that_cannot_be_read_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "SECRET.json").write_bytes(content)
    found = gather([tmp_path / "SECRET.json"], {})
    assert len(found.unread) == 1 and found.records.num_rows == 0
    assert "SECRET" not in json.dumps(dict(found.unread))


def test_all_real_messages_are_read_or_named(realdata: Path, tmp_path: Path) -> None:
    folder = realdata / "messages"
    found = gather([folder], {})
    bundles = sum(1 for _ in (folder / "fhir_synthea_r4" / "bundles").iterdir())
    lines = len((folder / "fhir_synthea_r4" / "patients.ndjson").read_text().splitlines())
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    hl7 = Counter(why.split(":")[0] for why in found.unread.values())
    # 12 of the messages are of the triggers that an index is made of, 10 worklist entries name a patient.
    assert len(found.unread) + 12 + 10 + bundles + 1 == files
    assert hl7["no ADT message"] == 42
    index = read_index(Patients(index=folder), tmp_path)
    assert one(index, "10006579").name == "DUCK^DONALD D"
    assert one(index, "AV35674").name == "VIVALDI^ANTONIO"
    official = json.loads((folder / "fhir_synthea_r4" / "patients.ndjson").read_text().splitlines()[lines - 1])
    number = next(i["value"] for i in official["identifier"] if i.get("type", {}).get("text") == "Medical Record Number")
    assert one(index, number).birth_date == official["birthDate"].replace("-", "")


def test_worklist_entries_as_text_and_as_dicom_say_the_same(
    realdata: Path, tmp_path: Path, debian_tool: Callable[[str], str]
) -> None:
    folder = realdata / "messages" / "dcmtk_wlist" / "wlistdb" / "OFFIS"
    for dump in sorted(folder.glob("*.dump")):
        subprocess.run([debian_tool("dump2dcm"), "-q", dump, tmp_path / f"{dump.stem}.wl"], check=True)
    assert gather([folder], {}).records == gather([tmp_path], {}).records
    assert gather([folder], {}).orders == gather([tmp_path], {}).orders


def test_an_order_does_not_unsay_what_the_table_says_and_adds_its_number(tmp_path: Path) -> None:
    (tmp_path / "mpi.csv").write_text(
        "patient_id,family_name,given_name,birth_date,sex\nAV35674,Vivaldi,Antonio Lucio,1678-03-04,M\n"
    )
    (tmp_path / "order.dump").write_text(
        "(0008,0050) SH  A77\n(0010,0010) PN  VIVALDI^A\n(0010,0020) LO  AV35674\n(0010,0030) DA  16780304\n"
    )
    index = read_index(Patients(index=[tmp_path / "order.dump", tmp_path / "mpi.csv"]), tmp_path)
    person = one(index, "AV35674")
    assert (index.size, person.name, person.former_names) == (1, "Vivaldi^Antonio Lucio", (("VIVALDI", "A"),))
    assert [array.tolist() for array in index.ordered(["a77", None, "A78"])] == [[0], [person.line]]


def test_a_file_that_the_system_does_not_give_out_is_named_by_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "SECRET.hl7").write_bytes(adt("A04", "1955", MARY))

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigurationError, match="Permission denied") as caught:
        gather([tmp_path / "SECRET.hl7"], {})
    assert "SECRET" not in str(caught.value)
