"""`load`: sends what was validated into the target PACS and proves each object by reading it back."""

import warnings

# pydicom's remarks on odd values quote them, and values are PHI. What matters of them is a finding of `validate`.
warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
