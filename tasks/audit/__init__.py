"""`audit`: is the record whole? The chain of manifests, every data file, every row against its event, every event under its
root.
"""
