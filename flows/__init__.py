"""What runs and in what order: the Prefect flow, the stage engine and the command line. Prefect is imported here only."""

import os
import sys

if sys.platform == "linux":
    # Before Arrow is loaded: its own choice keeps what each merge of files took, and a run would grow with its length.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
