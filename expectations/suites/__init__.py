"""The suites as data: one JSON file each, in Great Expectations' own form.

`meta.kind` of a suite says which objects it is for (`all`, or the `kind` of an item). Each expectation carries in its `meta`:
`rule` (its name, unique in the suite, and what findings are known by), `severity` (`blocking`: loading it would do harm;
`warning`), `why` (what is wrong when it fails) and `mend`.
"""
