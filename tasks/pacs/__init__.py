"""The embedded PACS: a real, small archive to migrate into and to look around in.

`server` speaks DICOM on pynetdicom's AE: verification, storage, query/retrieve (patient root and study root) and storage
commitment. `objects` keeps every object as a file, byte for byte as it was sent and durable before it is acknowledged; `index`
finds them in SQLite and can always be made again from the files. `query` and `matching` answer C-FIND, `retrieval` sends what
C-GET and C-MOVE name, `commitment` reports what is safe, `rejection` reads the notes that hide objects.

What it promises where the standard leaves a choice:

- The same content again under a known SOP Instance UID is accepted and changes nothing. Other content (another transfer syntax
  counts as other) is refused with 0x0111, Duplicate SOP Instance (PS3.7 Annex C), and what was there stays.
- A rejection note (title of CID 7011) hides what it refers to from query, retrieve and commitment; the note itself stays
  visible. After 113037 and 113038 its UIDs are refused for good, with 0x0124, Refused: Not Authorized (PS3.7 Annex C). After
  113001 and 113039 the same content sent again is visible again.
- A Study Instance UID under two patients is answered as two studies, one under each patient, each with its own counts; a
  retrieve by that UID alone yields both. Patients are told apart by identifier and issuer, and without an identifier by name
  and birth date.
- Any called and calling AE title is taken; it listens on 127.0.0.1 unless told otherwise.
"""
