"""What each command does; `filmroom COMMAND` is the function of that name."""

from flows.commands.audit import audit_show, audit_verify
from flows.commands.migration import doctor, film, init, pacs_serve, query, release, run, status, undo, verify
from flows.commands.review import review_decide, review_export, review_import, review_list, review_sample, review_show

__all__ = [
    "audit_show",
    "audit_verify",
    "doctor",
    "film",
    "init",
    "pacs_serve",
    "query",
    "release",
    "review_decide",
    "review_export",
    "review_import",
    "review_list",
    "review_sample",
    "review_show",
    "run",
    "status",
    "undo",
    "verify",
]
