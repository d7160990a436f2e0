"""How each step works: plain, typed functions on rows and arrays, one subpackage a stage, testable without Prefect.

`scan`, `wrap`, `reconcile`, `validate` and `load` are the stages; `audit` is the auditor's side; `pacs` is the embedded PACS.
The ground floor, which every stage rests on and which imports none of them: `schemas` (the data contract), `workspace` (where
things lie, commits, reading), `configuration`, `stage` (what a stage is given and gives back), `keys`, `pixels`, `canonical`
and `errors`.
"""
