"""A decided turn as a presentation state: the pixels stay as they were scanned, and the viewer turns them.

Built for Grayscale and Color Softcopy Presentation State (PS3.3 A.33.1 and A.33.2). Patient, study and numbering are
reconcile's, as for the film itself.
"""

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ColorSoftcopyPresentationStateStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)

from tasks.keys import uid_of
from tasks.wrap.film.turn import permuted

_MANUFACTURER = "Filmroom"


def presentation_state_class(pixel_attributes: Dataset) -> UID:
    """The SOP class for a film whose pixels `pixel_attributes` describe: grayscale, or colour for three samples."""
    colour = int(pixel_attributes.SamplesPerPixel) == 3
    return ColorSoftcopyPresentationStateStorage if colour else GrayscaleSoftcopyPresentationStateStorage


def presentation_state(
    header: Dataset,
    pixel_attributes: Dataset,
    series_instance_uid: str,
    object_key: str,
    turn: int,
    mirrored: bool,
    created: str | None,
) -> Dataset:
    """The presentation state of the film with `header`, which lies in `series_instance_uid`, without patient and study.

    `object_key` is that of the presentation state. `turn` (0, 90, 180 or 270 degrees clockwise) and `mirrored` are what has to
    be done to the film: mirrored left to right first, turned then. The whole image is displayed, scaled to fit.
    `created` is when,
    YYYYMMDDHHMMSS; without it date and time stay empty, and are due before the object is sent (PS3.3 C.11.10: type 1).
    """
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = presentation_state_class(pixel_attributes)
    dataset.SOPInstanceUID = uid_of("instance", object_key)
    dataset.Modality = "PR"
    dataset.Manufacturer = _MANUFACTURER
    _examination(dataset, header)
    dataset.ContentLabel = "UPRIGHT"
    dataset.ContentDescription = "The film turned upright"
    dataset.ContentCreatorName = ""
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = (created or "")[:8], (created or "")[8:14]
    dataset.ReferencedSeriesSequence = Sequence([_series(header, series_instance_uid)])
    _turn(dataset, turn, mirrored)
    dataset.DisplayedAreaSelectionSequence = Sequence([_whole(header, pixel_attributes, turn, mirrored)])
    if dataset.SOPClassUID == ColorSoftcopyPresentationStateStorage:
        _colour_space(dataset)
    else:
        _grayscale(dataset, header, pixel_attributes)
    return dataset


def _examination(dataset: Dataset, header: Dataset) -> None:
    """Body part and side as the film has them (PS3.3 C.7.3.1); only images have Image Laterality, here the series says it."""
    if body_part := header.get("BodyPartExamined"):
        dataset.BodyPartExamined = body_part
    if "ImageLaterality" in header or "Laterality" in header:
        side = header.get("ImageLaterality")
        dataset.Laterality = side if side in ("L", "R") else ""


def _series(header: Dataset, series_instance_uid: str) -> Dataset:
    """The film as Presentation State Relationship (PS3.3 C.11.11) names it."""
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = series_instance_uid
    series.ReferencedImageSequence = Sequence([image])
    return series


def _turn(dataset: Dataset, turn: int, mirrored: bool) -> None:
    """Spatial Transformation (PS3.3 C.10.6): a viewer turns first and flips then, so a mirrored film turns the other way."""
    dataset.ImageRotation = -turn % 360 if mirrored else turn
    dataset.ImageHorizontalFlip = "Y" if mirrored else "N"


def _whole(header: Dataset, pixel_attributes: Dataset, turn: int, mirrored: bool) -> Dataset:
    """Displayed Area (PS3.3 C.10.4): the pixels of the stored film that come to lie at the top left and at the bottom right."""
    columns, rows = int(pixel_attributes.Columns), int(pixel_attributes.Rows)
    corners = [[1, 1], [columns, 1], [1, rows], [columns, rows]]
    shown = permuted(np.arange(4).reshape(2, 2), turn, mirrored)
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner = corners[shown[0, 0]]
    item.DisplayedAreaBottomRightHandCorner = corners[shown[1, 1]]
    item.PresentationSizeMode = "SCALE TO FIT"
    if spacing := header.get("NominalScannedPixelSpacing"):
        item.PresentationPixelSpacing = list(spacing)
    else:
        item.PresentationPixelAspectRatio = [1, 1]
    return item


def _grayscale(dataset: Dataset, header: Dataset, pixel_attributes: Dataset) -> None:
    """The film's own window, where it has one, and the shape that shows its photometric as meant (PS3.3 C.11.8 and C.11.6)."""
    if header.get("WindowWidth") is not None:
        window = Dataset()
        window.WindowCenter, window.WindowWidth = header.WindowCenter, header.WindowWidth
        dataset.SoftcopyVOILUTSequence = Sequence([window])
    inverse = pixel_attributes.PhotometricInterpretation == "MONOCHROME1"
    dataset.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"


def _colour_space(dataset: Dataset) -> None:
    """ICC Profile (PS3.3 C.11.15), type 1: sRGB, which is what scanners mean where they say nothing."""
    profile = bytearray(imagecodecs.cms_profile("srgb"))
    # ICC.1 7.2.8: when the profile was created; the library writes the moment at which it is asked.
    profile[24:36] = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()
    dataset.ICCProfile = bytes(profile)
    dataset.ColorSpace = "SRGB"
