"""Reading a legacy object: with or without preamble and file meta, in any byte order; what cannot be read whole says why."""

import warnings
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.errors import QuarantineError, ReviewError

MOST_NESTED = 32


def read_object(data: bytes) -> Dataset:
    """The data set of a file's bytes, with a file meta that names its transfer syntax.

    Raises `QuarantineError` on what cannot be parsed to its end, `ReviewError` on ACR-NEMA objects, which are not converted
    yet.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's remarks on values; what matters of them becomes a finding
        try:
            dataset = pydicom.dcmread(BytesIO(data), force=True)
            _settle_syntax(dataset)
            if "RecognitionCode" in dataset or str(dataset.get("RecognitionCode", "")).startswith("ACR"):
                raise ReviewError("an ACR-NEMA object: not converted yet")
            _walk(dataset, 0)
        except (QuarantineError, ReviewError):
            raise
        except RecursionError as error:
            raise QuarantineError("sequences nested without end") from error
        except Exception as error:  # pydicom raises many classes on damaged files
            raise QuarantineError(f"cannot be read as DICOM to its end ({type(error).__name__})") from error
    if len(dataset) == 0:
        raise QuarantineError("holds no DICOM elements")
    return dataset


def _settle_syntax(dataset: Dataset) -> None:
    if not hasattr(dataset, "file_meta") or dataset.file_meta is None:
        dataset.file_meta = FileMetaDataset()
    implicit, little = dataset.original_encoding
    if "TransferSyntaxUID" not in dataset.file_meta:
        guessed = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = guessed
    if UID(dataset.file_meta.TransferSyntaxUID).is_private:
        raise ReviewError("a private transfer syntax: its pixels cannot be proved")


def _walk(dataset: Dataset, depth: int) -> None:
    """Parses every element now, so that what is broken shows here and not in a later stage."""
    if depth > MOST_NESTED:
        raise QuarantineError("sequences nested without end")
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                _walk(item, depth + 1)
