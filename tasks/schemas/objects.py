"""`objects`: one row for every DICOM object made of an item, with its staged pixels, label readings and quality measures."""

import pyarrow as pa

from tasks.schemas.table import (
    BYTES,
    FINGERPRINT,
    FLAG,
    ITEM_KEY,
    NUMBER,
    OBJECT_KEY,
    REAL,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    TEXT,
    Table,
    column,
)

LABEL_FIELDS = ("patient_name", "patient_id", "birth_date", "sex", "study_date", "accession", "institution")

_LABELS = [
    labelled
    for name in LABEL_FIELDS
    for labelled in (
        column(f"label_{name}", TEXT, f"{name} as read; dates as YYYYMMDD, names as family^given, sex as M, F or O"),
        column(f"label_{name}_confidence", REAL, "probability that it was read right, 0 to 1"),
        column(f"label_{name}_origin", TEXT, "`barcode`, `manifest`, `ocr` or `header`"),
    )
]

_QUALITY = [
    column("qc_digitizer", TEXT, "whose measures these are: manufacturer, model and serial number of the digitizer"),
    column("qc_scanned_at", TEXT, "when it was scanned, YYYYMMDDHHMMSS; null: the file does not say"),
    column("qc_clipped_low", REAL, "share of pixels at the lowest value, 0 to 1"),
    column("qc_clipped_high", REAL, "share of pixels at the highest value, 0 to 1"),
    column("qc_range", REAL, "distance between the 0.1 and 99.9 percentiles as a share of the full scale, 0 to 1"),
    column("qc_entropy", REAL, "Shannon entropy of the pixel values in bits"),
    column(
        "qc_effective_bits",
        REAL,
        "bits that the largest value needs, less those lost to values that no pixel has; null: too small",
    ),
    column("qc_noise", REAL, "standard deviation in flat areas as a share of the full scale (Immerkaer 1996)"),
    column("qc_sharpness", REAL, "variance of the Laplacian of the film scaled to 0..1"),
    column("qc_edge_rise", REAL, "10 to 90% rise of the sharpest straight edges in pixels (ISO 12233); null: no such edges"),
    column(
        "qc_nonuniformity", REAL, "(max - min) / (max + min) of a blank film, smoothed (NEMA NU 1); null: it shows something"
    ),
    column("qc_column_defects", NUMBER, "columns that differ from both neighbours along the whole height"),
    column("qc_row_defects", NUMBER, "rows that differ from both neighbours along the whole width"),
    column("qc_specks", NUMBER, "spots of dust: small, standing alone"),
    column("qc_scratches", NUMBER, "scratches: long, thin, straight, standing alone"),
    column("qc_picture_share", REAL, "share of the area that differs from its median level, 0 to 1"),
    column("qc_blank", FLAG, "nothing to be seen but lead letters or less: `qc_picture_share` below 0.03"),
    column("qc_skew", REAL, "how far the film lies turned in the scan, degrees clockwise; null: no edge seen"),
    column("qc_cut_off", FLAG, "the film goes on beyond the scan at one to three sides; null: no edge seen"),
    column("qc_film_format", TEXT, "the standard size that the film's edges fit (ISO 4090), such as `35x43 cm`; null: none"),
    column("qc_scale_error", REAL, "how much larger the film is than that size by the declared dpi, as a share"),
    column("qc_wedge_steps", NUMBER, "steps told apart in a step wedge in the scan; null here and below: there is none"),
    column("qc_wedge_nonlinearity", REAL, "largest distance from the best straight line as a share of its range"),
    column("qc_wedge_noise", REAL, "standard deviation in the noisiest step in optical density (OD)"),
    column("qc_wedge_density", REAL, "highest density told from the one before (OD)"),
    column("qc_wedge_curve", TEXT, "the calibration: JSON list of [mean pixel value, OD], the clearest step first"),
    column("qc_wedge_passed", FLAG, "all of this is within the limits of `[wrap.wedge]`"),
]

