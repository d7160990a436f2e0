"""`load`: sends what was validated into the target PACS and proves each object by reading it back."""
