"""What is wrong with a configuration, in one line that names the file, the key and the mend."""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.errors import ConfigurationError

_NOT_YET = {
    ("target", "dicomweb"): 'a target of kind "dicomweb" is not built yet: use kind = "dimse" or "embedded"',
    ("runner", "dask"): '[run] runner = "dask" is not built yet: use "processes" or "threads"',
    ("study_uid", "order"): '[reconcile] study_uid = "order" is not built yet: leave it at "minted"',
}
_URL = re.compile("[a-z][a-z0-9+.-]+://")


def refuse_what_is_not_built(raw: dict[str, Any], file: Path) -> None:
    """Raises `ConfigurationError` where the file asks for what the contract names and this version does not do yet."""

    def section(name: str) -> dict[str, Any]:
        value = raw.get(name, {})
        return value if isinstance(value, dict) else {}

    asked = [("target", section("target").get("kind"))]
    asked.append(("runner", section("run").get("runner")))
    asked.append(("study_uid", section("reconcile").get("study_uid")))
    for name, value in asked:
        if isinstance(value, str) and (name, value) in _NOT_YET:
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
    section, *keys = [part for part in location if part not in ("film", "archive", "pacs", "embedded", "dimse")]
    if section == "source" and keys and isinstance(keys[0], int):
        section, keys = f"[[source]] {keys[0] + 1}", keys[1:]
    else:
        section = "[[source]]" if section == "source" else f"[{section}]"
    return " ".join([section, ".".join(map(str, keys))]).strip()


def first_error(error: ValidationError, file: Path) -> str:
    """The line for the first thing that is wrong."""
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
