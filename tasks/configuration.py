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

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from tasks.errors import ConfigurationError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _absolute(value: Any, info: Any) -> Any:
    return Path(info.context["folder"], value).resolve() if isinstance(value, str) and info.context else value


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _one_or_listed(value: Any) -> Any:
    return (value,) if isinstance(value, dict) else _listed(value)


RelativePath = Annotated[Path, BeforeValidator(_absolute)]


class Project(_Section):
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


class Digitizer(_Section):
    """The film digitizer, as it goes into the SC equipment attributes."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    dpi: float | None = Field(default=None, gt=0)


RAW_FILM = "application/x-raw-film"  # the media type of what a source describes so


class RawFilm(_Section):
    """An entry of `raw` of a film source: how the pixels lie in files without a format, as old film digitizers wrote them.

    Behind `header` bytes follow `rows` x `columns` pixels, row by row, of one byte (up to 8 `bits`) or two in `order`.
    """

    suffix: str = Field(pattern=r"^\.[^/]+$")
    header: int = Field(default=0, ge=0)
    rows: int = Field(ge=1, le=65535)
    columns: int = Field(ge=1, le=65535)
    bits: int = Field(ge=2, le=16)
    order: Literal["little", "big"] = "little"
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"

    @property
    def size(self) -> int:
        """Bytes of a file."""
        return self.header + self.rows * self.columns * (1 if self.bits <= 8 else 2)


class FilmSource(_Section):
    """`[[source]]` of kind `film`: a folder of scans and the vendor's index of it."""

    kind: Literal["film"]
    path: RelativePath = Field(exclude=True)  # where it is mounted is no setting that makes its items pending
    name: str = ""
    manifest: RelativePath | None = Field(default=None, exclude=True)  # its lines are input of their own
    columns: dict[str, str] = Field(default_factory=dict)  # our column = the manifest's column
    modality: str = Field(default="RG", pattern="^[A-Z]{2,16}$")
    years: Annotated[tuple[int, int], BeforeValidator(_listed)] = (1900, 2029)
    digitizer: Digitizer = Digitizer()
    raw: Annotated[tuple[RawFilm, ...], BeforeValidator(_one_or_listed)] = ()

    def raw_film(self, path: str, size: int) -> RawFilm | None:
        """The description that fits a file's name and size in bytes."""
        return next((raw for raw in self.raw if path.lower().endswith(raw.suffix.lower()) and raw.size == size), None)

    @field_validator("raw")
    @classmethod
    def _told_apart(cls, raw: tuple[RawFilm, ...]) -> tuple[RawFilm, ...]:
        """A file must fit one description only: one suffix must not end with another of the same size."""
        for number, one in enumerate(raw):
            for other in raw[number + 1 :]:
                suffixes = one.suffix.lower(), other.suffix.lower()
                if one.size == other.size and (suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0])):
                    raise ValueError(f"must not describe files {one.suffix} of {one.size} bytes twice")
        return raw

    @field_validator("years")
    @classmethod
    def _in_order(cls, years: tuple[int, int]) -> tuple[int, int]:
        if years[0] > years[1]:
            raise ValueError("must be the first year, then the last")
        return years


class ArchiveSource(_Section):
    """`[[source]]` of kind `archive`: a folder of discs and exports."""

    kind: Literal["archive"]
    path: RelativePath = Field(exclude=True)
    name: str = ""


Source = Annotated[FilmSource | ArchiveSource, Field(discriminator="kind")]


INDEX_COLUMNS = ("patient_id", "family_name", "given_name", "birth_date", "sex", "issuer")


class Patients(_Section):
    """`[patients]`: the patient index."""

    index: RelativePath
    columns: dict[str, str] = Field(default_factory=dict)  # our column = the index's column

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for ours in columns:
            if ours not in INDEX_COLUMNS:
                raise ValueError(f"{ours!r} is no column of ours: use {', '.join(INDEX_COLUMNS)}")
        return columns


class Network(_Section):
    """`[network]`: us, towards a PACS."""

    ae_title: str = Field(default="FILMROOM", min_length=1, max_length=16)
    port: int = Field(default=11113, ge=1, le=65535)


class Wedge(_Section):
    """`[wrap.wedge]`: the step wedge that is scanned to test a digitizer, and what the digitizer has to reach on it.

    The densities (optical density, OD) are listed, or `steps` of `step` each from `first` on. `response` is what pixel values
    are proportional to. `most_nonlinearity` is a share of the range, `most_noise` is in OD, `least_density` the
    density (OD) that has to be told from the one before, or the wedge's highest where that is lower.
    """

    densities: Annotated[tuple[float, ...], BeforeValidator(_listed)] = ()
    first: float = Field(default=0.05, ge=0)
    step: float = Field(default=0.15, gt=0)
    steps: int = Field(default=21, ge=11, le=64)
    response: Literal["density", "transmittance"] = "density"
    most_nonlinearity: float = Field(default=0.02, gt=0)
    most_noise: float = Field(default=0.05, gt=0)
    least_density: float = Field(default=3.0, gt=0)

    @field_validator("densities")
    @classmethod
    def _rising(cls, densities: tuple[float, ...]) -> tuple[float, ...]:
        if densities and (len(densities) < 11 or list(densities) != sorted(set(densities)) or densities[0] < 0):
            raise ValueError("must be at least 11 densities, each higher than the one before")
        return densities

    @property
    def known(self) -> tuple[float, ...]:
        """The density of every step, the clearest first."""
        return self.densities or tuple(self.first + self.step * number for number in range(self.steps))


