"""PDF files through PDFium, which is not made for threads: one at a time, and no object of a file outlives its turn."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pypdfium2

from tasks.errors import QuarantineError

_TURN = threading.Lock()
_PASSWORD = 4  # FPDF_ERR_PASSWORD


@contextmanager
def opened_pdf(file: bytes | BinaryIO) -> Iterator[pypdfium2.PdfDocument]:
    """A PDF file, for as long as it is used; raises `QuarantineError` where it is encrypted or damaged, and for PDFium's errors
    within the block.
    """
    with _TURN:
        document = None
        try:
            document = pypdfium2.PdfDocument(io.BytesIO(file) if isinstance(file, bytes) else file)
            yield document
        except (pypdfium2.PdfiumError, UnicodeDecodeError) as error:  # names in a file need not be text
            is_locked = getattr(error, "err_code", None) == _PASSWORD
            raise QuarantineError("a PDF that asks for a password" if is_locked else "a damaged PDF") from error
        finally:
            if document is not None:
                document.close()
