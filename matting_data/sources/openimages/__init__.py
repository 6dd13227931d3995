"""OpenImages' metadata: recognised, read in blocks, and judged image by image.

``recognise(folder)`` says what a folder holds and what is missing; ``judge_metadata(folder, out, policy)`` writes one
verdict an image; ``read_verdicts(out, ids)`` looks them up, and ``image_rows(metadata, ids)`` whose they are.
"""

from matting_data.sources.openimages.blocks import IMAGE_COLUMNS
from matting_data.sources.openimages.choose import choose_images
from matting_data.sources.openimages.collect import Evidence, collect
from matting_data.sources.openimages.findings import FileReport, MetadataReport
from matting_data.sources.openimages.image_lists import image_rows
from matting_data.sources.openimages.recognise import Metadata, MetadataFile, recognise
from matting_data.sources.openimages.verdicts import (
    VERDICT_SCHEMA,
    judge_evidence,
    judge_metadata,
    read_report,
    read_verdicts,
)

__all__ = [
    "IMAGE_COLUMNS",
    "VERDICT_SCHEMA",
    "Evidence",
    "FileReport",
    "Metadata",
    "MetadataFile",
    "MetadataReport",
    "choose_images",
    "collect",
    "image_rows",
    "judge_evidence",
    "judge_metadata",
    "read_report",
    "read_verdicts",
    "recognise",
]
