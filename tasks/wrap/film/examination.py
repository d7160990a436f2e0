"""What a film shows, as far as its label or the vendor's manifest says it in words: body part, side and view.

Nothing is inferred from the picture. A label counts where it names exactly one body part, and one view; a side counts only with
one paired part beside it (PS3.3 10.5.1): a lead marker says which side of the picture is left, never
this. Terms are those of PS3.16 Annex L (Body Part Examined) and CID 4010 (views).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tasks.wrap.film.ocr import LabelText

LEAST_CONFIDENCE = 0.8  # words of two and three letters come about by chance

_UNPAIRED = {
    "CHEST": "CHEST", "THORAX": "CHEST", "ABDOMEN": "ABDOMEN", "ABD": "ABDOMEN", "KUB": "ABDOMEN", "PELVIS": "PELVIS",
    "SKULL": "SKULL", "CERVICAL SPINE": "CSPINE", "C-SPINE": "CSPINE", "THORACIC SPINE": "TSPINE", "T-SPINE": "TSPINE",
    "DORSAL SPINE": "TSPINE", "LUMBAR SPINE": "LSPINE", "L-SPINE": "LSPINE", "SACRUM": "SSPINE", "COCCYX": "COCCYX",
}  # fmt: skip
_PAIRED = {
    "HAND": "HAND", "WRIST": "WRIST", "ELBOW": "ELBOW", "HUMERUS": "HUMERUS", "SHOULDER": "SHOULDER",
    "CLAVICLE": "CLAVICLE", "HIP": "HIP", "FEMUR": "FEMUR", "KNEE": "KNEE", "TIBIA": "LEG", "LOWER LEG": "LEG",
    "ANKLE": "ANKLE", "FOOT": "FOOT", "CALCANEUS": "CALCANEUS", "BREAST": "BREAST",
}  # fmt: skip
_PARTS = _UNPAIRED | _PAIRED
_VIEWS = {
    "PA": codes.cid4010.PosteroAnterior, "AP": codes.cid4010.AnteroPosterior, "LAT": codes.cid4010.LateralProjection,
    "LATERAL": codes.cid4010.LateralProjection, "OBL": codes.cid4010.ObliqueProjection,
    "OBLIQUE": codes.cid4010.ObliqueProjection, "AXIAL": codes.cid4010.AxialProjection,
    "CC": codes.cid4010.CranioCaudal, "MLO": codes.cid4010.MedioLateralObliqueProjection,
}  # fmt: skip
_SIDES = {"LEFT": "L", "LT": "L", "RIGHT": "R", "RT": "R", "BILATERAL": "B", "BOTH": "B"}


def _words(terms: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    return re.compile(rf"(?<![A-Z])(?:{'|'.join(longest_first)})(?![A-Z])")


_PART_WORDS, _VIEW_WORDS, _SIDE_WORDS = _words(_PARTS), _words(_VIEWS), _words(_SIDES)


@dataclass(frozen=True)
class Examination:
    """Body Part Examined (0018,0015), Image Laterality (0020,0062) and the view as a code; `None` where nobody says it."""

    body_part: str | None = None
    laterality: str | None = None
    view: Code | None = None

    @property
    def paired(self) -> bool | None:
        """Whether the part is one of two; `None` where it is not known."""
        return None if self.body_part is None else self.body_part in _PAIRED.values()

    @property
    def description(self) -> str:
        """A Series Description (0008,103E), such as `LEFT KNEE LATERAL`; empty where nothing is known."""
        side = {"L": "LEFT", "R": "RIGHT", "B": "BOTH"}.get(self.laterality or "")
        view = self.view.meaning.upper() if self.view else None
        return " ".join(part for part in (side, self.body_part, view) if part)


def examination_of(labels: Iterable[LabelText], listing: Mapping[str, str]) -> Examination:
    """What labels say, else the manifest's columns `body_part`, `view` and `laterality`."""
    read = _said("\n".join(_certain(label) for label in labels))
    listed = _said("\n".join(str(listing.get(name) or "").upper() for name in ("body_part", "view")), listing.get("laterality"))
    if read.body_part and listed.body_part and read.body_part != listed.body_part:
        return Examination(view=read.view)  # label and manifest differ, and nobody knows which is right
    part = read if read.body_part else listed
    sides = {side for side in (read.laterality, listed.laterality) if side}
    return Examination(part.body_part, sides.pop() if part.paired and len(sides) == 1 else None, read.view or listed.view)


def _certain(label: LabelText) -> str:
    """Lines of which both readings say the same, without words that are not certain."""
    both = {line.text.upper() for line in label.second}
    lines = (line for line in label.first if line.text.upper() in both)
    return "\n".join(
        " ".join(word if confidence >= LEAST_CONFIDENCE else "?" for word, confidence in line.words).upper() for line in lines
    )


def _said(text: str, side: str | None = None) -> Examination:
    # Institutions carry such words too: St Elsewhere Chest Hospital says nothing of the film.
    lines = "\n".join(line for line in text.splitlines() if not re.search(r"HOSPITAL|CLINIC|CENT(?:ER|RE)|INSTITUTE", line))
    parts = {_PARTS[word] for word in _PART_WORDS.findall(lines)}
    views = {_VIEWS[word] for word in _VIEW_WORDS.findall(lines)}
    sides = {_SIDES[word] for word in _SIDE_WORDS.findall(lines)} | ({_side(side)} if _side(side) else set())
    one = Examination(parts.pop() if len(parts) == 1 else None, view=views.pop() if len(views) == 1 else None)
    return Examination(one.body_part, sides.pop() if one.paired and len(sides) == 1 else None, one.view)


def _side(value: str | None) -> str | None:
    text = (value or "").strip().upper()
    return _SIDES.get(text, text if text in ("L", "R", "B") else None)
