"""`wrap`: makes a DICOM object of every image; `film` wraps scans, `dicom` takes legacy objects over."""