OBJECTS = Table(
    "objects",
    ("object_key",),
    pa.schema(
        [
            OBJECT_KEY,
            ITEM_KEY,
            FINGERPRINT,
            SOP_INSTANCE_UID,
            STUDY_INSTANCE_UID,
            column("series_instance_uid", TEXT, "Series Instance UID (0020,000E)"),
            column("sop_class_uid", TEXT, "SOP Class UID (0008,0016)"),
            column("kind", TEXT, "`film` or `dicom`, as the item"),
            column("group_key", TEXT, "the item's jacket or medium"),
            column(
                "assembly_key",
                TEXT,
                "objects with the same are assembled together: a film's jacket, a legacy Study Instance UID",
            ),
            column("path", TEXT, "staged Pixel Data element below `staging/`; null for an object without pixels"),
            column("bytes", NUMBER, "size of the staged element"),
            column("sha256", TEXT, "SHA-256 of the staged element's bytes"),
            column("pixel_sha256", TEXT, "pixel hash, see `tasks.pixels`; null without pixels"),
            column("pixel_hash_kind", TEXT, "`decoded` or `codestream`"),
            column("pixel_header", BYTES, "attributes that describe the staged pixels, Explicit VR Little Endian data set"),
            column("source_header", BYTES, "legacy: data set before Pixel Data as it came; film: composed from the scan"),
            column("source_trailer", BYTES, "legacy: elements after Pixel Data as they came"),
            column(
                "source_changes",
                TEXT,
                "legacy: what reading the file left out or took otherwise than written, as in `headers.changes`; null: nothing",
            ),
            column("source_transfer_syntax_uid", TEXT, "how `source_header` and `source_trailer` are encoded"),
            column("source_left_out", TEXT, "parts of the scan's file that were not taken over, such as a JPEG's comments"),
            column("modality", TEXT, "Modality (0008,0060)"),
            column("body_part", TEXT, "Body Part Examined (0018,0015), where a label or the manifest names it"),
            column(
                "image_laterality", TEXT, "Image Laterality (0020,0062), where one of them names one paired part and its side"
            ),
            column(
                "original_to_keep",
                FLAG,
                "whether the film itself has to be kept though it is digitized: a mammogram, by modality or body part "
                "(21 CFR 900.12(c)(4): the original mammogram)",
            ),
            column("view", TEXT, "the view, as Code Meaning of CID 4010, where one of them names it"),
            column("rows", NUMBER, "Rows (0028,0010)"),
            column("columns", NUMBER, "Columns (0028,0011)"),
            column("frames", NUMBER, "Number of Frames (0028,0008), 1 where absent"),
            column("bits_stored", NUMBER, "Bits Stored (0028,0101)"),
            column("photometric", TEXT, "Photometric Interpretation (0028,0004)"),
            column("transfer_syntax_uid", TEXT, "transfer syntax of the staged element"),
            *_LABELS,
            column("label_text", TEXT, "all text read on the film, as read"),
            *_QUALITY,
            column(
                "label_regions",
                TEXT,
                "JSON list of what was read where: `left`, `top`, `width`, `height` in pixels of the stored picture, `turn` "
                "(clockwise degrees that set the text upright), `mirrored`, `text`, `legible` (hand-writing mostly is not), "
                "`origin` (`ocr` or `barcode`)",
            ),
            column(
                "markers",
                TEXT,
                "JSON list of lead markers: `text`, `left`, `top`, `width`, `height` in pixels of the stored picture, `turn`, "
                "`mirrored`",
            ),
            column(
                "film_bounds",
                TEXT,
                "JSON object: `films` on the bed, four corners (column, row) each in pixels of the scan; `doubt`, why they may "
                "not be cut apart",
            ),
            column("rotation", NUMBER, "clockwise turn in degrees that sets the film upright; null: not decided"),
            column("mirrored", FLAG, "whether the film lies mirrored; null: not decided"),
            column("turn_evidence", TEXT, "what `rotation`, `mirrored`, Patient Orientation and Image Laterality rest on"),
        ]
    ),
    stage="wrap",
)
