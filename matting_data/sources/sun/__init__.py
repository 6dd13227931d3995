"""SUN: its trees, lists and partitions, its LabelMe polygons, and its images straight from a tar."""

from matting_data.sources.sun.annotations import (
    Polygon,
    SunJudgement,
    SunPolicy,
    judge_polygons,
    parse_annotation,
)
from matting_data.sources.sun.archive import TarMember, find_tar_images
from matting_data.sources.sun.layout import (
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
    "SunJudgement",
    "SunPolicy",
    "TarMember",
    "find_images",
    "find_tar_images",
    "judge_polygons",
    "parse_annotation",
    "parse_path",
    "read_class_names",
    "read_partition",
    "read_partitions",
]
