"""Checks an object against its IOD in process: modules, types and conditions, enumerated values, multiplicity, VR.

The knowledge is in `tables.json`, compiled from the standard's tables (`data/iod`, `make iod-tables`). A check is a function
of the raw elements: `check(read_elements(header))` gives the problems, each a kind and a place, never a value.
"""

from tasks.validate.iod.check import check
from tasks.validate.iod.elements import Elements, read_elements
from tasks.validate.iod.entities import Difference, differences
from tasks.validate.iod.problems import Problem

__all__ = ["Difference", "Elements", "Problem", "check", "differences", "read_elements"]
