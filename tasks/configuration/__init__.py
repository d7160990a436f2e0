"""One `filmroom.toml` a migration: its keys, their defaults, and one-line errors that name the file, the key and the mend.

Paths in it are relative to the file and are made absolute while it is read. Unknown keys and wrong types are errors; what the
contract names and this version does not do yet is refused before anything runs.
"""

import re
import tomllib
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from tasks.configuration.faults import first_error, refuse_what_is_not_built
from tasks.configuration.film import RAW_FILM, Digitizer, FilmSource, RawFilm, Wedge, Wrap
from tasks.configuration.pacs import PacsSource
from tasks.configuration.section import RelativePath, Section, listed, one_or_listed
from tasks.configuration.target import DimseTarget, EmbeddedTarget, Target
from tasks.errors import ConfigurationError

__all__ = [
    "INDEX_COLUMNS",
    "RAW_FILM",
    "ArchiveSource",
    "Configuration",
    "Digitizer",
    "DimseTarget",
    "EmbeddedTarget",
    "FilmSource",
    "Network",
    "PacsSource",
    "Patients",
    "Project",
    "RawFilm",
    "Reconcile",
    "Run",
    "Source",
    "Target",
    "Validate",
    "Wedge",
    "Wrap",
    "read_configuration",
]


class Project(Section):
    """`[project]`: whose migration this is and where it lives."""

    name: str = Field(min_length=1)
    workspace: RelativePath
    issuer: str = ""
    now: datetime | None = None

    @field_validator("now", mode="before")
    @classmethod
    def _parse_now(cls, value: Any) -> Any:
        if value in ("", None):
            return None
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if not isinstance(moment, datetime):
            raise ValueError('must be a time such as "2026-01-31T12:00:00"')
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class ArchiveSource(Section):
    """`[[source]]` of kind `archive`: a folder of discs and exports."""

    kind: Literal["archive"]
    path: RelativePath = Field(exclude=True)
    name: str = ""


Source = Annotated[FilmSource | ArchiveSource | PacsSource, Field(discriminator="kind")]


def source_name(source: FilmSource | ArchiveSource | PacsSource) -> str:
    """Its name; one without is called after the last part of its path or, a PACS, by its AE title."""
    return source.name or (source.ae_title if isinstance(source, PacsSource) else source.path.name)


INDEX_COLUMNS = (
    "patient_id",
    "family_name",
    "given_name",
    "birth_date",
    "sex",
    "issuer",
    "death_date",
    "street",
    "city",
    "postcode",
    "phone",
    "former_patient_id",
    "former_family_name",
)


class Patients(Section):
    """`[patients]`: the patient index, from one or more sources: files (CSV, Parquet) or folders (messages)."""

    index: Annotated[tuple[RelativePath, ...], BeforeValidator(one_or_listed)] = Field(min_length=1)
    columns: dict[str, str] = Field(default_factory=dict)  # our column = the index's column

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for ours in columns:
            if ours not in INDEX_COLUMNS:
                raise ValueError(f"{ours!r} is no column of ours: use {', '.join(INDEX_COLUMNS)}")
        return columns


class Network(Section):
    """`[network]`: us, towards a PACS."""

    ae_title: str = Field(default="FILMROOM", min_length=1, max_length=16)
    port: int = Field(default=11113, ge=1, le=65535)


class Reconcile(Section):
    """`[reconcile]`: what the pipeline may decide alone."""

    auto_link: float = Field(default=0.9999, gt=0, le=1)
    review: float = Field(default=0.05, ge=0, le=1)
    strangers: float = Field(default=1e-5, ge=0, le=1)  # see tasks.reconcile.policy
    error_rate: float = Field(default=0.001, ge=0, le=1)
    study_uid: Literal["minted", "order"] = "minted"


Suite = Literal["patient", "study", "film", "object", "iod"]


class Validate(Section):
    """`[validate]`: which suites are applied."""

    suites: Annotated[tuple[Suite, ...], BeforeValidator(listed)] = ("patient", "study", "film", "object", "iod")


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    size = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]B)", value.strip().upper())
    if size is None:
        raise ValueError('must be a size such as "200 GB"')
    return int(float(size[1]) * _UNITS[size[2]])


class Run(Section):
    """`[run]`: how the work is spread."""

    runner: Literal["threads", "processes"] = "processes"
    workers: int | None = Field(default=None, ge=1)
    staging: Annotated[int, BeforeValidator(_bytes), Field(gt=0)] = 200 * 10**9


class Configuration(Section):
    """The whole of `filmroom.toml`, checked and with absolute paths."""

    project: Project
    source: Annotated[tuple[Source, ...], BeforeValidator(listed)] = Field(min_length=1)
    patients: Patients | None = None
    network: Network = Network()
    wrap: Wrap = Wrap()
    reconcile: Reconcile = Reconcile()
    validate_: Validate = Field(default=Validate(), alias="validate")
    target: Target = EmbeddedTarget()
    run: Run = Run()

    @cached_property
    def sources(self) -> dict[str, FilmSource | ArchiveSource | PacsSource]:
        """The sources by name, see `source_name`."""
        return {source_name(source): source for source in self.source}


def read_configuration(file: Path) -> Configuration:
    """Reads and checks a configuration; raises `ConfigurationError` with one line that names the file, the key and the mend."""
    file = Path(file)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{file}: no such file: name one with -c, or make one with `filmroom init DIR`") from error
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}): name a file that can, with -c") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 (byte {error.start + 1}): save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: cannot be read as TOML ({error}): correct it") from error
    refuse_what_is_not_built(raw, file)
    try:
        configuration = Configuration.model_validate(raw, context={"folder": file.resolve().parent})
    except ValidationError as error:
        raise ConfigurationError(first_error(error, file)) from error
    _check_names_and_files(configuration, file)
    return configuration


def _check_names_and_files(configuration: Configuration, file: Path) -> None:
    names = Counter(source_name(source) for source in configuration.source)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise ConfigurationError(f"{file}: {count} sources have the name {name!r}: give each [[source]] a name of its own")
    workspace = configuration.project.workspace
    if workspace.exists() and not workspace.is_dir():
        raise ConfigurationError(f"{file}: [project] workspace: {workspace} is not a folder: name one")
    wanted: list[tuple[str, Path, bool | None]] = []  # None: a folder or a file
    for number, source in enumerate(configuration.source, 1):
        if not isinstance(source, PacsSource):
            wanted.append((f"[[source]] {number} path", source.path, True))
        if isinstance(source, FilmSource) and source.manifest:
            wanted.append((f"[[source]] {number} manifest", source.manifest, False))
    if configuration.patients:
        wanted.extend(("[patients] index", path, None) for path in configuration.patients.index)
    for what, path, is_folder in wanted:
        if not path.exists():
            raise ConfigurationError(f"{file}: {what}: {path} does not exist: correct the path or mount it")
        if is_folder is not None and path.is_dir() != is_folder:
            kind = "folder" if is_folder else "file"
            raise ConfigurationError(f"{file}: {what}: {path} is not a {kind}: name a {kind}")
