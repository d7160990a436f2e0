"""The patient index's sources: tables (CSV, Parquet), HL7 v2 messages, FHIR patients, DICOM worklists, brought into one form.

`tables` reads records; `hl7`, `fhir` and `worklist` read events, of which `history` makes persons; `gather` joins them all.
"""
