"""`scan`: finds what the sources hold, hashes it while reading, recognises it by content, counts it against the manifest."""
