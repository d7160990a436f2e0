"""What is configured of films: their sources, digitizers, files without a format, and how they are wrapped."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from tasks.configuration.section import RelativePath, Section, listed, one_or_listed


class Digitizer(Section):
    """The film digitizer, as it goes into the SC equipment attributes."""

    manufacturer: str = ""
    model: str = ""
    serial: str = ""
    dpi: float | None = Field(default=None, gt=0)


RAW_FILM = "application/x-raw-film"  # the media type of what a source describes so


class RawFilm(Section):
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


class FilmSource(Section):
    """`[[source]]` of kind `film`: a folder of scans and the vendor's index of it."""

    kind: Literal["film"]
    path: RelativePath = Field(exclude=True)  # where it is mounted is no setting that makes its items pending
    name: str = ""
    manifest: RelativePath | None = Field(default=None, exclude=True)  # its lines are input of their own
    columns: dict[str, str] = Field(default_factory=dict)  # our column = the manifest's column
    modality: str = Field(default="RG", pattern="^[A-Z]{2,16}$")
    years: Annotated[tuple[int, int], BeforeValidator(listed)] = (1900, 2029)
    digitizer: Digitizer = Digitizer()
    raw: Annotated[tuple[RawFilm, ...], BeforeValidator(one_or_listed)] = ()

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


class Wedge(Section):
    """`[wrap.wedge]`: the step wedge that is scanned to test a digitizer, and what the digitizer has to reach on it.

    The densities (optical density, OD) are listed, or `steps` of `step` each from `first` on. `response` is what pixel values
    are proportional to. `most_nonlinearity` is a share of the range, `most_noise` is in OD, `least_density` the
    density (OD) that has to be told from the one before, or the wedge's highest where that is lower.
    """

    densities: Annotated[tuple[float, ...], BeforeValidator(listed)] = ()
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


class Wrap(Section):
    """`[wrap]`: how images become DICOM objects."""

    codec: Literal["jpeg-ls", "jpeg2000", "htj2k", "rle", "none"] = "jpeg-ls"
    turn: Literal["pixels", "pr"] = "pixels"
    ocr: Literal["auto", "pytesseract", "tesserocr", "rapidocr"] = "auto"
    wedge: Wedge = Wedge()
