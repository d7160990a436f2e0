"""`[[source]]` of kind `pacs`: a legacy PACS that is asked what it holds, and emptied over the network."""

from typing import Literal

from pydantic import Field

from tasks.configuration.section import Section


class PacsSource(Section):
    """A PACS that answers C-FIND and gives out what it holds by C-GET, or by C-MOVE to us (`[network]`).

    Where it is reached and how hard it is asked is no setting that makes its items pending.
    """

    kind: Literal["pacs"]
    host: str = Field(min_length=1, exclude=True)
    port: int = Field(ge=1, le=65535, exclude=True)
    ae_title: str = Field(min_length=1, max_length=16, exclude=True)
    name: str = ""
    retrieve: Literal["get", "move"] = Field(default="get", exclude=True)  # "get" falls back on C-MOVE where there is no C-GET
    associations: int = Field(default=4, ge=1, le=32, exclude=True)  # side by side, by all workers together
