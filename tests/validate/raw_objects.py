"""Any file as the elements the IOD check takes, whatever its transfer syntax."""

import warnings
from pathlib import Path

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from tasks.pixel_data import header_bytes
from tasks.validate.iod import Elements, read_elements

_TRANSFER_SYNTAX = 0x00020010


def elements_of(path: Path) -> Elements:
    """The elements as they lie in the file; of one that is big endian or deflated, as pydicom reads them."""
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")
        try:
            pydicom.filereader.read_preamble(file, force=False)
        except pydicom.errors.InvalidDicomError:
            file.seek(0)
        meta = pydicom.filereader._read_file_meta_info(file)
        start, data = file.tell(), path.read_bytes()
        syntax = str(meta.get("TransferSyntaxUID", ""))
        if syntax in (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian) or (data[start] == 0 and data[start + 1]):
            data, start = header_bytes(pydicom.dcmread(path, force=True)), 0
    vr = data[start + 4 : start + 6]
    elements = read_elements(data, start, vr.isalpha() and vr.isupper())
    elements[_TRANSFER_SYNTAX] = "UI", syntax.encode()
    return elements
