"""Paper in a jacket (its face, requisitions, typed reports) is told from film and becomes an Encapsulated PDF.

A scanned sheet is put into a PDF of its own, its samples or its JPEG stream as they came, and that is proved by reading them
back. A PDF of text stays the file it is, searchable as it was, and stands whole in the object of its first page.
"""

from tasks.wrap.film.paper.document import UNKNOWN_DPI, encapsulated_pdf, pdf_of_sheet
from tasks.wrap.film.paper.pages import first_page, is_document
from tasks.wrap.film.paper.sheet import looks_like_paper

__all__ = ["UNKNOWN_DPI", "encapsulated_pdf", "first_page", "is_document", "looks_like_paper", "pdf_of_sheet"]
