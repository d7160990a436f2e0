"""A legacy PACS as a source: the list of its studies, and each study asked for, received and counted."""
