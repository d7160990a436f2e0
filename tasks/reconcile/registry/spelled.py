"""The one form in which every source of the index gives what it knows: a table of records as they are spelled there.

A person has one record for each combination of name, identifier and birth date that somebody may have written on a film; the
first of them is what is true now.
"""

from typing import Any

import pyarrow as pa

# What a record says of a person; texts as spelled, empty where unknown.
FIELDS = (
    "patient_id",
    "issuer",
    "family_name",
    "given_name",
    "birth_date",
    "sex",
    "death_date",
    "street",
    "city",
    "postcode",
    "phone",
)
NEEDED = ("patient_id", "family_name", "given_name", "birth_date", "sex")

# Records in order of `person`, which counts from 0; `linked` is another person, or -1.
_TEXTS: Any = [(name, pa.string()) for name in FIELDS]
SPELLED = pa.schema([("person", pa.int64()), ("linked", pa.int64()), *_TEXTS])
