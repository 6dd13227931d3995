"""SUN: its trees, lists and partitions, its LabelMe polygons, and its images straight from a tar."""

from matting_data.sources.sun.annotations import (
    Polygon,
    parse_annotation,
    standing_names,
)
from matting_data.sources.sun.archive import TarMember, find_tar_images
from matting_data.sources.sun.trees import (
    UNDECODABLE,
    SunImage,
    find_images,
    parse_path,
    read_class_names,
    read_partition,
    read_partitions,
)

__all__ = [
    "UNDECODABLE",
    "Polygon",
    "SunImage",
    "TarMember",
    "find_images",
    "find_tar_images",
    "parse_annotation",
    "parse_path",
    "read_class_names",
    "read_partition",
    "read_partitions",
    "standing_names",
]
