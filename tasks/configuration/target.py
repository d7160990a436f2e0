"""`[target]`: the PACS that a migration fills."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from tasks.configuration.section import Section

_ADDRESS = re.compile(r"(?P<host>[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")
_AE_TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")  # PS3.5 6.2; spaces around it do not count


def _address(value: Any) -> Any:
    address = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if address is None or not 0 < int(address["port"]) <= 65535:
        raise ValueError('must be an address such as "10.0.0.7:104"')
    return address["host"].strip("[]"), int(address["port"])


class EmbeddedTarget(Section):
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


class DimseTarget(Section):
    """`[target]` of kind `dimse`: a PACS that takes C-STORE."""

    kind: Literal["dimse"]
    host: str
    port: int = Field(ge=1, le=65535)
    ae_title: str = Field(min_length=1, max_length=16)
    associations: int = Field(default=4, ge=1, le=32)
    # By what `filmroom undo` deletes; no part of what is loaded, so no setting that makes it pending.
    orthanc: str = Field(default="", pattern="^(https?://.+)?$", exclude=True)
    credentials: str = Field(default="", exclude=True)  # the environment variable that holds user:password


Target = Annotated[EmbeddedTarget | DimseTarget, Field(discriminator="kind")]