class Wrap(_Section):
    """`[wrap]`: how images become DICOM objects."""

    codec: Literal["jpeg-ls", "jpeg2000", "htj2k", "rle", "none"] = "jpeg-ls"
    turn: Literal["pixels", "pr"] = "pixels"
    ocr: Literal["auto", "pytesseract", "tesserocr", "rapidocr"] = "auto"
    wedge: Wedge = Wedge()


class Reconcile(_Section):
    """`[reconcile]`: what the pipeline may decide alone."""

    auto_link: float = Field(default=0.9999, gt=0, le=1)
    review: float = Field(default=0.05, ge=0, le=1)
    study_uid: Literal["minted", "order"] = "minted"


Suite = Literal["patient", "study", "film", "object"]


class Validate(_Section):
    """`[validate]`: which suites are applied."""

    suites: Annotated[tuple[Suite, ...], BeforeValidator(_listed)] = ("patient", "study", "film", "object")


_ADDRESS = re.compile(r"(?P<host>[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
_AE_TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")  # PS3.5 6.2; spaces around it do not count


def _address(value: Any) -> Any:
    address = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if address is None or not 0 < int(address["port"]) <= 65535:
        raise ValueError('must be an address such as "10.0.0.7:104"')
    return address["host"].strip("[]"), int(address["port"])


class EmbeddedTarget(_Section):
    """`[target]` of kind `embedded`: the PACS that comes with Filmroom."""

    kind: Literal["embedded"] = "embedded"
    ae_title: str = Field(default="FILMROOMPACS", min_length=1, max_length=16)
    port: int = Field(default=11114, ge=0, le=65535)
    associations: int = Field(default=4, ge=1, le=32)
    # AE title to (host, port) of whom C-MOVE may send to; no part of what is loaded, so no setting that makes it pending.
    destinations: dict[str, Annotated[tuple[str, int], BeforeValidator(_address)]] = Field(default_factory=dict, exclude=True)

    @field_validator("destinations")
    @classmethod
    def _titles(cls, destinations: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
        for title in destinations:
            if not _AE_TITLE.fullmatch(title):
                raise ValueError(f"{title!r} is no AE title: 1 to 16 plain characters, no backslash")
        return destinations


class DimseTarget(_Section):
    """`[target]` of kind `dimse`: a PACS that takes C-STORE."""

    kind: Literal["dimse"]
    host: str
    port: int = Field(ge=1, le=65535)
    ae_title: str = Field(min_length=1, max_length=16)
    associations: int = Field(default=4, ge=1, le=32)


Target = Annotated[EmbeddedTarget | DimseTarget, Field(discriminator="kind")]

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    size = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]B)", value.strip().upper())
    if size is None:
        raise ValueError('must be a size such as "200 GB"')
    return int(float(size[1]) * _UNITS[size[2]])


class Run(_Section):
    """`[run]`: how the work is spread."""

    runner: Literal["threads", "processes"] = "processes"
    workers: int | None = Field(default=None, ge=1)
    staging: Annotated[int, BeforeValidator(_bytes), Field(gt=0)] = 200 * 10**9


class Configuration(_Section):
    """The whole of `filmroom.toml`, checked and with absolute paths."""

    project: Project
    source: Annotated[tuple[Source, ...], BeforeValidator(_listed)] = Field(min_length=1)
    patients: Patients | None = None
    network: Network = Network()
    wrap: Wrap = Wrap()
    reconcile: Reconcile = Reconcile()
    validate_: Validate = Field(default=Validate(), alias="validate")
    target: Target = EmbeddedTarget()
    run: Run = Run()

    @cached_property
    def sources(self) -> dict[str, FilmSource | ArchiveSource]:
        """The sources by name; one without a name is called after the last part of its path."""
        return {source.name or source.path.name: source for source in self.source}


_NOT_YET = {
    ("index", True): "[patients] index: a list of files is not built yet: name one CSV file",
    ("source", "pacs"): 'a source of kind "pacs" is not built yet: export the PACS to a folder and use kind = "archive"',
    ("target", "dicomweb"): 'a target of kind "dicomweb" is not built yet: use kind = "dimse" or "embedded"',
    ("runner", "dask"): '[run] runner = "dask" is not built yet: use "processes" or "threads"',
    ("study_uid", "order"): '[reconcile] study_uid = "order" is not built yet: leave it at "minted"',
}
_URL = re.compile("[a-z][a-z0-9+.-]+://")


