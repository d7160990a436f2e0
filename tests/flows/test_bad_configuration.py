"""A wrong configuration or call: one line that names the file, the key and the mend, exit 2, before anything runs."""

from pathlib import Path

import pytest

from flows.cli import main
from tests.flows.command import CONFIGURATION, INDEX, Migration, filmroom, new_migration, said


@pytest.fixture
def migration(tmp_path: Path) -> Migration:
    return new_migration(tmp_path / "migration")


def refused(migration: Migration, command: str = "status") -> str:
    """The line with which a command refuses the migration; no workspace has been made."""
    answer = filmroom(command, "-c", migration.file)
    assert (answer.code, answer.out) == (2, "")
    assert not (migration.folder / "workspace").exists()
    return answer.fault


def change(migration: Migration, old: str, new: str) -> None:
    text = migration.file.read_text()
    assert old in text
    migration.file.write_text(text.replace(old, new, 1))


# What stands in the file, what it is changed to, and what the line must name: the key, what is wrong, the mend.
WRONG = [
    ("port = 0", "prot = 0", ["unknown key [target] prot", "correct its spelling"]),
    ("[patients]", "[patience]", ["unknown section patience", "correct its spelling"]),
    ("manifest =", "digitizer = { dip = 150 }\nmanifest =", ["unknown key [[source]] 1 digitizer.dip"]),
    ("port = 0", 'port = "0"', ["[target] port", "must be a whole number, got '0'"]),
    ("port = 0", "port = 70000", ["[target] port", "less than or equal to 65535, got 70000"]),
    ('path = "scans"', "path = 7", ["[[source]] 1 path", "must be a path in quotes, got 7"]),
    ('name = "bad-input"', "name = 7", ["[project] name", "must be a text in quotes, got 7"]),
    ('name = "bad-input"', "", ["[project] name is missing", "add it"]),
    ("[project]", "[[project]]", ["[project]: must be a table"]),
    ("[[source]]", "[source]", ["[[source]]: must be a list"]),
    ('kind = "film"', "", ["[[source]] 1 kind is missing", "add it"]),
    ('kind = "film"', 'kind = "flim"', ["[[source]] 1 kind", "must be 'film', 'archive', 'pacs', got 'flim'"]),
    ('kind = "embedded"', 'kind = "dimse"', ["[target] host is missing", "add it"]),
    ('runner = "threads"', 'runner = "threats"', ["[run] runner", "'threads' or 'processes', got 'threats'"]),
    ('runner = "threads"', 'staging = "-1 GB"', ["[run] staging", 'a size such as "200 GB"']),
    ('runner = "threads"', "staging = 0", ["[run] staging", "must be greater than 0"]),
    ("[[source]]", 'now = "yesterday"\n[[source]]', ["[project] now", "must be a time such as"]),
    ("[[source]]", "now = 3\n[[source]]", ["[project] now", "must be a time such as"]),
    ("manifest =", "years = [1955]\nmanifest =", ["[[source]] 1 years", "too few values"]),
    ("manifest =", "years = [2004, 1955]\nmanifest =", ["[[source]] 1 years", "the first year, then the last"]),
    ("[target]", 'columns = { surname = "x" }\n[target]', ["[patients] columns", "'surname'", "use patient_id, family_name"]),
    ("port = 0", "port = 0\nport = 1", ["cannot be read as TOML", "line 16", "correct it"]),
    ("[run]", '[target]\nkind = "embedded"\n[run]', ["cannot be read as TOML", "twice", "correct it"]),
    ("[run]", "[[[run]", ["cannot be read as TOML", "correct it"]),
    ("[run]", "[[source]]\nkind = 'archive'\npath = 'scans'\n[run]", ["2 sources have the name 'scans'", "a name of its own"]),
    ('"scans"', '"scanned"', ["[[source]] 1 path", "scanned does not exist", "correct the path or mount it"]),
    ('"scans"', '"mpi.csv"', ["[[source]] 1 path", "mpi.csv is not a folder"]),
    ('"jackets.csv"', '"jacket.csv"', ["[[source]] 1 manifest", "jacket.csv does not exist"]),
    ('"jackets.csv"', '"scans"', ["[[source]] 1 manifest", "scans is not a file"]),
    ('"mpi.csv"', '"mpi.txt"', ["[patients] index", "mpi.txt does not exist"]),
    ('"mpi.csv"', '["mpi.csv", "mpi.txt"]', ["[patients] index", "mpi.txt does not exist"]),
    ('"mpi.csv"', "[]", ["[patients] index"]),
    ('"workspace"', '"mpi.csv"', ["[project] workspace", "mpi.csv is not a folder"]),
    # In the contract, and not built yet.
    ('kind = "film"', 'kind = "pacs"', ["[[source]] 1 host is missing", "add it"]),
    ('kind = "embedded"', 'kind = "dicomweb"', ['kind "dicomweb" is not built yet', 'use kind = "dimse"']),
    ('runner = "threads"', 'runner = "dask"', ['runner = "dask" is not built yet', 'use "processes"']),
    ('"workspace"', '"s3://bucket/workspace"', ["[project] workspace at a URL is not built yet", "name a folder"]),
]


