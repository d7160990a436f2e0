"""The embedded PACS: a real, small archive to migrate into and look around in.

`server` speaks DICOM (verification, storage, query/retrieve, storage commitment) on pynetdicom's AE, `index` keeps what is there in
SQLite, `query` answers C-FIND from it. Objects are files as they were sent. Different content under a known UID is refused.
"""
