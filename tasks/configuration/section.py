"""What every table of the configuration rests on: strict sections, paths relative to the file, lists as tuples."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Section(BaseModel):
    """A table of the file: frozen, of strict types, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def absolute(value: Any, info: Any) -> Any:
    """A path, taken from the folder of the file that is read."""
    return Path(info.context["folder"], value).resolve() if isinstance(value, str) and info.context else value


def listed(value: Any) -> Any:
    """A TOML array as the tuple that a frozen section holds."""
    return tuple(value) if isinstance(value, list) else value


def one_or_listed(value: Any) -> Any:
    """One table or path, or an array of them, as a tuple."""
    return (value,) if isinstance(value, dict | str | Path) else listed(value)


RelativePath = Annotated[Path, BeforeValidator(absolute)]