def _refuse_what_is_not_built(raw: dict[str, Any], file: Path) -> None:
    def section(name: str) -> dict[str, Any]:
        value = raw.get(name, {})
        return value if isinstance(value, dict) else {}

    sources = raw.get("source", [])
    asked = [("source", s.get("kind")) for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    asked.append(("target", section("target").get("kind")))
    asked.append(("runner", section("run").get("runner")))
    asked.append(("study_uid", section("reconcile").get("study_uid")))
    asked.append(("index", isinstance(section("patients").get("index"), list)))
    for name, value in asked:
        if isinstance(value, str | bool) and (name, value) in _NOT_YET:
            raise ConfigurationError(f"{file}: {_NOT_YET[name, value]}")
    workspace = section("project").get("workspace")
    if isinstance(workspace, str) and _URL.match(workspace):
        raise ConfigurationError(f"{file}: [project] workspace at a URL is not built yet: name a folder")


# What pydantic calls a value, as the file's author knows it.
_PLAIN = (
    (re.compile("^(Input|String|Value|Tuple) should"), "must"),
    (re.compile("an instance of Path"), "a path in quotes"),
    (re.compile("a valid dictionary( or instance of .*)?"), "a table"),
    (re.compile("a valid integer"), "a whole number"),
    (re.compile("a valid string"), "a text in quotes"),
    (re.compile("a valid tuple"), "a list in brackets"),
)
_LONGEST_SHOWN = 60


def _place(location: tuple[str | int, ...]) -> str:
    """The key as the file has it: `[target] port`, `[[source]] 2 path` (the second of them), `[colour]`."""
    section, *keys = [part for part in location if part not in ("film", "archive", "embedded", "dimse")]
    if section == "source" and keys and isinstance(keys[0], int):
        section, keys = f"[[source]] {keys[0] + 1}", keys[1:]
    else:
        section = "[[source]]" if section == "source" else f"[{section}]"
    return " ".join([section, ".".join(map(str, keys))]).strip()


def _first_error(error: ValidationError, file: Path) -> str:
    problem = error.errors()[0]
    location, given = problem["loc"], problem["input"]
    match problem["type"]:
        case "extra_forbidden" if len(location) == 1:
            what = "section" if isinstance(given, dict | list) else "key"
            return f"{file}: unknown {what} {location[0]}: remove it or correct its spelling"
        case "extra_forbidden":
            return f"{file}: unknown key {_place(location)}: remove it or correct its spelling"
        case "union_tag_not_found":
            return f"{file}: {_place(location)} kind is missing: add it"
        case "union_tag_invalid":
            context = problem["ctx"]
            return f"{file}: {_place(location)} kind: must be {context['expected_tags']}, got {context['tag']!r}: correct it"
        case "missing" if isinstance(location[-1], int):
            return f"{file}: {_place(location[:-1])}: has too few values: correct it"
        case "missing":
            return f"{file}: {_place(location)} is missing: add it"
    said = problem["msg"].removeprefix("Value error, ")
    for theirs, ours in _PLAIN:
        said = theirs.sub(ours, said)
    shown = f", got {given!r}" if isinstance(given, str | int | float) and len(str(given)) <= _LONGEST_SHOWN else ""
    return f"{file}: {_place(location)}: {said}{shown}: correct it"


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
    _refuse_what_is_not_built(raw, file)
    try:
        configuration = Configuration.model_validate(raw, context={"folder": file.resolve().parent})
    except ValidationError as error:
        raise ConfigurationError(_first_error(error, file)) from error
    _check_names_and_files(configuration, file)
    return configuration


def _check_names_and_files(configuration: Configuration, file: Path) -> None:
    names = Counter(source.name or source.path.name for source in configuration.source)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise ConfigurationError(f"{file}: {count} sources have the name {name!r}: give each [[source]] a name of its own")
    workspace = configuration.project.workspace
    if workspace.exists() and not workspace.is_dir():
        raise ConfigurationError(f"{file}: [project] workspace: {workspace} is not a folder: name one")
    wanted: list[tuple[str, Path, bool]] = []
    for number, source in enumerate(configuration.source, 1):
        wanted.append((f"[[source]] {number} path", source.path, True))
        if isinstance(source, FilmSource) and source.manifest:
            wanted.append((f"[[source]] {number} manifest", source.manifest, False))
    if configuration.patients:
        wanted.append(("[patients] index", configuration.patients.index, False))
    for what, path, is_folder in wanted:
        if not path.exists():
            raise ConfigurationError(f"{file}: {what}: {path} does not exist: correct the path or mount it")
        if path.is_dir() != is_folder:
            kind = "folder" if is_folder else "file"
            raise ConfigurationError(f"{file}: {what}: {path} is not a {kind}: name a {kind}")
