"""Where films lie on the scanner bed, and how a scan of several becomes several objects.

`film_bounds` finds the films, `split` cuts them out without touching a pixel, `describe_split` says so in DICOM attributes.
"""