@pytest.mark.parametrize(
    ("old", "new", "named"), WRONG, ids=[new.replace("\n", " ")[:40] or f"no {old}" for old, new, _ in WRONG]
)
def test_wrong_configuration_is_refused(
    migration: Migration, capsys: pytest.CaptureFixture[str], old: str, new: str, named: list[str]
) -> None:
    """In this process, since there are many; the tests below run the command."""
    change(migration, old, new)
    answer = said(main(["status", "-c", str(migration.file)]), *capsys.readouterr())
    assert (answer.code, answer.out) == (2, "")
    line = answer.fault
    assert str(migration.file) in line
    assert [part for part in named if part not in line] == [], line


def test_every_command_refuses_it_before_anything_runs(migration: Migration) -> None:
    change(migration, 'runner = "threads"', 'runner = "dask"')
    assert refused(migration, "run") == refused(migration, "status") == refused(migration, "doctor")


def test_a_link_to_nowhere_is_no_source(migration: Migration) -> None:
    migration.scans.rename(migration.folder / "elsewhere")
    migration.scans.symlink_to(migration.folder / "nowhere")
    assert "[[source]] 1 path: " in (line := refused(migration, "run"))
    assert "nowhere does not exist: correct the path or mount it" in line


def test_a_file_that_is_no_text(migration: Migration) -> None:
    migration.file.write_bytes(CONFIGURATION.encode() + b"# \xff\n")
    assert "is not UTF-8 (byte" in (line := refused(migration))
    assert "save it as UTF-8" in line


def test_no_file(tmp_path: Path) -> None:
    answer = filmroom("run", "-c", tmp_path / "filmroom.toml")
    assert answer.code == 2
    assert f"{tmp_path / 'filmroom.toml'}: no such file: name one with -c" in answer.fault


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (["run", "--limit", "0"], "argument --limit: must be a whole number from 1 on, got '0'"),
        (["run", "--limit", "many"], "argument --limit: must be a whole number from 1 on, got 'many'"),
        (["run", "--stage", "scam"], "argument --stage: invalid choice: 'scam' (choose from"),
        (["rnu"], "invalid choice: 'rnu' (choose from"),
        ([], "COMMAND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_calls(call: list[str], named: str) -> None:
    answer = filmroom(*call)
    assert answer.code == 2
    assert named in answer.fault
    assert "--help" in answer.fault


def test_the_workspace_of_another_migration(migration: Migration, tmp_path: Path) -> None:
    other = new_migration(tmp_path / "other", films=0)
    assert filmroom("run", "-c", other.file).code == 0, "an empty run makes a workspace"
    change(migration, 'workspace = "workspace"', f'workspace = "{other.folder / "workspace"}"')
    change(migration, 'name = "bad-input"', 'name = "mine"')
    line = refused(migration, "run")
    assert "is the workspace of migration 'bad-input', not of 'mine': correct [project] workspace" in line


def test_a_folder_with_other_things_becomes_no_workspace(migration: Migration) -> None:
    change(migration, 'workspace = "workspace"', 'workspace = "scans"')
    assert "scans: holds other files and is no workspace: choose an empty folder" in refused(migration, "run")
    assert [path.name for path in migration.scans.iterdir()] == ["J1_1.tif"]


@pytest.mark.parametrize(
    ("index", "named"),
    [
        (INDEX.replace("birth_date", "born"), "has no column 'birth_date': add it, or map birth_date in [patients] columns"),
        ("", "has no column 'patient_id'"),
        (INDEX.replace("EI", "\xc9"), "cannot be read as CSV in UTF-8: correct the file"),
    ],
    ids=["no column", "empty", "latin-1"],
)
def test_a_patient_index_that_cannot_be_used(migration: Migration, index: str, named: str) -> None:
    (migration.folder / "mpi.csv").write_bytes(index.encode("latin-1"))
    answer = migration.run()
    assert (answer.code, answer.out) == (2, "")
    assert f"{migration.folder / 'mpi.csv'}: the patient index {named}" in answer.fault
    assert filmroom("doctor", "-c", migration.file).code == 1


@pytest.mark.parametrize(
    ("manifest", "named"),
    [
        ("jackt,films\nJ1,1\n", "has no column 'jacket': name the jacket's column in [[source]] columns"),
        ("jacket,films\n,1\n", "column 'jacket' is empty in 1 lines: correct them"),
        ("jacket,films\nJ1,QUINCEY\n", "column 'films' is no number from 0 to 10000 in 1 lines: correct them"),
        ("", "has no column 'jacket'"),
    ],
    ids=["no column", "no jacket", "no number", "empty"],
)
def test_a_manifest_that_cannot_be_used(migration: Migration, manifest: str, named: str) -> None:
    (migration.folder / "jackets.csv").write_text(manifest)
    answer = migration.run()
    assert (answer.code, answer.out) == (2, "")
    assert f"{migration.folder / 'jackets.csv'}: {named}" in answer.fault


def test_a_query_that_fails_shows_no_value(migration: Migration) -> None:
    new_migration(migration.folder / "empty", films=0).run()
    empty = Migration(migration.folder / "empty")
    for sql, named in (("SELEC 1", 'at or near "SELEC"'), ("SELECT cast('QUINCEY' AS INT)", "ConversionException")):
        answer = filmroom("query", "-c", empty.file, sql)
        assert answer.code == 2
        assert named in answer.fault
